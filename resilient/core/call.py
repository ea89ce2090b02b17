"""The context of one call: what the user asked for, over all its hops and attempts.

It hangs on aiohttp's request object, where every middleware of a hop finds it. (A context
variable for each hop would do as well and cost as much as a middleware.) Under `wrap` a call
spans its redirects: it is begun by the session, waits in a context variable, and is taken
up by each hop; a plain middleware meets each hop on its own and makes that a call. A request
that is made while a hop is under way (a middleware that fetches a token, say) is another
object, and so a call of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from resilient.attempts import Attempt
from resilient.errors import ResilientError
from resilient.support.redact import public_url
from resilient.support.validation import at_least, instance, optional, positive, validated

__all__ = ["KEY", "NO_OVERRIDE", "Call", "attempts_of", "current", "override"]


class Override(NamedTuple):
    """Settings that hold in one block of code; None leaves a setting as the policy has it."""

    max_attempts: int | None = None
    raise_errors: bool | None = None
    total_timeout: float | None = None
    attempt_timeout: float | None = None
    idempotent: bool | None = None

    def check(self) -> None:
        """Raise `ConfigError` for a setting that makes no sense."""
        allowed = {
            "max_attempts": at_least(1),
            "raise_errors": instance(bool, "True or False"),
            "total_timeout": positive(),
            "attempt_timeout": positive(),
            "idempotent": instance(bool, "True or False"),
        }
        for name, value in self._asdict().items():
            no_limit = value == math.inf and name.endswith("_timeout")
            if not no_limit:
                validated(self, name, value, optional(allowed[name]))

    def over(self, other: Override) -> Override:
        """These settings, and those of another where these have none."""
        mine = {name: value for name, value in self._asdict().items() if value is not None}
        return other._replace(**mine)


NO_OVERRIDE: Final = Override()


# What is kept of an attempt: (number, method, url, started, ended, status or what went wrong).
Record = tuple[int, str, URL, float, float, int | str]


class Call:
    """What is known of one call while it runs."""

    __slots__ = (
        "attempt_deadline",
        "began",
        "counted",
        "deadline",
        "failure",
        "keys",
        "override",
        "read_until",
        "records",
        "refused_until",
        "session",
        "stopped",
        "timeout",
        "waits",
    )

    def __init__(self) -> None:
        self.override = NO_OVERRIDE
        # The session that began the call and whose redirects it spans, if one did.
        self.session: ClientSession | None = None
        # aiohttp's own timeout, and when that began, on the event loop's scale.
        self.timeout: Any = None
        self.began = 0.0
        # When the call has to be over, on the clock's scale.
        self.deadline: float | None = None
        # When the attempt under way has to be over; and until when its body may be read.
        self.attempt_deadline: float | None = None
        self.read_until: float | None = None
        # Why no more was tried.
        self.stopped: str | None = None
        # Until when a breaker inside would refuse the next attempt.
        self.refused_until: float | None = None
        # The retry budgets that have counted the call: each service on its way has its own.
        self.counted: tuple[object, ...] = ()
        # What the last attempt failed with, if that was an exception.
        self.failure: Exception | None = None
        # What was waited after which record: seconds, and the reason.
        self.waits: dict[int, tuple[float, str]] | None = None
        # Idempotency keys by origin.
        self.keys: dict[str, str] | None = None
        self.records: tuple[Record, ...] = ()

    @property
    def cut_off(self) -> float | None:
        """When aiohttp's own total timeout will end it, on the event loop's scale, if known."""
        timeout = self.timeout
        total = timeout.total if isinstance(timeout, ClientTimeout) else timeout
        return self.began + total if isinstance(total, int | float) and total else None

    def is_overdue(self, now: float) -> bool:
        """Whether a limit of time is what ends the call, or its attempt, now."""
        # Timers may be early by their grain, which is a millisecond in some event loops.
        return any(
            when is not None and now >= when - 0.002
            for when in (self.deadline, self.attempt_deadline)
        )

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
            if waited is None and index == len(self.records) - 1:
                reason = self.stopped
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

# aiohttp has no slot for a context, so it becomes an attribute. (Not by way of `__dict__`:
# asking an instance for that makes all of its attributes slower.)
KEY: Final = "_resilient_call"


def begin() -> Call:
    """A new call, under the override of the code that makes it."""
    call = Call()
    scope = current.get()
    if scope is not None:
        call.override = scope.override
    return call


def call_of(request: ClientRequest) -> Call:
    """The call that a request belongs to, to read; a new one if nothing has taken it up."""
    call: Call | None = getattr(request, KEY, None)
    if call is not None:
        return call
    scope = current.get()
    return Call() if scope is None else _joined(request, scope)


def _joined(request: ClientRequest, scope: Call) -> Call:
    """The call that the request's session has begun, or a new one for this hop alone."""
    return scope if scope.session is request.session else begin()


def take(request: Any) -> tuple[Call, bool]:
    """Take up the call of a request, to write; and whether the taker has to `drop` it again.

    That is the outermost of those who do, so that a request which comes in anew is a new call.
    """
    call: Call | None = getattr(request, KEY, None)
    if call is not None:
        return call, False
    scope = current.get()
    call = request._resilient_call = Call() if scope is None else _joined(request, scope)
    return call, True


def drop(request: Any) -> None:
    """Let go of a call that was taken up."""
    request._resilient_call = None


def remember(response: Any, call: Call) -> None:
    """Let `attempts_of` find the call of a response."""
    response._resilient_call = call


def remembered(response: ClientResponse) -> Call | None:
    """The call of a response, if a retry was in its way."""
    call: Call | None = getattr(response, KEY, None)
    return call


def tell_attempts(error: Exception, call: Call | None) -> None:
    """Let an exception tell what was attempted, and why no more was."""
    if call is None:
        return
    if isinstance(error, ResilientError):
        error._call = call
        if call.stopped is not None:
            error.stop_reason = call.stopped
    if len(call.records) > 1:
        said = getattr(error, "__notes__", ())
        for attempt in call.attempts():
            if str(attempt) not in said:
                error.add_note(str(attempt))


def attempts_of(response: ClientResponse) -> tuple[Attempt, ...]:
    """What was attempted for a response, oldest first; empty if no `Retry` was in its way."""
    call = remembered(response)
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

    What is not given stays as it is, in a nested block too; what the policy has left out
    (a deadline, say) is not there to be changed. A task that is started in the
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
    given.check()
    outer = current.get()
    scope = Call()
    scope.override = given if outer is None else given.over(outer.override)
    token = current.set(scope)
    try:
        yield
    finally:
        current.reset(token)
