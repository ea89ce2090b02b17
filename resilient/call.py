"""The context of one call: what the user asked for, over all its hops and attempts.

It travels in one context variable, the only thing that aiohttp passes on from whoever
calls `session.get` to the middlewares. Under `wrap` a call spans its redirects; a plain
middleware meets each hop on its own and makes that a call. A request that is made while
a hop is under way (a middleware that fetches a token, say) is a call of its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from attrs import asdict, evolve, field, frozen
from yarl import URL

from resilient.redact import public_url
from resilient.validation import Validator, at_least, instance, optional, positive

if TYPE_CHECKING:
    from resilient.pool import Prospect
    from resilient.timers import Limit

__all__ = ["Attempt", "Call", "attempts_of", "current", "override"]


@frozen
class Attempt:
    """One run of the inner handler, as a rule one request on the wire.

    Attributes:
        number: Counted from 1 in each hop.
        method: The method of the request.
        url: Without userinfo, query and fragment.
        started: Seconds after the first attempt of the call began.
        duration: Seconds until the response was there, or the failure.
        status: The status of the response; None where there was none.
        error: What went wrong in the place of a response, in a few words.
        waited: Seconds waited after it, or None if nothing followed.
        reason: Why the next attempt was made.
    """

    number: int
    method: str
    url: str
    started: float
    duration: float
    status: int | None = None
    error: str | None = None
    waited: float | None = None
    reason: str | None = None

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        line = (
            f"attempt {self.number}: {self.method} {self.url} -> {outcome} in {self.duration:.3f} s"
        )
        if self.waited is None:
            return line
        return f"{line}, then waited {self.waited:.3f} s ({self.reason})"


def _no_limit_or(validator: Validator) -> Validator:
    """What `validator` allows, or infinity for no limit at all."""
    return lambda instance, attribute, value: (
        None if value == math.inf else validator(instance, attribute, value)
    )


@frozen
class Override:
    """Settings that hold in one block of code; None leaves a setting as the policy has it."""

    max_attempts: int | None = field(default=None, validator=optional(at_least(1)))
    raise_errors: bool | None = field(
        default=None, validator=optional(instance(bool, "True or False"))
    )
    total_timeout: float | None = field(default=None, validator=optional(_no_limit_or(positive())))
    attempt_timeout: float | None = field(
        default=None, validator=optional(_no_limit_or(positive()))
    )
    idempotent: bool | None = field(
        default=None, validator=optional(instance(bool, "True or False"))
    )

    def over(self, other: Override) -> Override:
        """These settings, and those of another where these have none."""
        mine = {name: value for name, value in asdict(self).items() if value is not None}
        return evolve(other, **mine)


_NO_OVERRIDE: Final = Override()


class Call:
    """What is known of one call while it runs.

    The defaults stand on the class: a call that goes well sets few of them, and setting
    is what costs.
    """

    override: Override = _NO_OVERRIDE
    # The request of the hop under way; None between hops and when all is done.
    request: ClientRequest | None = None
    # The end of a pipeline's chain, for the hop under way.
    handler: ClientHandlerType | None = None
    # Whether the call spans its redirects, that is, was begun by a wrapped session.
    spans_hops: bool = False
    # When the call has to be over, on the clock's scale, and the timer that sees to it.
    deadline: float | None = None
    limit: Limit | None = None
    # When aiohttp's own total timeout will cut the call off.
    cut_off: float | None = None
    # When the attempt under way has to be over.
    attempt_deadline: float | None = None
    # Where the connection of the attempt under way was to come from, if a retry looked.
    prospect: Prospect | None = None
    # Until when a breaker inside would refuse the next attempt.
    refused_until: float | None = None
    # Whether a retry budget has counted the call.
    counted: bool = False
    # What the last attempt failed with, if that was an exception.
    failure: Exception | None = None
    # Idempotency keys by origin.
    keys: dict[str, str] | None = None

    def __init__(self, override: Override) -> None:
        if override is not _NO_OVERRIDE:
            self.override = override
        # (number, method, url, started, ended, status or what went wrong)
        self.records: list[tuple[int, str, URL, float, float, int | str]] = []
        # record index -> (seconds, reason)
        self.waits: dict[int, tuple[float, str]] | None = None

    def waited(self, seconds: float, reason: str) -> None:
        """Note the wait that follows the last attempt."""
        if self.waits is None:
            self.waits = {}
        self.waits[len(self.records) - 1] = (seconds, reason)

    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts so far, oldest first."""
        attempts = []
        began = self.records[0][3] if self.records else 0.0
        waits = self.waits or {}
        for index, (number, method, url, started, ended, outcome) in enumerate(self.records):
            waited, reason = waits.get(index, (None, None))
            attempts.append(
                Attempt(
                    number=number,
                    method=method,
                    url=str(public_url(url)),
                    started=started - began,
                    duration=ended - started,
                    status=outcome if isinstance(outcome, int) else None,
                    error=outcome if isinstance(outcome, str) else None,
                    waited=waited,
                    reason=reason,
                )
            )
        return tuple(attempts)


current: Final[ContextVar[Call | None]] = ContextVar("resilient_call", default=None)


def begin() -> Call:
    """A new call, under the override of the code that makes it."""
    outer = current.get()
    return Call(_NO_OVERRIDE if outer is None else outer.override)


def call_of(request: ClientRequest) -> Call | None:
    """The call whose hop this request is, or None if no middleware of ours has seen it yet."""
    call = current.get()
    return call if call is not None and call.request is request else None


async def run_hop(
    middleware: ClientMiddlewareType, request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Run a middleware, the outermost of ours, with the call that its request belongs to."""
    call = current.get()
    if call is not None and call.spans_hops and call.request is None:
        call.request = request
        call.prospect = None
        try:
            return await middleware(request, handler)
        finally:
            call.request = None
    call = begin()
    call.request = request
    token = current.set(call)
    try:
        return await middleware(request, handler)
    finally:
        current.reset(token)
        call.request = None


_KEY: Final = "_resilient_call"


def remember(response: ClientResponse, call: Call) -> None:
    """Let `attempts_of` find the call of a response."""
    # aiohttp has no slot for such a thing; the instance's own dictionary costs nothing.
    response.__dict__[_KEY] = call


def attempts_of(response: ClientResponse) -> tuple[Attempt, ...]:
    """What was attempted for a response, oldest first; empty if no `Retry` was in its way."""
    call: Call | None = response.__dict__.get(_KEY)
    return () if call is None else call.attempts()


@contextmanager
def override(
    *,
    max_attempts: int | None = None,
    raise_errors: bool | None = None,
    total_timeout: float | None = None,
    attempt_timeout: float | None = None,
    idempotent: bool | None = None,
) -> Iterator[None]:
    """Other settings for the calls that a block of code makes.

        with resilient.override(max_attempts=1, raise_errors=False):
            async with session.get(url) as response: ...

    What is not given stays as it is, in a nested block too. A task that is started in the
    block takes the settings along, as with every context variable.

    Args:
        max_attempts: Attempts per hop, the first included.
        raise_errors: False hands error responses over unread.
        total_timeout: Seconds for the whole call; `float("inf")` for no limit.
        attempt_timeout: Seconds for one attempt; `float("inf")` for no limit.
        idempotent: True says that carrying these requests out twice is harmless, False that
            it is not, whatever their method.

    Raises:
        ConfigError: A value that makes no sense.
    """
    given = Override(max_attempts, raise_errors, total_timeout, attempt_timeout, idempotent)
    outer = current.get()
    if outer is None:
        scope = Call(given)
    else:
        # A copy: within a hop, its request goes on belonging to the same call.
        scope = copy.copy(outer)
        scope.override = given.over(outer.override)
    token = current.set(scope)
    try:
        yield
    finally:
        current.reset(token)
