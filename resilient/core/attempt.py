"""One attempt, and what may stand around it: guards, telemetry, error normalisation, a time-out.

Each of these is a middleware that works alone. In the standard order they stand one in
another with nothing between them, and three coroutines in a row cost more than what they do;
so there is one, which runs any of them that it is given:

    guard               a permit, or a wait, or a refusal
      observer          a span
        normalisation   an error response becomes an exception
          time-out      a limit until the response is there
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import LoopBound
from resilient.core.call import UNSET, Call, attach, current, detach
from resilient.core.guard import Guard, GuardChain, Held, Refusal, Wait, admit, guards_of
from resilient.core.outcome import Outcome
from resilient.errors import APIError
from resilient.headers.retry_after import ResetHeader
from resilient.wire.bodies import cancel_upload, prepare_upload, stop_upload
from resilient.wire.connections import is_full, mark_used
from resilient.wire.requests import session_ran_out

__all__ = ["AttemptLimit", "Normalizer", "Observer", "run_attempt"]


class Observer(Protocol):
    """Is told when an attempt begins, once the guards have let it pass, and how it ends."""

    def begin(self, call: Call, request: ClientRequest) -> Any:
        """Be told that an attempt begins; what is returned comes back with `end`."""

    def end(
        self,
        begun: Any,
        call: Call,
        request: ClientRequest,
        result: ClientResponse | Outcome,
        seconds: float,
    ) -> None:
        """Be told how it ended, in the same task.

        Args:
            begun: What `begin` returned.
            call: Its call.
            request: Its request.
            result: The response that is handed over, or the outcome if an exception is raised.
            seconds: How long it took.
        """


class Normalizer(Protocol):
    """Makes typed errors of outcomes with an error status."""

    def wants(self, call: Call, request: ClientRequest, status: int) -> bool:
        """Return whether a status is raised for this request."""

    async def error_for(self, call: Call, outcome: Outcome) -> APIError:
        """Make the typed error of a response, or of an exception that stands for one."""


class AttemptLimit(Protocol):
    """A limit of time for an attempt: a `LoopBound`, which the runner claims the loop for."""

    loop: AbstractEventLoop | None

    def claim(self) -> None:
        """Take the running loop, as `LoopBound` does."""

    def begin(self, call: Call, request: ClientRequest, now: float, pool_was_full: bool) -> Any:
        """Limit the current task."""

    def note(self, call: Call, started: float) -> None:
        """Note when an attempt has to be over that began with the policy's own limit."""

    def ran_out(self, limit: Any, call: Call, request: ClientRequest) -> Exception | None:
        """Lift a limit; return the exception to raise if it caused the cancellation, else None."""

    @property
    def lift(self) -> Callable[[Any], object]:
        """Lifts a limit."""


async def run_attempt(
    request: ClientRequest,
    handler: ClientHandlerType,
    bound: LoopBound,
    guard: Guard | GuardChain | None,
    errors: Normalizer | None,
    timeout: AttemptLimit | None,
    reset_headers: tuple[ResetHeader, ...] = (),
    reads_headers: bool = False,
    observer: Observer | None = None,
) -> ClientResponse:
    """Run an attempt within those of the four that are given.

    Args:
        request: The request.
        handler: Sends it.
        bound: The outermost of the four, whose clock is asked.
        guard: Lets the attempt pass; or a chain of guards, or None. Its time is that of `bound`.
        errors: Makes typed errors, or None.
        timeout: Limits the attempt, or None.
        reset_headers: Headers in which the service says when its limit is over.
        reads_headers: Whether a guard has to have an outcome of good responses too.
        observer: Told of the attempt, or None.
    """
    running = get_running_loop()
    if bound.loop is not running:
        # The one that is compared comes last: if another belongs to a second loop, no call passes.
        owners: tuple[LoopBound | Guard | AttemptLimit | None, ...]
        owners = (bound, *guards_of(guard), timeout)
        for owner in reversed(owners):
            if owner is not None and owner.loop is not running:
                owner.claim()
    token = None
    call = current.get()
    if call is None or call.request is not request:
        call, token = attach(request)
    outcome: Outcome | None = None
    permit: Any = None
    begun = call.begun
    observed: Any = None
    try:
        if begun is not None:
            # It has left already, and what came of it is to be handled.
            started, permit = begun.started, begun.permit
        elif request.body:
            await prepare_upload(request)
            started = bound.time()
        else:
            started = bound.time()
        if guard is not None and begun is None:
            permit = call.decision
            if permit is UNSET:
                permit = guard.enter(call, request, started, None)
            else:
                # (Each attribute that calls store makes those that wait larger.)
                call.decision = UNSET
            kind = permit.__class__
            if kind is Refusal:
                raise permit.error
            if kind is Wait or kind is Held:
                admitted = admit(guard, call, request, bound.clock, permit)
                # Thousands may wait, and none needs what it was told first.
                permit = kind = None
                # Another guard may have taken its place meanwhile.
                guard, permit = await admitted
                started = bound.time()
        before = request.response if begun is None else None
        pool_was_full = False
        try:
            if observer is not None:
                observed = observer.begin(call, request)
            if begun is None:
                pool_was_full = is_full(request)
            if timeout is None:
                response = await handler(request)
            else:
                outer = None
                if begun is None:
                    outer = call.attempt_deadline
                    limit = timeout.begin(call, request, started, pool_was_full)
                else:
                    limit = begun.limit
                    timeout.note(call, started)
                try:
                    response = await handler(request)
                except CancelledError as cancelled:
                    late = timeout.ran_out(limit, call, request)
                    if late is None:
                        raise
                    try:
                        raise late from cancelled
                    finally:
                        del late  # what is raised refers to this frame
                finally:
                    timeout.lift(limit)
                    call.attempt_deadline = outer
            ended = bound.time()
            status = response.status
            if status >= 400 or call.before is UNSET:
                # A retry further out does it for the responses that it sees.
                mark_used(response)
            if status >= 400 or pool_was_full or reads_headers:
                outcome = call.note_outcome(
                    request,
                    response,
                    before,
                    duration=ended - started,
                    clock=bound.clock,
                    pool_was_full=pool_was_full,
                    reset_headers=reset_headers,
                )
                if errors is not None and errors.wants(call, request, status):
                    raise await errors.error_for(call, outcome)
        except BaseException as error:
            ended = bound.time()
            outcome = call.note_outcome(
                request,
                error,
                before,
                duration=ended - started,
                clock=bound.clock,
                pool_was_full=pool_was_full,
                reset_headers=reset_headers,
            )
            # An attempt that a limit further out cut off took too long, like any other.
            outcome.overdue = call.is_overdue(ended) or session_ran_out(request)
            if observer is not None and observed is not None:
                observer.end(observed, call, request, outcome, ended - started)
            if guard is not None:
                call.guarded = outcome
                if permit is not None:
                    guard.leave(permit, outcome, ended)
            if isinstance(error, Exception):
                # Whoever handles it may send the request again.
                await stop_upload(request)
            else:
                cancel_upload(request)
            untyped = outcome.untyped_status
            if untyped is not None and errors is not None and errors.wants(call, request, untyped):
                raise await errors.error_for(call, outcome) from error
            raise
        if observer is not None:
            observer.end(observed, call, request, response, ended - started)
        if permit is not None and guard is not None:
            try:
                guard.leave(permit, outcome, ended)
            except BaseException:
                response.close()
                raise
            call.guarded = outcome
        return response
    finally:
        outcome = permit = begun = observed = None  # what is raised refers to this frame
        if token is not None:
            detach(call, token)
