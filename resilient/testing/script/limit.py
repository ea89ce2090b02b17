"""Limit the rate of requests, as servers do: for each route, credential or account.

There are two ways in which servers count, and both are kept for each key apart:

- `_Bucket`: tokens that come back one by one. A request takes one, if one is there.
- `_Window`: all tokens come back at once, at the end of a window. Windows begin when the server
  does, and follow one another.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from attrs import Attribute, define, evolve, field

from resilient.errors import ConfigError
from resilient.support.validation import (
    as_tuple,
    at_least,
    check,
    instance,
    is_plain_function,
    optional,
)
from resilient.testing.script.faults import Reply, Step
from resilient.testing.script.reply import ShortRepr
from resilient.testing.script.script import OK, Answer, Chooser, Delayed, an_answer, choose
from resilient.testing.server.received import Received
from resilient.throttle.limit import LIMIT, Limit as Declared

__all__ = ["Hint", "Limit", "Per"]

Hint = Literal["Retry-After", "retry-after-ms", "RateLimit", "X-RateLimit"]
Per = Literal["route", "credential", "account"]

# These are told with each answer, the others only with a refusal.
_TOLD_ALWAYS = ("RateLimit", "X-RateLimit")

# A client that comes back just when it was told to may be so much too early: seconds, as
# some event loops count in milliseconds, and at most so much of a token.
_EARLY_SECONDS = 1e-3
_EARLY_TOKEN = 1e-2

_Headers = tuple[tuple[str, str], ...]


class _State(NamedTuple):
    """The state of a limit after a request.

    Attributes:
        passed: Whether the request is within the limit.
        remaining: The number of requests that would pass now.
        seconds: The time until there is one more, or in a window all of them.
    """

    passed: bool
    remaining: int
    seconds: float


@define(eq=False)
class _Meter(ABC):
    """Count the requests that share a limit.

    Attributes:
        quota: The number of requests that pass at once.
        period: Seconds until all of them have come back.
    """

    quota: int
    period: float

    @property
    def early(self) -> float:
        """The seconds that a request may come too early."""
        return min(_EARLY_SECONDS, _EARLY_TOKEN * self.period / self.quota)

    @abstractmethod
    def count(self, received: Received) -> _State:
        """Count a request, if it is within the limit."""


@define(eq=False)
class _Bucket(_Meter):
    # The moment at which the bucket is full again. A bucket needs no other state (ITU-T I.371
    # has the same under the name of a virtual scheduling algorithm).
    _full_at: float = field(default=-math.inf, init=False)

    def count(self, received: Received) -> _State:
        now = received.time
        interval = self.period / self.quota
        full_at = max(self._full_at, now)
        wait = full_at - now - (self.quota - 1) * interval
        passed = wait <= self.early
        if passed:
            self._full_at = full_at + interval
            wait += interval
        # With no wait there is one token, and more with a negative one.
        tokens = 1 - wait / interval
        remaining = max(0, math.floor(round(tokens, 6)))
        return _State(passed, remaining, (remaining + 1 - tokens) * interval)


@define(eq=False)
class _Window(_Meter):
    _number: int = field(default=-1, init=False)
    _taken: int = field(default=0, init=False)

    def count(self, received: Received) -> _State:
        now = received.since_start
        number = math.floor((now + self.early) / self.period)
        if number != self._number:
            self._number, self._taken = number, 0
        passed = self._taken < self.quota
        self._taken += passed
        return _State(passed, self.quota - self._taken, (number + 1) * self.period - now)


@define(eq=False, repr=False)
class Limit(Chooser, ShortRepr):
    """Let requests through up to a rate, and refuse the rest.

        Limit("10/s")                                # for all requests together
        Limit("300/min", burst=20)                   # 20 at once, then one each 0.2 s
        Limit("300/min", window=True)                # 300 at once, then none until the next minute
        Limit("10/s", per="route")                   # for each path apart
        Limit("100/h", per="credential", hints=())   # for each Authorization; it says no time
        Limit("10/s", per="account", accounts={"Bearer a": "acme", "Bearer b": "acme"})
        Limit("10/s", then=Limit("2/s", per="route"))

    It begins with all that it lets through at once. A refused request costs nothing.

    Attributes:
        rate: The number of requests in a time, such as "10/s", "300/min", "1000/h", "200/45s".
        per: Those who share it. "account", the default: all requests of an account.
            "credential": all requests with the same credential. "route": all requests for the same
            path, whoever sends them.
        accounts: The account of each credential, with `per="account"`: a mapping, where one
            that is missing is an account of its own, or a plain function of the credential. None,
            the default, if all requests are of one account. The repr does not show it.
        credential: The header that holds the credential, the value of which is taken as it was
            sent, "Bearer a" for example; by default "Authorization". Requests without it are
            of one client.
        burst: The number of requests that pass at once, before it comes down to the pace at which
            tokens come back; by default all of `rate`. None with `window`.
        window: Whether all of `rate` passes in each window of time, the first of which begins with
            the server; by default not.
        then: The answer to requests that pass; by default a 200 with `{}`.
        refusal: The answer to those that do not, a Reply to which the hints are added; by
            default a 429.
        hints: The headers that say how long it takes until more passes, any number of them.
            With a refusal: "Retry-After", the default, in seconds, rounded up (RFC 9110, 10.2.3);
            "retry-after-ms", in milliseconds. With each Reply, also one of `then`: "RateLimit",
            with RateLimit-Policy, as in draft-ietf-httpapi-ratelimit-headers; "X-RateLimit", which
            is X-RateLimit-Limit, X-RateLimit-Remaining, and X-RateLimit-Reset in seconds.

    Raises:
        ConfigError: An argument makes no sense.
    """

    rate: str = field(validator=check(LIMIT, lambda given: Declared.parse(given) is not None))
    per: Per = field(
        default="account",
        kw_only=True,
        validator=check(f"one of {get_args(Per)}", lambda given: given in get_args(Per)),
    )
    accounts: Mapping[str, Hashable] | Callable[[str], Hashable] | None = field(
        default=None,
        kw_only=True,
        repr=False,
        validator=check(
            "a mapping or a plain (not async) function of a credential, or None",
            lambda given: given is None or isinstance(given, Mapping) or is_plain_function(given),
        ),
    )
    credential: str = field(
        default="Authorization",
        kw_only=True,
        validator=check(
            "the name of a header", lambda given: isinstance(given, str) and given != ""
        ),
    )
    burst: int | None = field(default=None, kw_only=True, validator=optional(at_least(1)))
    window: bool = field(default=False, kw_only=True, validator=instance(bool, "True or False"))
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)
    refusal: Reply = field(default=Reply(429), kw_only=True, validator=instance(Reply, "a Reply"))
    hints: tuple[Hint, ...] = field(
        default=("Retry-After",),
        kw_only=True,
        converter=as_tuple,
        validator=check(
            f"some of {get_args(Hint)}",
            lambda given: (
                isinstance(given, tuple) and all(each in get_args(Hint) for each in given)
            ),
        ),
    )
    _meters: dict[Hashable, _Meter] = field(factory=dict, init=False)

    @accounts.validator
    def _of_accounts(self, attribute: Attribute[Any], accounts: Any) -> None:
        if accounts is not None and self.per != "account":
            # It names the other field, since accounts are made of secrets.
            raise ConfigError.of("Limit.per", self.per, "'account' where accounts are given")

    @window.validator
    def _without_burst(self, attribute: Attribute[Any], window: bool) -> None:
        if window and self.burst is not None:
            allowed = "None with window=True, where all of the rate passes at once"
            raise ConfigError.of("Limit.burst", self.burst, allowed)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        key = self._key(received)
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = self._meter()
        state = meter.count(received)
        headers = self._headers(meter, state)
        if not state.passed:
            return evolve(self.refusal, headers=self.refusal.headers + headers)
        return _add_headers(self.then, headers, received) if headers else self.then

    def _key(self, received: Received) -> Hashable:
        if self.per == "route":
            return received.path
        credential = received.headers.get(self.credential)
        if self.per == "credential":
            return credential
        if self.accounts is None or credential is None:
            return None
        if isinstance(self.accounts, Mapping):
            return self.accounts.get(credential, credential)
        return self.accounts(credential)

    def _meter(self) -> _Meter:
        declared = Declared.parse(self.rate)
        assert declared is not None, "it was validated"
        requests, seconds = declared.calls, declared.seconds
        if self.window:
            return _Window(requests, seconds)
        burst = self.burst or requests
        return _Bucket(burst, burst * seconds / requests)

    def _headers(self, meter: _Meter, state: _State) -> _Headers:
        hints = [each for each in self.hints if each in _TOLD_ALWAYS or not state.passed]
        if not hints:
            return ()
        milliseconds = math.ceil(round(state.seconds * 1000, 3))
        seconds = math.ceil(round(state.seconds, 6))
        period = math.ceil(round(meter.period, 6))
        headers: dict[str, _Headers] = {
            "Retry-After": (("Retry-After", f"{seconds}"),),
            "retry-after-ms": (("retry-after-ms", f"{milliseconds}"),),
            "RateLimit": (
                ("RateLimit-Policy", f'"default";q={meter.quota};w={period}'),
                ("RateLimit", f'"default";r={state.remaining};t={seconds}'),
            ),
            "X-RateLimit": (
                ("X-RateLimit-Limit", f"{meter.quota}"),
                ("X-RateLimit-Remaining", f"{state.remaining}"),
                ("X-RateLimit-Reset", f"{seconds}"),
            ),
        }
        return tuple(header for hint in hints for header in headers[hint])


def _add_headers(answer: Answer, headers: _Headers, received: Received) -> Answer:
    """Return an answer with headers added, if it is a Reply, or when it becomes one."""
    seconds, chosen = choose(answer, received)

    async def ask(received: Received) -> Answer:
        returned = chosen(received)
        if inspect.isawaitable(returned):
            returned = await returned
        return _add_headers(returned, headers, received)

    told: Answer = ask
    if isinstance(chosen, Reply):
        told = evolve(chosen, headers=chosen.headers + headers)
    elif isinstance(chosen, Step):
        told = chosen
    return Delayed(seconds, told) if seconds else told
