"""Put middlewares under a session that somebody else made.

aiohttp has no public way to add a middleware to a session that exists. A copy that shares
the original's connector is one: a session in its own right, with the same connections,
cookies and settings, and middlewares of its own. The original is not touched.
"""

from __future__ import annotations

import copy
import functools
import math
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import (
    BaseConnector,
    ClientMiddlewareType,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    client,
)

from resilient.core.call import begin, end
from resilient.core.override import NO_OVERRIDE, scope
from resilient.core.watch import CallWatch
from resilient.errors import ConfigError
from resilient.pipeline.order import problems
from resilient.pipeline.pipeline import Pipeline, flatten, warn
from resilient.pipeline.search import is_one_of
from resilient.retry.middleware import Retry
from resilient.telemetry.middleware import AttemptTelemetry
from resilient.wire.connections import session_closed
from resilient.wire.tracing import is_instrumented, without_instrumentation

__all__ = ["pipeline_of", "wrap"]

_S = TypeVar("_S", bound=ClientSession)

_PIPELINES = "_resilient_pipelines"


def wrap(
    session: _S,
    *middlewares: ClientMiddlewareType,
    close_original: bool = False,
) -> _S:
    """Return a session like another, with middlewares under it.

        session = resilient.wrap(existing)                     # the standard pipeline
        session = resilient.wrap(existing, Pipeline(policy))
        session = resilient.wrap(existing, Retry(), CircuitBreaker())

    It shares the original's connections, cookies, base_url, headers, timeout and trace
    configs. The middlewares that were there stay, inside these; a call that passes
    `middlewares=` replaces those, and these remain. A call through it is one call for the
    deadline, the retry budget and idempotency keys, redirects included.

    What a call says for itself outranks the policy. The total of its `timeout=` takes the place
    of the deadline, and of the attempt's limit if that is shorter (`ClientTimeout(total=0)` and
    `timeout=None` are no limit; one that sets only other times leaves both as they are).
    `raise_for_status=False`, or a function, hands error responses over unread.

    If the pipeline makes spans of attempts, or that of any service does, OpenTelemetry's own
    instrumentation of aiohttp is taken off the session that is returned; it stays on the original.

    Closing the session that is returned leaves the original open, also at the end of an
    `async with`; close that too, or pass `close_original=True`:

        async with resilient.wrap(ClientSession(), close_original=True) as session: ...

    Args:
        session: The original, which is not changed and is kept alive.
        *middlewares: The middlewares, outermost first; the standard pipeline if there are none.
        close_original: Whether closing the new session closes the original too; by default not.

    Raises:
        ConfigError: Something that is not an open session, or not a middleware.

    Warns:
        PipelineWarning: The middlewares make no sense together with those that were there.
    """
    if not isinstance(session, ClientSession):
        raise ConfigError.of("wrap.session", session, "an aiohttp.ClientSession")
    if session.closed:
        raise ConfigError("wrap.session must be an open session, and this one is closed")
    if len(middlewares) == 1 and isinstance(middlewares[0], Pipeline):
        pipeline = middlewares[0]
    else:
        pipeline = (
            Pipeline._of(middlewares, "wrap.middlewares", stacklevel=4)
            if middlewares
            else Pipeline()
        )
    said = problems(pipeline)  # when it was made
    found = problems(flatten((pipeline, *session._middlewares)))
    warn((problem for problem in found if problem not in said), stacklevel=3)
    wrapped = copy.copy(session)
    # object's own: aiohttp warns about attributes that it does not know in debug mode.
    put = object.__setattr__
    is_followed = is_one_of(CallWatch, (pipeline, *session._middlewares))
    made = _wrapped_class(type(session), is_followed=is_followed)  # type: ignore[arg-type]  # hashable
    put(wrapped, "__class__", made)
    put(wrapped, _PIPELINES, (pipeline, *getattr(session, _PIPELINES, ())))
    put(wrapped, "_resilient_original", session)
    put(wrapped, "_resilient_close_original", close_original)
    put(wrapped, "_connector_owner", False)
    put(wrapped, "_middlewares", (pipeline, *session._middlewares))
    has_spans = is_one_of(AttemptTelemetry, pipeline, lambda part: part.policy.attempt_spans)
    if has_spans and is_instrumented(session):
        put(wrapped, "_trace_configs", without_instrumentation(session.trace_configs))
    if pipeline.find(Retry) is not None:
        # aiohttp would send again on its own what Retry counts.
        put(wrapped, "_retry_connection", False)
    return wrapped


def pipeline_of(session: ClientSession) -> Pipeline:
    """Return the pipeline under a session, made by `wrap` or given to it as a middleware.

    Of a session under `Services` this is the pipeline around them; those of the services are
    found by their names, as its errors say.

    Raises:
        LookupError: There is none.
    """
    for middleware in (*getattr(session, _PIPELINES, ()), *session._middlewares):
        if isinstance(middleware, Pipeline):
            return middleware
    raise LookupError("no pipeline is under this session; resilient.wrap(session) puts one there")


if TYPE_CHECKING:
    _Base = ClientSession
else:
    # The session's class comes behind it, whichever it is; see `_wrapped_class`.
    _Base = object


class _Wrapped(_Base):
    """The differences of a session that was wrapped from its original.

    A mixin in front of the class of the original, whatever that is: it is found by the
    lookup of special methods, which no attribute of an instance is.
    """

    # The outermost first: a session that is wrapped twice has two.
    _resilient_pipelines: tuple[Pipeline, ...]
    _resilient_original: ClientSession
    _resilient_close_original: bool
    # A call is one, redirects included; see `core.call`.
    _resilient_spans_redirects = True

    def __init_subclass__(cls) -> None:
        """Keep aiohttp's advice against subclasses to those who write one."""

    def __del__(self, _warnings: object = None) -> None:
        """It owns no connections that could leak; the original speaks for itself."""

    async def _request(self, method: str, str_or_url: Any, **options: Any) -> ClientResponse:
        given = options.get("middlewares")
        if given is not None:
            options["middlewares"] = (*self._resilient_pipelines, *given)
        timeout = options.get("timeout", _NOT_GIVEN)
        said = options.get("raise_for_status")
        if timeout is _NOT_GIVEN:
            call, token = begin(self, self.timeout, None)
        else:
            is_given = timeout is None or isinstance(timeout, ClientTimeout | int | float)
            call, token = begin(
                self, timeout if is_given else self.timeout, _total(timeout) if is_given else None
            )
        try:
            if said is None:
                if call.override.raise_errors is False:
                    options["raise_for_status"] = False
            elif said is not True:
                call.override = call.override._replace(raise_errors=False)
            return await super()._request(method, str_or_url, **options)
        except BaseException as error:
            call.tell_over(error)
            raise
        finally:
            end(call, token)

    async def close(self) -> None:
        """Close this session, and the original if that was asked for.

        Waits of its calls end with `SessionClosedError`; a request that is under way goes on.
        """
        connector = self.connector
        # Not the original's own close(), which may close what the two share. (The connector stays:
        # while aiohttp makes a connection for a call, it would lose that without.)
        object.__setattr__(self, "__class__", _closed_class(type(self)))  # type: ignore[arg-type]  # hashable
        session_closed(self, connector)
        if self._resilient_close_original:
            await self._resilient_original.close()


class _Closed(_Base):
    """The differences of a session that is closed, in front of its class.

    (While it is open every call would pay for asking.)
    """

    @property
    def closed(self) -> bool:
        """True: it is closed, although its connector may not be."""
        return True

    @property
    def connector(self) -> BaseConnector | None:
        """None: it has let go of the connector."""
        return None


# What a call may say that outranks the policy.
_SAID: Final = frozenset({"middlewares", "raise_for_status", "timeout"})

# A call without a `timeout=` of its own.
_NOT_GIVEN: Final = object()


def _total(timeout: ClientTimeout | float | None) -> float | None:
    """Return the seconds that a call's own timeout allows in all.

    Infinity if it says that there is no limit; None if it is about other times.
    """
    total = timeout.total if isinstance(timeout, ClientTimeout) else timeout
    if total is not None:
        return float(total) if total > 0 else math.inf
    is_about_others = isinstance(timeout, ClientTimeout) and timeout != ClientTimeout()
    return None if is_about_others else math.inf


class _Followed(_Wrapped):
    """A wrapped session of which somebody follows the calls: each of them says when it is over."""


@cache
def _wrapped_class(kind: type[ClientSession], *, is_followed: bool) -> type[ClientSession]:
    """Return a class for wrapped sessions of a kind, by the same name.

    Args:
        kind: The class of the original.
        is_followed: Whether somebody follows the calls. Then its verbs are aiohttp's own, which
            ask `_request`.
    """
    mixin = _Followed if is_followed else _Wrapped
    if issubclass(kind, mixin):
        return kind
    made = _named_as(kind, mixin)
    # A subclass may have an idea of its own of some.
    for name, method in _VERBS.items():
        own, usual = getattr(kind, name, None), getattr(ClientSession, name)
        if is_followed:
            if getattr(own, "_resilient_is_quick", False):
                setattr(made, name, usual)
        elif own is usual and kind._request is ClientSession._request:
            setattr(made, name, _quick_verb(name, method, kind))
    return made


@cache
def _closed_class(kind: type[ClientSession]) -> type[ClientSession]:
    """Return a class for sessions of a kind that are closed, by the same name."""
    return kind if issubclass(kind, _Closed) else _named_as(kind, _Closed)


def _named_as(kind: type[ClientSession], mixin: type[Any]) -> type[ClientSession]:
    made = types.new_class(kind.__name__, (mixin, kind))
    made.__module__, made.__qualname__ = kind.__module__, kind.__qualname__
    return made


# The methods of a session that make a call; None is for the one that is told its method.
_VERBS: Final = {
    "request": None,
    **{name: name.upper() for name in ("get", "options", "head", "post", "put", "patch", "delete")},
}
# What they return. Where aiohttp has it no longer, its own methods remain, which cost a little.
_Returned: Any = getattr(client, "_RequestContextManager", None)
if _Returned is None:
    _VERBS.clear()

# aiohttp's own. Mocks and tools for tracing put others in their places, for a while or for good.
_USUAL: Final = {name: getattr(ClientSession, name) for name in (*_VERBS, "_request")}


def _quick_verb(name: str, verb: Any, kind: type[ClientSession]) -> Any:
    """Return a method that makes a call, which says nothing for itself as a rule.

    Then `_request` of the original's class is all there is to be done: it needs no span of ours,
    nor another coroutine. The class is asked each time: somebody may have replaced its methods.
    """
    usual: Any = _USUAL[name]
    begin_request: Any = _USUAL["_request"]

    def call(self: Any, url: Any, **options: Any) -> Any:
        if (
            getattr(kind, name) is not usual
            or kind._request is not begin_request
            or (options and not _SAID.isdisjoint(options))
            or scope.get() is not NO_OVERRIDE
        ):
            return getattr(super(_Wrapped, self), name)(url, **options)
        return _Returned(begin_request(self, verb, url, **options))

    def head(self: Any, url: Any, *, allow_redirects: bool = False, **options: Any) -> Any:
        return call(self, url, allow_redirects=allow_redirects, **options)

    def request(self: Any, method: str, url: Any, **options: Any) -> Any:
        if (
            kind.request is not usual
            or kind._request is not begin_request
            or (options and not _SAID.isdisjoint(options))
            or scope.get() is not NO_OVERRIDE
        ):
            return super(_Wrapped, self).request(method, url, **options)
        return _Returned(begin_request(self, method, url, **options))

    made: Any = {"request": request, "head": head}.get(name, call)
    made._resilient_is_quick = True
    return functools.update_wrapper(made, usual)
