"""Follow calls as a whole, from their first hop to their end.

A plain middleware meets each hop of a call by itself, and there the call ends with the hop. Under
`wrap` it goes on, and ends when the session says so: a redirect may follow, or aiohttp may refuse
one. So what is known of a call is kept on it, and a watch is told of its end by whoever ends it.

Several pipelines may be in the way of one call: one in another, or one after the other, where a
redirect leads to another service. Watches with the same `scope` (the same listeners, the same
instruments) count it once; it belongs to the watch that met it first.
"""

from __future__ import annotations

from abc import abstractmethod
from asyncio import CancelledError, get_running_loop
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import Clock, LoopBound
from resilient.core.call import Call, attach, detach
from resilient.reasons import Reason
from resilient.wire.requests import session_ran_out

__all__ = ["CallWatch", "Watched"]


class Watched:
    """A call that is followed, and what is known of it so far.

    Args:
        call: The call, or its first hop.
        request: Its first request.
        started: When it began, on the scale of the watch's clock.

    Attributes:
        method: The method of its first request.
        url: The URL of that, with its secrets.
        started: As given.
        attempts: How many attempts a `Retry` has recorded, without one that never left.
        retries: How many of them were another attempt after one that failed.
        waited: Seconds between attempts.
        held: The seconds that each guard has held it back.
        ran_out: Whether aiohttp's own total timeout has ended it.
        status: The status of the response that was handed over last; None if there was none.
        code: Why no more was tried; None if nothing decided that.
    """

    # Facts that few calls have: the class has their defaults.
    attempts = retries = 0
    waited = 0.0
    held: Mapping[Any, float] = MappingProxyType({})
    ran_out = False
    status: int | None = None
    code: Reason | None = None

    def __init__(self, call: Call, request: ClientRequest, started: float) -> None:
        self._call: Call = call if call.span is None else call.span
        self.method, self.url = request.method, request.url
        self.started = started

    @property
    def number(self) -> int:
        """The number by which events of one call can be put together."""
        return self._call.number

    @property
    def sent(self) -> int:
        """The number of requests that were sent, as telemetry or else a `Retry` has counted."""
        return max(self._call.sent, self.attempts)

    def stop_code(self, error: BaseException | None) -> Reason | None:
        """Return why no more was tried, for a program; None for a call that went well.

        Args:
            error: What its caller got in the place of a response, or None.
        """
        if error is None:
            return None
        said: Reason | None = getattr(error, "stop_code", None)
        return said or self.code or (Reason.SESSION_TIMEOUT if self.ran_out else None)

    def learn(self, call: Call) -> None:
        """Take in what is known at the end of a hop; of two copies of one, the longer story."""
        records = len(call.records)
        if call.waits is None and call.held is None and call.stop is None:
            # As nearly every call.
            self.code = None
            if records > self.attempts:
                self.attempts = records
            return
        self.code = None if call.stop is None else call.stop.code
        if call.held:
            self.held = dict(call.held)
        if records and call.waiting and not call.holds:
            # It was cut off in a queue: its record says so, and it never left.
            records -= 1
        if records < self.attempts:
            return
        self.attempts = records
        if call.waits:
            self.waited = sum(wait.seconds for wait in call.waits.values())
            self.retries = sum(
                place + 1 < records and wait.code is not Reason.STALE_CONNECTION
                for place, wait in call.waits.items()
            )


class CallWatch(LoopBound):
    """Base of a middleware that follows calls; it stands outside all others of ours.

    Args:
        scope: Watches with an equal scope count a call once.
        clock: The source of time.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: Hashable, clock: Clock) -> None:
        super().__init__(clock)
        self._scope = scope

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run the request, and follow the call that it belongs to."""
        if self.loop is not get_running_loop():
            self.claim()
        call, token = attach(request)
        try:
            if self._scope in call.watched_by:
                return await handler(request)
            call.watched_by += (self._scope,)
            span = call.span
            if span is not None and span.session is None:
                # Nobody tells when it is over.
                span = None
            watched: Any = None if span is None else span.watched.get(self._scope)
            if watched is None:
                watched = self.begin(call, request)
                if span is not None:
                    span.watch(self._scope, watched, self.end)
            entered = self.enter(watched)
            try:
                response = await handler(request)
            except BaseException as error:
                # It cancels the task, and makes a time-out of that further out.
                watched.ran_out = isinstance(error, CancelledError) and session_ran_out(request)
                watched.learn(call)
                if span is None:
                    self.end(watched, error)
                raise
            finally:
                self.leave(entered)
            watched.status = response.status
            watched.learn(call)
            if span is None:
                self.end(watched, None)
            return response
        finally:
            watched = entered = None  # what is raised refers to this frame
            if token is not None:
                detach(call, token)

    def begin(self, call: Call, request: ClientRequest) -> Watched:
        """Begin to follow a call."""
        return Watched(call, request, self.began(call))

    def began(self, call: Call) -> float:
        """Return when a call began: now, unless its first attempt is over already."""
        return self.time() if call.begun is None else call.begun.started

    def enter(self, watched: Any) -> Any:
        """Prepare a hop of it; what is returned comes back with `leave`."""

    def leave(self, entered: Any) -> None:
        """Undo what `enter` did, in the same task."""

    @abstractmethod
    def end(self, watched: Any, error: BaseException | None) -> None:
        """Tell of the end of a call.

        Args:
            watched: What `begin` returned.
            error: What its caller got in the place of a response, or None.
        """
