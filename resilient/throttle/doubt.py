"""Doubt that refusals have anything to do with the rate of the calls.

Some servers answer 429 for reasons of their own: another tenant, a lock, a limit of one object, too
many connections at once. A gate that takes each of them for a limit of the rate comes down to a
fraction of what the server bears (at 50 calls a second, of which 5 % are refused at random, nine of
ten calls would be lost). A pure machine that a gate asks at each cut; its rules:

- **A limit of the rate leaves a trace**: whoever keeps below it is not refused. So a gate is in
  doubt if it was cut three times after answers that were no refusals, and came down to less than
  0.7 of what the server was seen to bear.
- **Then it is tried out.** The gate stands aside: calls leave at the rate that the server was seen
  to bear, and quickly more of them; a refusal is that of one call, which waits for its own time.
- **The share of refusals decides.** Under a limit of the rate with more calls than it lets through,
  soon many are refused, retries included, and under a window that is used up all of them. Then the
  gate takes its place again, and does not try again for a minute, two, four, up to an hour. Else it
  stands aside until nobody has been refused for a minute.
- **The price.** Where many processes share a limit, each tries for itself, and the server refuses
  half as many again (of ten at twice the limit 34 % of the requests are refused, 22 % without this
  rule); what it lets through stays the same.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Doubt"]

# Cuts that it takes, and the part of the rate that is left then.
_CUTS: Final = 3
_PART: Final = 0.7

# Answers from which the share of refusals is judged, the share, and how many answers are kept.
_JUDGED_FROM: Final = 24
_MOST_REFUSED: Final = 0.45
_KEPT: Final = 64
# Refusals one after the other that decide it too.
_IN_A_ROW: Final = 8

# Seconds to the next try after one that failed, at first and at most; and without a refusal until
# it is over.
_AGAIN_AFTER: Final = 60.0
_LONGEST: Final = 3600.0
_LASTS: Final = 60.0


class Doubt:
    """Keeps what speaks for and against a limit of the rate.

    Attributes:
        borne: Calls a second that the server was seen to bear.
        since: When the gate stepped aside; None while it is in its place.
        lasts_until: When nobody will have been refused for so long that it is over.
    """

    __slots__ = (
        "_again_at",
        "_again_in",
        "_cuts",
        "_in_a_row",
        "_refused",
        "_seen",
        "borne",
        "lasts_until",
        "since",
    )

    def __init__(self) -> None:
        self.borne = 0.0
        self.since: float | None = None
        self.lasts_until = -math.inf
        self._cuts = 0
        self._again_at = -math.inf
        self._again_in = _AGAIN_AFTER
        self._seen = 0
        self._refused = 0
        self._in_a_row = 0

    def bore(self, rate: float) -> None:
        """Take in a rate that the server was seen to bear."""
        self.borne = max(self.borne, rate)

    def cut(self, rate: float, answers: int, now: float) -> bool:
        """Take in a cut, and return whether the gate is to stand aside.

        Args:
            rate: Calls a second that it comes to.
            answers: Answers since the cut before.
            now: The time.
        """
        # A server that lets nothing through says nothing of a rate.
        self._cuts += answers > 0
        return self._cuts >= _CUTS and rate < self.borne * _PART and now >= self._again_at

    def begin(self, now: float) -> None:
        """Begin to try out what happens without the gate."""
        self.since = now
        self.lasts_until = now + _LASTS
        self._seen = self._refused = self._in_a_row = 0

    def hear(self, now: float, *, refused: bool) -> bool:
        """Take in an answer meanwhile; return whether the gate is to take its place again."""
        self._seen += 1
        self._refused += refused
        self._in_a_row = self._in_a_row + 1 if refused else 0
        if refused:
            self.lasts_until = now + _LASTS
            is_most = self._seen >= _JUDGED_FROM and self._refused > self._seen * _MOST_REFUSED
            if is_most or self._in_a_row >= _IN_A_ROW:
                return True
        if self._seen >= _KEPT:
            self._seen, self._refused = self._seen // 2, self._refused // 2
        return False

    def end(self, rate: float, now: float) -> None:
        """End it: refusals are about the rate after all.

        Args:
            rate: Calls a second that the gate comes to.
            now: The time.
        """
        self.since = None
        self.lasts_until = -math.inf
        self.borne = rate
        self._cuts = 0
        self._again_at = now + self._again_in
        self._again_in = min(2 * self._again_in, _LONGEST)

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        self.lasts_until += shift
        self._again_at += shift
        if self.since is not None:
            self.since += shift
