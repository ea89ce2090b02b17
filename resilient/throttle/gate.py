"""The learnt gate: one 429 holds everybody who shares what was limited.

A pure machine: it is given the time and random numbers, knows no request, and never waits. Its
rules, each with the scenario of a server in trouble that needs it (`storm trouble` has them):

- **It closes** at a 429 until the server's time (Retry-After, or a reset header), whatever its
  size, or for a backoff if the server names none, and then lets calls leave in order, at least
  1/`rate` apart. Without it each of 50 callers finds out for itself: 38 of them succeed.
- **One estimate.** The first rate is what the server let through in the recent past, over the
  time that this will have taken once the gate opens. Without it a steady overload comes to
  1 call a second where the limit is 10.
- **Late successes raise it.** Of calls that come at once the refusals are heard first; what was
  sent before the gate closed and went well counts too. (50 at once: 34 succeed without it.)
- **One cut a round.** Only an attempt that was sent after the last cut tells anything new, as in
  TCP. An older one that is refused only moves the server's time.
- **It probes upward**: by a tenth of a percent with each success, or by a percent a second if
  that is more (a limit of 1 a second would be found again after minutes only), by a percent with
  each success until it is refused for the first time; and by a twentieth at each cut, since what
  it measures is at most the limit. Without it a window of a minute loses 19 %.
- **It gives up an estimate that is never refused.** A minute after it opened, and with no refusal
  since, its growth doubles every ten seconds, for a window of a minute would have refused it by
  then. Without it a server that answers 429 in the first ten seconds of a process, and is well
  afterwards, loses nine of ten calls at 20/s for five minutes.
- **Few answers prove little.** An estimate from fewer than five grows in proportion to them, and
  a cut in an epoch of fewer halves the rate at most. Without it a bulk job of 50 workers at a
  server of 10 a second that lets one of them through at once loses 98 % of its items.
- **Refusals say when, answers say how much.** After a cut from fewer than five answers the rate
  grows in proportion to those that come, as in the beginning. Without it a server that answers 429
  to all or half of the calls for some time, and is well again, is not asked for more than one call
  in six of 20/s for minutes; and after an outage of 15 s of hangs a limit of 10/s comes to 8.4.
- **A spread** is added to the server's time: processes that were refused together do not come
  back together (50 of them: 30 succeed without it). It is small where this process had most of
  the limit to itself, and grows with each refusal in a row.
- **Dirty epochs.** The rate of an epoch, the time since the last cut, is what was granted over
  its length, in which the time that the gate was closed counts for a second at most. (A window of
  a minute that was used up after half of it would look like half its rate: 14 % of the calls at
  6/s of 300 a minute would be lost.) Failures that are no 429 spoil that: a cut then leaves the
  rate as it is, and the next success begins the epoch anew. Without it a limit with an outage of
  30 s comes to 4 calls a second afterwards, for 10.
- **It stands aside** where refusals come at any rate; `throttle.doubt` says when. Without it a
  server that answers 429 to 5 % of all calls loses nine of ten at 50/s.
- **No standing queue.** Once a call was refused because the queue was too long, others wait for
  a tenth of `max_wait` only, until it is empty: in a lasting overload nearly everyone would wait
  for `max_wait` otherwise, and no more calls would get through.

Left out, since no scenario needs them: calls that come back go to the end of the queue like any
other; and the queue is not searched for those whose deadline a later cut has put out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Final, NamedTuple

from resilient.core.queues import Queue
from resilient.support.redact import public_path
from resilient.throttle.doubt import Doubt
from resilient.throttle.grants import Grants

__all__ = ["QUIET", "Gate", "Part"]

# Calls a second, below which no rate falls: the gate has to find out when it is wrong.
_SLOWEST: Final = 0.5

# At each cut; with each success; and with each until the gate is refused itself.
_AT_A_CUT: Final = 1.05
_GROWTH: Final = 0.001
_GROWTH_A_SECOND: Final = 0.01
_FIRST_GROWTH: Final = 0.01

# Seconds without a refusal after which growth doubles, and doubles again each so many; the most by
# which one success may raise the rate; and a rate that is no limit any more.
_UNREFUSED: Final = 60.0
_DOUBLES_EVERY: Final = 10.0
_FASTEST_GROWTH: Final = 0.1
_NO_LIMIT: Final = 1e6

# The backoff where the server names no time, and the widest spread.
_BACKOFF: Final = 0.5
_LONGEST: Final = 20.0

# Grants after which this process has shown to have a good part of the limit.
_MANY: Final = 5

# Without anyone waiting a gate is forgotten after so many seconds.
QUIET: Final = 10.0

# Seconds for which it is closed that count as time in which the server lets calls through. (All
# that a token bucket gains meanwhile is seen in them.)
_CLOSED_COUNTS: Final = 1.0

# Missed turns that are made up, in seconds.
_MADE_UP: Final = 0.05


class Part(NamedTuple):
    """The part of a key that one gate holds.

    Attributes:
        credential: The keyed hash of a credential; "" for none, or for all of them.
        method: The method; None for the whole key.
        segment: The first segment of the path; None for the whole key.
    """

    credential: str
    method: str | None = None
    segment: str | None = None

    @property
    def name(self) -> str | None:
        """The method and the segment, without the credential; None for the whole key."""
        return None if self.segment is None else f"{self.method} {public_path(f'/{self.segment}')}"


class Gate:
    """Keeps what was learnt of a limit, and those who wait for it.

    Args:
        part: What it holds.
        queue: For those who wait.
        now: The time.

    Attributes:
        part: As given.
        queue: As given.
        rate: Calls a second that it lets leave.
        not_before: When it opens.
        server_until: The server's own part of that: nobody calls before it.
        next: When the next call may leave by the rate.
        cut_at: When it was last cut.
        full: Whether somebody was refused since the queue was empty.
        held: How many attempts it has held back or refused.
        busy_at: When somebody last waited.
        cause: The server's error that closed it, for those who are refused.
        heir: The gate that took its place, if one did.
    """

    __slots__ = (
        "_dirty",
        "_doubt",
        "_epoch",
        "_grants",
        "_is_first",
        "_is_rough",
        "_late",
        "_rate_before",
        "_seen",
        "_spans",
        "_streak",
        "busy_at",
        "cause",
        "cut_at",
        "full",
        "heir",
        "held",
        "next",
        "not_before",
        "part",
        "queue",
        "rate",
        "server_until",
    )

    def __init__(self, part: Part, queue: Queue, now: float) -> None:
        self.part = part
        self.queue = queue
        self.rate = _SLOWEST
        self.not_before = self.next = self.busy_at = now
        self.server_until = self.cut_at = -math.inf
        self.full = False
        self.held = 0
        self.cause: Exception | None = None
        self.heir: Gate | None = None
        self._epoch = now
        self._grants = 0
        self._streak = 0
        self._dirty = False
        # What the first estimate was made from: counts, and the times that they stand for.
        self._spans: list[tuple[int, float]] = []
        self._late = 0
        self._seen = 0
        # Whether it has not been refused itself yet.
        self._is_first = True
        # Whether few answers had come when it was cut last.
        self._is_rough = False
        self._doubt = Doubt()
        # The rate that it had come to when it stepped aside.
        self._rate_before = _SLOWEST

    @property
    def is_aside(self) -> bool:
        """True while it holds nobody, since refusals are not about the rate."""
        return self._doubt.since is not None

    # -- what it learns

    def close(
        self, grants: Grants, now: float, asked: float | None, random: Callable[[], float]
    ) -> None:
        """Close for the first time.

        Args:
            grants: What the server let through so far.
            now: The time.
            asked: Seconds that the server asks to wait, or None.
            random: Draws from [0, 1).
        """
        wait = self._wait(asked, random)
        # No less than a second, since grants are counted by the second.
        self._spans = [(count, max(1.0, seconds + wait)) for count, seconds in grants.spans(now)]
        self._estimate()
        self._seen = self._spans[-1][0]
        # All that it has seen is of this key, so that it is many for each part of it.
        self._shut(now, wait, asked, self._seen >= _MANY, random)

    def refused(
        self, sent: float, now: float, asked: float | None, random: Callable[[], float]
    ) -> bool:
        """Take in a refusal; return whether that changed the gate by more than its time.

        Args:
            sent: When the refused attempt was sent.
            now: The time.
            asked: Seconds that the server asks to wait, or None.
            random: Draws from [0, 1).
        """
        # (At the very time of a cut nobody passes the gate that it closes.)
        if sent <= self.cut_at:
            if asked is not None and not self.is_aside:
                self.server_until = max(self.server_until, now + asked)
                self.not_before = max(self.not_before, now + asked)
            return False
        if self.is_aside:
            if not self._doubt.hear(now, refused=True):
                return False
            self.rate = self._rate_before
            self._doubt.end(self.rate, now)
        elif not self._dirty:
            seen = self._grants / max(now - self._epoch, 1e-3)
            if self._grants < _MANY:
                seen = max(seen, self.rate / 2)
            else:
                self._doubt.bore(min(self.rate, seen))
            self.rate = max(_SLOWEST, min(self.rate, seen) * _AT_A_CUT)
            if self._doubt.cut(self.rate, self._grants, now):
                self._step_aside(now)
                return True
        self._is_first = False
        # Next to nothing is known of the limit as it is now, as in the beginning.
        self._is_rough = self._grants < _MANY
        if self._is_rough:
            self._seen = self._grants
        self._shut(now, self._wait(asked, random), asked, self._grants >= _MANY, random)
        return True

    def granted(self, sent: float) -> None:
        """Take in that the server let an attempt through, be it well or not what was asked for."""
        if sent <= self.cut_at:
            if self._is_first:
                self._seen += 1
                self._late += 1
                self._estimate()
            return
        self._streak = 0
        growth = max(_GROWTH, _GROWTH_A_SECOND / self.rate)
        if self.is_aside:
            self._doubt.hear(sent, refused=False)
            # Those who have waited do not all leave at once.
            is_many = self.queue and self.rate > 2 * self._doubt.borne
            growth = _FIRST_GROWTH if is_many else _FASTEST_GROWTH
        elif self._is_first or self._is_rough:
            growth = max(_FIRST_GROWTH, 1 / max(1, self._seen) if self._seen < _MANY else growth)
        unrefused = sent - max(self.cut_at, self.not_before) - _UNREFUSED
        if unrefused > 0:
            doubled = growth * 2.0 ** min(unrefused / _DOUBLES_EVERY, 60.0)
            growth = max(growth, min(doubled, _FASTEST_GROWTH))
        self.rate = min(self.rate * (1 + growth), _NO_LIMIT)
        self._seen += 1
        # The mean since the last cut says nothing of a rate that has grown quickly since.
        is_old = unrefused > 0 and sent > self._epoch + _DOUBLES_EVERY
        if self._dirty or is_old:
            self._dirty = False
            self._grants, self._epoch = 0, sent
        else:
            self._grants += 1

    def failed(self) -> None:
        """Take in a failure that is no refusal: what was granted says nothing of the limit."""
        self._dirty = True

    def take_over(self, other: Gate) -> None:
        """Take the place of another gate, whose waiters are to come here."""
        other.heir = self
        self.server_until = max(self.server_until, other.server_until)
        self.not_before = max(self.not_before, other.not_before)
        self.held += other.held
        other.queue.wake_all()

    def renewed(self, queue: Queue) -> Gate:
        """Return a gate that knows the same, in the place of this one, with another queue."""
        made = copy(self)
        made.queue, made.full = queue, False
        self.heir = made
        return made

    def _wait(self, asked: float | None, random: Callable[[], float]) -> float:
        if asked is not None:
            return asked
        longest = min(_LONGEST, _BACKOFF * 2.0 ** min(self._streak, 10))
        return longest / 2 * (1 + random())

    def _estimate(self) -> None:
        most = max((count + self._late) / seconds for count, seconds in self._spans)
        self.rate = max(_SLOWEST, self.rate, most * _AT_A_CUT)
        self._doubt.bore(self.rate)

    def _step_aside(self, now: float) -> None:
        self._doubt.begin(now)
        self._rate_before, self.rate = self.rate, self._doubt.borne
        self.not_before = self.next = self.cut_at = self._epoch = now
        self.server_until = -math.inf
        self._grants = self._streak = 0
        self._is_first = self.full = False

    def _shut(
        self,
        now: float,
        wait: float,
        asked: float | None,
        many: bool,
        random: Callable[[], float],
    ) -> None:
        self._streak += 1
        if self._streak > 1:
            spread = min(wait * 2.0 ** min(self._streak - 1, 10), _LONGEST)
        else:
            spread = min(wait, 1.0) * (0.1 if many else 1.0)
        # The spread is on top of the pace, or that would gather again who was to be kept apart.
        opens = max(now + wait, self.next)
        self.not_before = max(self.not_before, opens + random() * spread)
        if asked is not None:
            self.server_until = max(self.server_until, now + asked)
        self.cut_at = now
        # Most of the time for which it is closed does not count: a window of a minute that is used
        # up after half of it would look like half the rate, and its calls come to wait twice.
        self._epoch = max(now, self.not_before - _CLOSED_COUNTS)
        self._grants = 0

    # -- whom it lets through

    def turn_at(self, ahead: int, now: float) -> float:
        """Return when a call may leave that has so many others before it."""
        return max(now, self.not_before, self.next) + ahead / self.rate

    def is_guess(self, now: float) -> bool:
        """Return whether too little is known for its rate to mean anything yet."""
        return self._is_first and now < self.not_before

    def opens_at(self, now: float) -> float:
        """Return when it lets calls leave that are not too many."""
        return max(now, self.not_before)

    def take(self, now: float) -> float:
        """Count a call that leaves; return what `give_back` needs to undo that."""
        before = self.next
        self.next = max(now - _MADE_UP, before) + 1.0 / self.rate
        return before

    def give_back(self, before: float) -> None:
        """Undo the last `take`."""
        self.next = before

    def is_over(self, now: float) -> bool:
        """Return whether nobody has needed it for some time."""
        return not self.queue and now >= self.over_at

    @property
    def over_at(self) -> float:
        """The time at which it is over if nobody waits until then."""
        return max(max(self.busy_at, self.not_before) + QUIET, self._doubt.lasts_until)

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        for name in ("not_before", "server_until", "next", "cut_at", "busy_at", "_epoch"):
            setattr(self, name, getattr(self, name) + shift)
        self._doubt.rebase(shift)
