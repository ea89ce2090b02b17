"""Score failures, to find out soon that a server is down, and never because of bad luck.

This is Page's CUSUM (1954) for results that are good or bad: the quickest detector there is for
a given rate of false alarms (Lorden 1971, Moustakides 1986). In practice it is a count that
leaks: a failure adds 1, a success takes `rate / (1 - rate)` off, at a rate of 0.9 that is 9. A
total outage reaches a score of 20 with the 20th failure; where fewer than nine of ten fail, the
score falls in the long run.

Two rules make it right for servers whose answers take long, while failures come at once:

- An attempt has a number, in the order in which attempts were sent, and what was sent before
  the first failure of a run says nothing of the trouble. (An outage at a latency of 30 s is
  found as soon as one at 20 ms, although good answers still come in.)
- While many attempts are silent, the first failures prove nothing: at 5 % random failures and a
  latency of 10 s the first 25 failures come before the first success of the same age. Silent
  ones that are younger than a failure takes do not count: a server that hangs leaves every
  attempt silent, and all of them are young.
"""

from __future__ import annotations

import math

__all__ = ["Score"]

# The score stops growing at twice the threshold, so that a few late successes dissolve a run.
_CEILING = 2


class Score:
    """Scores one kind of failure.

    Args:
        threshold: The score at which it is `reached`.
        rate: The share of failures at which the score neither grows nor falls.
        window: Seconds after a failure in which the next one counts with it.

    Attributes:
        value: The score.
        first: The number of the attempt whose failure began the run.
        began: When that was sent.
        failed: Failures in the run.
        done: Attempts of the run that have ended.
    """

    __slots__ = (
        "_good",
        "_is_pinned",
        "_last",
        "_spent",
        "_threshold",
        "_window",
        "began",
        "done",
        "failed",
        "first",
        "value",
    )

    def __init__(self, threshold: int, rate: float, window: float) -> None:
        self._threshold = threshold
        self._good = math.inf if rate >= 1 else rate / (1 - rate)
        self._window = window
        self.value = 0.0
        self._last = -math.inf
        self._is_pinned = False
        self._begin(0, 0.0)

    def _begin(self, number: int, sent: float) -> None:
        self.first, self.began = number, sent
        self.failed = self.done = 0
        self._spent = 0.0

    def watch_from(self, number: int, began: float, ended: int) -> None:
        """Let one run begin here and never end: all attempts from this one on belong to it.

        Args:
            number: The attempt's.
            began: When it was sent.
            ended: How many of them have ended already.
        """
        self._begin(number, began)
        self.done = ended
        self._is_pinned = True

    @property
    def mean_failure(self) -> float:
        """The mean seconds that a failure of the run took; 0 if there was none."""
        return self._spent / self.failed if self.failed else 0.0

    def good(self, number: int) -> None:
        """Take in a success."""
        if number < self.first or not (self.value or self._is_pinned):
            return
        self.done += 1
        self.value = max(0.0, self.value - self._good)

    def bad(self, number: int, sent: float, now: float) -> None:
        """Take in a failure.

        Args:
            number: The attempt's.
            sent: When it was sent.
            now: When it failed.
        """
        if now - self._last > self._window:
            self.value = 0.0
        if self.value == 0.0 and not self._is_pinned:
            self._begin(number, sent)
        self._last = now
        self.value = min(_CEILING * self._threshold, self.value + 1)
        self.failed += 1
        self._spent += now - sent
        if number >= self.first:
            self.done += 1

    def ended(self, number: int) -> None:
        """Take in an attempt that ended without saying anything, or never left."""
        if number >= self.first and (self.value or self._is_pinned):
            self.done += 1

    def is_running(self, now: float) -> bool:
        """Return whether there is a run that another failure would go on with."""
        return self.value > 0 and now - self._last <= self._window

    def reached(self, sent: int, now: float) -> bool:
        """Return whether the score is at its threshold, and few enough attempts are silent."""
        return self.value >= self._threshold and self.is_told(sent, now)

    def is_told(self, sent: int, now: float) -> bool:
        """Return whether few attempts of the run are silent that could have failed by now.

        Args:
            sent: The number of the last attempt that was sent.
            now: The time, in seconds.
        """
        all_sent = sent - self.first + 1
        age = now - self.began
        young = all_sent * min(1.0, self.mean_failure / age) if age > 0 else all_sent
        return all_sent - self.done <= self.failed / 4 + young

    def rebase(self, shift: float) -> None:
        """Move stored times to another scale."""
        self.began += shift
        self._last += shift
