"""The states of a circuit: pure transitions that take the time and never ask for it.

                    too many failures
        CLOSED ───────────────────────────▶ OPEN ◀──────────┐
          ▲                                  │ time is up    │ probes failed, or
          │ 5 successes, and nobody waits    ▼               │ too many failures again
          └────────────────────────────── HALF_OPEN ─────────┘
                                       probes, then release

The rules, each with what is worse without it:

- A score of failures opens it, not a rate over a window (`score`): a total outage is found after
  20 failures, 0.4 s at 50 calls a second, where a rate over 30 s needs 13 s.
- It stays open for a short time at first (0.5 s, growing to 5 s). Nothing that stops calling can
  lose less than the time between two probes.
- HALF_OPEN begins with a probe. While none has been answered, one more may go each time that the
  circuit was last open for, so that a probe which hangs hides nothing (without: 38 s lost in an
  outage of hangs of 30 s, with: 32).
- It opens again only when a probe failed and none is out.
- Presumed well: if the failures came at once and the oldest probe has not failed by four times
  what they took, long before an answer could be expected, the server is taken for well, and the
  release begins. (At a latency of 10 s an outage of 15 s would lose 29 s of calls; with it 17.) If
  no answer has come in twice the usual latency, no more are let in but probes, and that is not
  presumed again; three failures open it again. Where slow calls opened it, what they took counts
  as a failure's time: that a slow server is silent is no news.
- The release lets traffic back in at a pace (`release`), with a score of its own for failures:
  one that opened the circuit at the first failure would keep a server down that fails now and
  then.

An attempt has a number. A result counts only for the spell in which its attempt was sent: what
was sent before the circuit opened changes nothing, whenever it comes in.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, NamedTuple

from attrs import frozen

from resilient.breaker.policy import BreakerPolicy
from resilient.breaker.release import Release
from resilient.breaker.score import Score
from resilient.breaker.usual import EVERY, Usual
from resilient.core.quiet import Watched
from resilient.reasons import Reason

__all__ = ["Change", "Counts", "Machine", "State"]

_FOR_GOOD: Final = math.inf

# Successes in the release that close it.
_PROVEN: Final = 5

# Presumed well: after so many times what failures took, at least so many seconds; for so many
# times the usual latency; until so many failures.
_PATIENT, _SHORTEST, _EXPECTED, _DISPROVED = 4.0, 0.5, 2.0, 3

# The weight of the last failure in the share of time-outs.
_TIMEOUT_WEIGHT: Final = 0.2

# A crowd that gives up at the same moment is one failure each so many seconds.
_ABANDONED_APART: Final = 0.1


class State(Enum):
    """The states of a circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Change(NamedTuple):
    """A transition.

    Attributes:
        before: The state before.
        after: The state after; the same if a half-open circuit begins to let traffic in.
        code: Why, for a program.
        reason: Why, in words.
        seconds: How long the circuit stays open, if it opened and that is known; else None.
        held: How many attempts were held or refused since it opened, if it closed.
    """

    before: State
    after: State
    code: Reason
    reason: str
    seconds: float | None = None
    held: int = 0


@frozen
class Counts:
    """The counts of a circuit.

    Attributes:
        score: The score of failures.
        slow_score: The score of slow calls.
        failures: Failures in the run that the score is about.
        calls: Calls of that run that have ended.
        consecutive_failures: Failures since the last call that went well, however long ago.
    """

    score: float = 0.0
    slow_score: float = 0.0
    failures: int = 0
    calls: int = 0
    consecutive_failures: int = 0


class Machine(Watched):
    """One circuit.

    Attributes:
        state: The state.
        sent: The number of the last attempt that was let through.
        answered_at: When an attempt was last answered, well or not.
        good: Successes of a release, of which a few close it.
        open_until: Until when it stays open, if it is; infinity if it was isolated.
        look_at: When to have the next `look` at a success while it is quiet.
    """

    __slots__ = (
        "_abandoned_at",
        "_asked",
        "_failures",
        "_first",
        "_floor",
        "_gap",
        "_half_at",
        "_held",
        "_last_probe_at",
        "_may_presume",
        "_now",
        "_out",
        "_policy",
        "_presumed_until",
        "_probe_before",
        "_probe_failed",
        "_release",
        "_slow",
        "_streak",
        "_timeouts",
        "_trips",
        "_usual",
        "answered_at",
        "good",
        "look_at",
        "open_until",
        "sent",
        "series_began",
        "state",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        super().__init__()
        self._policy = policy
        self.state = State.CLOSED
        self.sent = 0
        # Results of attempts with a lower number belong to an earlier spell.
        self._first = 1
        self._failures: Score
        self._slow: Score | None
        self._forget_scores()
        self.is_quiet = self._slow is None
        self._usual = Usual()
        self._streak = 0
        self.good = 0
        # The share of time-outs among the last failures.
        self._timeouts = 0.0
        self.answered_at = self._abandoned_at = self._now = self.look_at = -math.inf
        # Until when a server asked to be left alone.
        self._floor = -math.inf
        # How often it has opened since it was closed, and when it did so first.
        self._trips = 0
        self.series_began = -math.inf
        self.open_until = 0.0
        # Callers, each once, that asked since then, and how many were held or refused.
        self._asked = self._held = 0
        # Half-open: when the probes that are out were sent, the oldest first; then the release.
        self._out: dict[int, float] = {}
        self._half_at = self._last_probe_at = self._probe_before = self._gap = 0.0
        self._probe_failed = False
        self._may_presume = True
        # Until when a server that is presumed well has to answer; infinity if it has.
        self._presumed_until = math.inf
        self._release: Release | None = None

    def _score(self) -> Score:
        policy = self._policy
        return Score(policy.failures, policy.failure_rate, policy.window)

    def _forget_scores(self) -> None:
        policy = self._policy
        self._failures = self._score()
        self._slow = None
        if policy.slow_call is not None:
            self._slow = Score(policy.failures, policy.slow_rate, policy.window)

    # -- before an attempt

    def admit(self, now: float) -> tuple[int, Change | None]:
        """Let an attempt pass, or not.

        Returns:
            The number that the result has to carry, 0 for one that may not pass now; and the
            change of state that the question made, or None.
        """
        if self.state is State.CLOSED:
            self.sent += 1
            return self.sent, None
        now = self._forward(now)
        change = None
        if self.state is State.OPEN:
            if now < self.open_until:
                return 0, None
            change = self._half_open(now)
        if now >= self._presumed_until:
            # Nobody has answered in time: back to probes.
            self._release, self._presumed_until = None, math.inf
            self._last_probe_at = now
        if self._release is None:
            self._drop_lost_probes(now)
            if now >= self._presumed_at():
                change = self._presume(now)
            elif self._may_probe(now):
                self._probe_before, self._last_probe_at = self._last_probe_at, now
                self.sent += 1
                self._out[self.sent] = now
                return self.sent, change
        release = self._release
        if release is None or not release.take_turn(now):
            return 0, change
        self.sent += 1
        return self.sent, change

    def stays_open(self, now: float) -> bool:
        """Return whether it is open, and too early to ask whether the server is back."""
        return self.state is State.OPEN and max(now, self._now) < self.open_until

    def ask(self, *, is_new: bool) -> None:
        """Count an attempt that may not pass at once.

        Args:
            is_new: Whether it is the first of its call.
        """
        self._held += 1
        self._asked += is_new

    def ready_at(self, waiting: int, now: float) -> float:
        """Return when an attempt that has so many others before it may pass.

        That is infinity if it is isolated. Of a probe's verdict nobody knows when it comes.
        """
        now = max(now, self._now)
        if self.state is State.CLOSED:
            return now
        if self.state is State.OPEN:
            return self.open_until
        if self._release is not None:
            return self._release.turn_at(waiting, now)
        if not self._out:
            return now
        soon = min(self._oldest_sent() + self._policy.probe_lease, self._presumed_at())
        if len(self._out) >= self._policy.probes:
            return soon
        return min(soon, self._next_probe_at())

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until a call may pass, as far as that is known; None if isolated."""
        ready = self.ready_at(0, now)
        return None if ready == _FOR_GOOD else max(0.0, ready - max(now, self._now))

    @property
    def is_releasing(self) -> bool:
        """True if it lets traffic back in, so that whoever waits has a turn of its own."""
        return self._release is not None

    def _may_probe(self, now: float) -> bool:
        out = self._out
        if not out:
            return True
        return len(out) < self._policy.probes and now >= self._next_probe_at()

    def _next_probe_at(self) -> float:
        return self._last_probe_at + self._gap

    def _oldest_sent(self) -> float:
        return next(iter(self._out.values()))

    def _presumed_at(self) -> float:
        """Return when a probe that has not failed is good news; infinity for never."""
        latency = self._usual.latency
        took = self._failures.mean_failure
        if self._slow is not None:
            took = max(took, self._slow.mean_failure)
        if latency is None or not (took and self._out and self._may_presume):
            return math.inf
        silent = max(_SHORTEST, _PATIENT * took)
        return self._oldest_sent() + silent if silent < _EXPECTED * latency else math.inf

    def _presume(self, now: float) -> Change:
        self._may_presume = False
        latency = self._usual.latency or 0.0
        self._presumed_until = self._oldest_sent() + _EXPECTED * latency
        words = "a probe has not failed in the time that failures took"
        return self._begin_release(now, Reason.PRESUMED_WELL, words)

    def _drop_lost_probes(self, now: float) -> None:
        """Forget probes that nobody has heard of for too long."""
        while self._out and self._oldest_sent() + self._policy.probe_lease <= now:
            del self._out[next(iter(self._out))]

    # -- after an attempt

    def succeed(self, number: int, sent: float, now: float) -> Change | None:
        """Take in that an attempt went well."""
        self.answered_at = now
        if not self.is_quiet:
            return self._succeeded(number, sent, now)
        if now >= self.look_at:
            self.look(now - sent, now)
        return None

    def count(self, good: int, answered_at: float) -> None:
        """Take in when the last of some attempts was answered that have not been told of yet."""
        if answered_at > self.answered_at:
            self.answered_at = answered_at

    def look(self, took: float, now: float) -> float:
        """Take in that an attempt went well now, and return when to be told again."""
        self.answered_at = now
        if now < self.look_at:
            # Another guard has asked to be told.
            return self.look_at
        self._usual.took(took)
        if not self._failures.value:
            self._usual.count(self.sent, now)
        self.look_at = now + EVERY
        return self.look_at

    def _succeeded(self, number: int, sent: float, now: float) -> Change | None:
        now = self._forward(now)
        duration = now - sent
        if number < self._first:
            return None
        if self.state is State.OPEN:
            return None
        self._streak = 0
        policy = self._policy
        is_slow = policy.slow_call is not None and duration >= policy.slow_call
        if self.state is State.HALF_OPEN:
            if is_slow:
                return self._failed(number, sent, now, Reason.PROBE_SLOW, "a probe was slow", 0.0)
            return self._probe_went_well(number, now)
        self._failures.good(number)
        if now >= self.look_at:
            # With slow calls to watch it is never quiet.
            self.look(duration, now)
        if self._slow is not None:
            if not is_slow:
                self._slow.good(number)
            else:
                self._slow.bad(number, sent, now)
                if self._slow.reached(self.sent, now):
                    words = f"{self._slow.failed} slow calls"
                    return self._open(Reason.SLOW_CALLS, words, 0.0)
        self._look_for_quiet()
        return None

    def fail(
        self,
        number: int,
        sent: float,
        now: float,
        *,
        timed_out: bool = False,
        retry_after: float | None = None,
        random: float = 0.0,
    ) -> Change | None:
        """Take in that an attempt failed.

        Args:
            number: What `admit` gave.
            sent: When it was sent.
            now: The time, in seconds.
            timed_out: Whether it ran out of time.
            retry_after: Seconds that the server asked to be left alone for.
            random: A number from [0, 1), which spreads the moment of the next probe.
        """
        now = self._forward(now)
        if not timed_out:
            self.answered_at = now
        if self.state is State.CLOSED and not self._failures.value:
            # What was said before this run is over.
            self._floor = -math.inf
        if retry_after:
            longest = self._policy.max_open_retry_after
            self._floor = max(self._floor, now + min(retry_after, longest))
        if number < self._first or self.state is State.OPEN:
            return None
        self._timeouts += _TIMEOUT_WEIGHT * (timed_out - self._timeouts)
        return self._failed(number, sent, now, Reason.PROBE_FAILED, "a probe failed", random)

    def _failed(
        self, number: int, sent: float, now: float, code: Reason, words: str, random: float
    ) -> Change | None:
        score = self._failures
        self._streak += 1
        if self.is_quiet:
            self.disturb()
        if self.state is State.HALF_OPEN:
            is_probe = self._out.pop(number, None) is not None
            if self._release is None:
                if not is_probe:
                    return None
                score.bad(number, sent, now)
                self._probe_failed, self._may_presume = True, False
                self._drop_lost_probes(now)
                return None if self._out else self._open(code, words, random)
            score.bad(number, sent, now)
            if self._presumed_until < math.inf:
                wrong = score.failed >= _DISPROVED and score.is_told(self.sent, now)
                return self._open(code, words, random) if wrong else None
            if not score.reached(self.sent, now):
                return None
            return self._open(Reason.FAILURES, f"{score.failed} failures in the recovery", random)
        if not score.value:
            self._usual.pause()
        score.bad(number, sent, now)
        limit = self._policy.consecutive_failures
        if limit is not None and self._streak >= limit:
            return self._open(Reason.CONSECUTIVE, f"{self._streak} failures in a row", random)
        if score.reached(self.sent, now):
            return self._open(Reason.FAILURES, f"{score.failed} failures", random)
        return None

    def end(self, number: int, now: float) -> Change | None:
        """Take in an attempt that ended without saying anything of the server's health."""
        if number < self._first or self.is_quiet:
            return None
        now = self._forward(now)
        self._failures.ended(number)
        if self._slow is not None:
            self._slow.ended(number)
        if self.state is State.HALF_OPEN and self._out.pop(number, None) is not None:
            self._drop_lost_probes(now)
            if self._probe_failed and not self._out:
                return self._open(Reason.PROBE_FAILED, "a probe failed", 0.0)
        return None

    def may_abandon(self, sent: float, now: float) -> bool:
        """Return whether an attempt that its caller gave up counts as a failure.

        It does only if nothing at all has been answered since it was sent, and a crowd that gives
        up together counts as one: a process that ends cancels long polls on healthy servers.
        """
        self.fold()
        if self.answered_at >= sent or now - self._abandoned_at < _ABANDONED_APART:
            return False
        self._abandoned_at = now
        return True

    def void(self, number: int) -> None:
        """Take the last permit back, whose attempt never left: it is as if nobody had asked."""
        if number < self._first or number != self.sent:
            return
        self.sent -= 1
        if self._out.pop(number, None) is not None:
            self._last_probe_at = self._probe_before
        elif self._release is not None:
            self._release.give_back()

    # -- by hand

    def isolate(self) -> Change | None:
        """Refuse every call until `reset`; return the change, None if it was isolated before."""
        if self.isolated:
            return None
        change = self._turn(State.OPEN, Reason.BY_HAND, "isolated by hand")
        self.open_until = _FOR_GOOD
        return change

    def reset(self) -> Change | None:
        """Close, with everything forgotten; return the change, None if it was closed before."""
        before = self.state
        change = self._close(Reason.BY_HAND, "reset by hand")
        self._floor = -math.inf
        return None if before is State.CLOSED else change

    # -- another event loop

    def move_to_loop(self, shift: float) -> None:
        """Go on in another event loop: permits that are out are void, and times are moved.

        Args:
            shift: What is to be added to times; 0 if the scale is the same.
        """
        self._first = self.sent + 1
        for name in (
            "_now",
            "_half_at",
            "_last_probe_at",
            "_floor",
            "_abandoned_at",
            "answered_at",
            "look_at",
            "open_until",
            "series_began",
        ):
            setattr(self, name, getattr(self, name) + shift)
        self._usual.rebase(shift)
        self._forget_scores()
        self.disturb()
        self._look_for_quiet()
        if self.state is State.HALF_OPEN:
            # Those who would have told are gone.
            self.state = State.OPEN
            self.open_until = self._now
            self._release, self._presumed_until = None, math.inf

    @property
    def last_seen(self) -> float:
        """The last time that it was told, in seconds; minus infinity before the first."""
        self.fold()
        return max(self._now, self.answered_at)

    # -- looking at it

    @property
    def isolated(self) -> bool:
        """True if it is open until somebody closes it."""
        return self.state is State.OPEN and self.open_until == _FOR_GOOD

    @property
    def is_needed(self) -> bool:
        """True if forgetting it would let callers pass that it holds or refuses."""
        return self.state is not State.CLOSED

    def is_scoring(self, now: float) -> bool:
        """Return whether failures of late would be forgotten with it."""
        slow = self._slow
        return self._failures.is_running(now) or (slow is not None and slow.is_running(now))

    def counts(self) -> Counts:
        """Return the counts."""
        score, slow = self._failures, self._slow
        return Counts(
            score=score.value,
            slow_score=0.0 if slow is None else slow.value,
            failures=score.failed if score.value else 0,
            calls=score.done if score.value else 0,
            consecutive_failures=self._streak,
        )

    # -- transitions

    def _forward(self, now: float) -> float:
        """Return the time; a clock that goes back stands still here."""
        if now > self._now:
            self._now = now
        return self._now

    def _turn(
        self, after: State, code: Reason, reason: str, seconds: float | None = None
    ) -> Change:
        held = 0
        if after is State.CLOSED:
            held, self._held = self._held, 0
        change = Change(self.state, after, code, reason, seconds, held)
        self.state = after
        # No result from before counts after.
        self._first = self.sent + 1
        self._out = {}
        self._release = None
        self._presumed_until = math.inf
        self.disturb()
        return change

    def _open(self, code: Reason, reason: str, random: float) -> Change:
        policy, now = self._policy, self._now
        if self._trips == 0:
            self.series_began = now
            self._asked = 0
        # The exponent is bounded so that the power cannot overflow.
        seconds = policy.open_for * policy.open_factor ** min(self._trips, 60)
        seconds = min(seconds, policy.max_open_for) * (1 + random / 10)
        seconds = max(seconds, self._floor - now)
        self._trips += 1
        self._gap = seconds
        self.open_until = now + seconds
        return self._turn(State.OPEN, code, reason, seconds)

    def _half_open(self, now: float) -> Change:
        change = self._turn(State.HALF_OPEN, Reason.TIME_UP, "the time is up")
        self._half_at = now
        self._probe_failed, self._may_presume = False, True
        self.good = 0
        return change

    def _begin_release(self, now: float, code: Reason, words: str) -> Change:
        rate = self._usual.rate
        if rate is None:
            rate = self._asked / max(now - self.series_began, 1.0)
        gentle_for = self._policy.recovery if self._timeouts > 0.5 else 0.0
        self._release = Release(rate, now, gentle_for)
        score = self._score()
        # Probes that ended before, or were lost, are not silent.
        ended = self.sent - self._first + 1 - len(self._out)
        score.watch_from(self._first, self._half_at, ended)
        self._failures = score
        return Change(State.HALF_OPEN, State.HALF_OPEN, code, words)

    def _probe_went_well(self, number: int, now: float) -> Change | None:
        change = None
        if self._release is None:
            change = self._begin_release(now, Reason.PROBES_SUCCEEDED, "a probe went well")
        # From now on all attempts are alike.
        self._out = {}
        self._presumed_until = math.inf
        self._failures.good(number)
        self.good += 1
        return change

    def close_if_proven(self, waiting: int) -> Change | None:
        """Close it after enough successes, if nobody waits, so that no crowd comes at once."""
        if self._release is None or waiting or self.good < _PROVEN:
            return None
        return self._close(Reason.PROBES_SUCCEEDED, f"{self.good} successes in the recovery")

    def _close(self, code: Reason, reason: str) -> Change:
        change = self._turn(State.CLOSED, code, reason)
        self._forget_scores()
        self._streak = self.good = 0
        self._timeouts = 0.0
        self._trips = 0
        self.open_until = 0.0
        self._usual.pause()
        self._look_for_quiet()
        return change

    def _look_for_quiet(self) -> None:
        self.is_quiet = (
            self._slow is None and self._failures.value == 0.0 and self.state is State.CLOSED
        )
