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
- A retry that has not failed in four times what failures take is presumed to go well, and its
  token comes back already; if it fails after all, that is charged then. (At a server that takes
  10 s for an answer and fails 20 % of the requests at once, all tokens would otherwise be out
  before the first answer comes: 95 % of the calls succeed in the first minute, with this rule
  98.6 %.)
- A resend after a stale pooled connection costs nothing, nor does an attempt whose time a guard
  knows: it waits there for a gate or for the verdict of a probe, and adds no load.

A key whose budget is full is not kept, so that a destination that is well costs one check.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import nlargest
from typing import Any, Final

from attrs import field, frozen

from resilient.core.keys import Key, KeyFunction, is_key, key_function, key_text
from resilient.support.validation import at_least, fraction

__all__ = ["BudgetPolicy", "RetryBudget", "Token"]

# Tokens up to which a budget grows by time.
_FLOOR: Final = 3.0

# Ten tenths are a little less than one.
_ONE: Final = 1.0 - 1e-9

_MOST_KEYS: Final = 1024

# A retry is presumed to go well after so many times what failures take, and so many seconds.
_PATIENT, _SHORTEST = 4.0, 0.5

# The weight of the last failure in the mean of what failures take.
_WEIGHT: Final = 0.2


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


class Token:
    """The token of one retry, while that is under way.

    Attributes:
        key: The key of its budget.
        due: When the retry is presumed to go well if it has not failed.
        is_out: False once the token has come back.
    """

    __slots__ = ("due", "is_out", "key")

    def __init__(self, key: Hashable, due: float) -> None:
        self.key = key
        self.due = due
        self.is_out = True


class _Account:
    """The tokens of one key."""

    __slots__ = ("out", "seen", "tokens", "took")

    def __init__(self, tokens: float, seen: float) -> None:
        self.tokens = tokens
        # The latest time at which it was looked at.
        self.seen = seen
        # The tokens that may still be out, and the mean seconds that failures took.
        self.out: deque[Token] = deque()
        self.took = 0.0


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

    def describe(self) -> str:
        """Return its settings in words."""
        policy = self.policy
        return (
            f"a budget for each {key_text(policy.key)} of {policy.capacity} retries that fail, "
            f"then one for every {1 / policy.ratio:.3g} successes"
        )

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return the budgets that are not full, as plain data; see `Pipeline.snapshot`."""
        capacity = self.policy.capacity
        left = {key: self.left(key, now) for key in self.accounts}
        return {
            str(key): {"left": tokens, "capacity": capacity}
            for key, tokens in left.items()
            if tokens < capacity
        }

    def take(
        self, key: Hashable, now: float, *, took: float = 0.0, wait: float = 0.0
    ) -> Token | None:
        """Take the token of a retry; return None if none is left.

        Args:
            key: The key.
            now: The time, in seconds.
            took: The seconds that the attempt took which is to be tried again.
            wait: Seconds until the retry is sent.
        """
        account = self._account(key, now)
        account.took += (_WEIGHT if account.out else 1.0) * (took - account.took)
        self._look(account, now)
        if account.tokens < _ONE:
            return None
        account.tokens -= 1
        # From the latest time that was seen: a clock that goes back stands still.
        token = Token(key, account.seen + wait + max(_SHORTEST, _PATIENT * account.took))
        account.out.append(token)
        return token

    def give_back(self, token: Token, now: float) -> None:
        """Take the token of a retry back that is not to be charged."""
        if token.is_out:
            token.is_out = False
            self._add(token.key, 1.0, now)

    def charge(self, token: Token, now: float) -> None:
        """Note a retry that failed: its token is spent, also if it has come back meanwhile."""
        if not token.is_out:
            account = self._account(token.key, now)
            self._look(account, now)
            # What was presumed wrongly is paid for later, up to as much again.
            account.tokens = max(-float(self.policy.capacity), account.tokens - 1)
        token.is_out = False

    def earn(self, key: Hashable, now: float) -> None:
        """Note an attempt that succeeded."""
        self._add(key, self.policy.ratio, now)

    def left(self, key: Hashable, now: float) -> float:
        """Return the tokens that are left to a key."""
        account = self.accounts.get(key)
        if account is None:
            return float(self.policy.capacity)
        self._look(account, now)
        return max(0.0, account.tokens)

    def rebase(self, now: float) -> None:
        """Keep the tokens on another scale of time: no time has passed."""
        for account in self.accounts.values():
            # Those who would tell how their retries ended are gone.
            account.out.clear()
            account.seen = now

    def _account(self, key: Hashable, now: float) -> _Account:
        account = self.accounts.get(key)
        if account is None:
            if len(self.accounts) >= _MOST_KEYS:
                self._forget_some(now)
            account = self.accounts[key] = _Account(float(self.policy.capacity), now)
        return account

    def _add(self, key: Hashable, tokens: float, now: float) -> None:
        account = self.accounts.get(key)
        if account is None:
            return
        self._look(account, now)
        account.tokens = min(float(self.policy.capacity), account.tokens + tokens)
        if account.tokens == self.policy.capacity:
            # A retry that is out and fails is charged to a new account, which is full too.
            del self.accounts[key]

    def _look(self, account: _Account, now: float) -> None:
        """Take in what time has brought."""
        out = account.out
        while out and (not out[0].is_out or out[0].due <= now):
            token = out.popleft()
            if token.is_out:
                token.is_out = False
                account.tokens = min(float(self.policy.capacity), account.tokens + 1)
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
