"""A budget for retries: a share of the calls, so that retries cannot multiply an outage.

With three attempts each, callers of a dead server triple its load just when it can bear
the least; that alone can keep it down after what broke it is mended. A limit for each call
cannot prevent that. A limit over all calls does: if few calls fail, all of them are tried
again; if all fail, a tenth are.
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from resilient.support.validation import Seconds, at_least, fraction, positive
from resilient.support.window import SlidingCounts

__all__ = ["BudgetPolicy", "RetryBudget"]

_CALLS: Final = 0
_RETRIES: Final = 1


@frozen(kw_only=True)
class BudgetPolicy:
    """Limits the retries in a sliding window.

    Attributes:
        ratio: Retries per call; by default 0.1.
        min_per_second: Retries per second that are allowed however few calls there are; by
            default 3. The greater of the two counts, over the whole window: at the default,
            thirty retries in any ten seconds always pass.
        window: Seconds over which calls and retries are counted; by default 10.
    """

    ratio: float = field(default=0.1, validator=fraction())
    min_per_second: float = field(default=3.0, validator=at_least(0.0, "a second"))
    window: Seconds = field(default=10.0, validator=positive())


class RetryBudget:
    """Counts calls and retries; one for each `Retry`, or one that several were given.

    Args:
        policy: The share of calls that may be repeated.
    """

    __slots__ = ("_floor", "_window", "policy")

    def __init__(self, policy: BudgetPolicy) -> None:
        self.policy = policy
        self._floor = policy.min_per_second * policy.window
        self._window: SlidingCounts | None = None

    def count_call(self, now: float) -> None:
        """Count a call: it adds its share of a retry to what may be withdrawn."""
        window = self._window
        if window is not None and now < window.edge:
            window.recent[_CALLS] += 1
            return
        if window is None:
            window = self._window = SlidingCounts(self.policy.window, 2, now)
        window.add(_CALLS, now)

    def withdraw(self, now: float) -> bool:
        """Take one retry out of the budget; return False if none is left."""
        if self._window is None:
            self._window = SlidingCounts(self.policy.window, 2, now)
        calls, retries = self._window.totals(now)
        if retries + 1 > max(self.policy.ratio * calls, self._floor):
            return False
        self._window.add(_RETRIES, now)
        return True

    def forget(self) -> None:
        """Forget what was counted, because the scale of time has changed."""
        self._window = None
