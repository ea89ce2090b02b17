"""A budget for retries: a quota on those that fail, so that they cannot multiply an outage.

With three attempts each, callers of a dead server triple its load just when it can bear
the least; that alone can keep it down after what broke it is mended. A limit for each call
cannot prevent that; one over all calls to a destination does.

Only retries that fail are charged, as in the standard mode of the AWS SDKs, for a share of all
calls cannot tell random failures from an outage: at 20 % random 503s it refuses half of the
retries, and each of them would have helped. The rules, for each key:

- A retry takes a token before its wait. If none is left, the outcome is final.
- An attempt that succeeds earns `ratio` of a token; if it was a retry, its own comes back too.
  So independent failures of up to 28 % are all tried again (at three attempts f^2 + f^3 of the
  calls are charged, which is then a tenth), while a dead server gets `capacity` retries.
- A token comes back when its retry was never sent (a guard refused it, the call was cancelled
  while it waited), or was answered 429: that says when to come again, and is paced by others.
- Below three tokens the budget grows by `min_per_second`: a destination with few calls, and one
  that has been down for long, is still tried again now and then.
- A resend after a stale pooled connection costs nothing, nor does an attempt whose time a guard
  knows: it waits there for a gate or for the verdict of a probe, and adds no load.

A key whose budget is full is not kept, so that a destination that is well costs one check.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import nlargest
from typing import Final

from attrs import field, frozen

from resilient.core.keys import Key, KeyFunction, is_key, key_function
from resilient.support.validation import at_least, fraction

__all__ = ["BudgetPolicy", "RetryBudget"]

# Tokens up to which a budget grows by time.
_FLOOR: Final = 3.0

# Ten tenths are a little less than one.
_ONE: Final = 1.0 - 1e-9

_MOST_KEYS: Final = 1024


@frozen(kw_only=True)
class BudgetPolicy:
    """Limits the retries that fail, for each destination.

    Attributes:
        ratio: Tokens that an attempt which succeeds earns, above 0 and at most 1; by default
            0.1, so that a tenth of the successes may go into retries that fail.
        capacity: Tokens at the beginning, and at most: so many retries a dead server gets before
            they are limited. By default 30.
        min_per_second: Tokens by which the budget grows in a second while less than three are
            left; by default 1.
        key: What has a budget of its own: declared as in `resilient.core.keys`, or a function of
            the request, of which None or an exception lets retries pass uncounted. By default
            "origin".
    """

    ratio: float = field(default=0.1, validator=fraction())
    capacity: int = field(default=30, validator=at_least(1, "tokens"))
    min_per_second: float = field(default=1.0, validator=at_least(0.0, "a second"))
    key: Key = field(default="origin", validator=is_key())


class _Account:
    """The tokens of one key."""

    __slots__ = ("seen", "tokens")

    def __init__(self, tokens: float, seen: float) -> None:
        self.tokens = tokens
        # The latest time at which it was looked at.
        self.seen = seen


class RetryBudget:
    """Keeps the tokens of each key; one for each `Retry`, or one that several were given.

    Args:
        policy: How many tokens there are, and what earns them.

    Attributes:
        key: The key of a request, as a function.
        accounts: The keys whose budget is not full. It stays the same object, so that whoever
            has it sees at once whether anything is missing anywhere.
    """

    __slots__ = ("accounts", "key", "policy")

    def __init__(self, policy: BudgetPolicy) -> None:
        self.policy = policy
        self.key: KeyFunction = key_function(policy.key)
        self.accounts: dict[Hashable, _Account] = {}

    def take(self, key: Hashable, now: float) -> bool:
        """Take the token of a retry; return False if none is left."""
        account = self.accounts.get(key)
        if account is None:
            if len(self.accounts) >= _MOST_KEYS:
                self._forget_some(now)
            account = self.accounts[key] = _Account(float(self.policy.capacity), now)
        self._grow(account, now)
        if account.tokens < _ONE:
            return False
        account.tokens = max(0.0, account.tokens - 1)
        return True

    def give_back(self, key: Hashable, now: float) -> None:
        """Give the token of a retry back that is not to be charged."""
        self._add(key, 1.0, now)

    def earn(self, key: Hashable, now: float) -> None:
        """Note an attempt that succeeded."""
        self._add(key, self.policy.ratio, now)

    def left(self, key: Hashable, now: float) -> float:
        """Return the tokens that are left to a key."""
        account = self.accounts.get(key)
        if account is None:
            return float(self.policy.capacity)
        self._grow(account, now)
        return account.tokens

    def rebase(self, now: float) -> None:
        """Keep the tokens on another scale of time: no time has passed."""
        for account in self.accounts.values():
            account.seen = now

    def _add(self, key: Hashable, tokens: float, now: float) -> None:
        account = self.accounts.get(key)
        if account is None:
            return
        self._grow(account, now)
        account.tokens += tokens
        if account.tokens >= self.policy.capacity:
            del self.accounts[key]

    def _grow(self, account: _Account, now: float) -> None:
        passed = now - account.seen
        # A clock that goes back stands still.
        if passed > 0:
            account.seen = now
            floor = min(_FLOOR, self.policy.capacity)
            if account.tokens < floor:
                grown = account.tokens + passed * self.policy.min_per_second
                account.tokens = min(floor, grown)

    def _forget_some(self, now: float) -> None:
        """Forget the fullest eighth: that gives the fewest retries away, and is not due often."""
        by_tokens = nlargest(_MOST_KEYS // 8, self.accounts, key=lambda key: self.left(key, now))
        for key in by_tokens:
            del self.accounts[key]
