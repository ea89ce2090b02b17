"""One attempt, and what may stand around it: a breaker, error normalisation, a time-out.

Each of the three is a middleware that works alone. In the standard order they stand one in
another with nothing between them, and three coroutines in a row cost more than what they do;
so there is one, which runs any of them that it is given:

    breaker           leave to pass, or a refusal
      normalisation   an error response becomes an exception
        time-out      a limit until the response is there
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientResponseError

from resilient.core.call import Call, drop, take
from resilient.errors import APIError
from resilient.wire.bodies import cancel_upload, prepare_upload, stop_upload

__all__ = ["Admission", "Limitation", "Normalization", "run_attempt"]


class Admission(Protocol):
    """A breaker: lets an attempt pass, and learns what came of it."""

    def admit(self, request: ClientRequest) -> Any:
        """A ticket for the attempt, None if it does not count; or an exception, a refusal."""

    def succeeded(self, ticket: Any, request: ClientRequest, response: ClientResponse) -> None:
        """A response came."""

    def failed(self, ticket: Any, request: ClientRequest, error: BaseException) -> None:
        """There was none."""


class Normalization(Protocol):
    """Tells which responses, and which of aiohttp's exceptions, are to be typed errors."""

    def typed(self, request: ClientRequest, error: ClientResponseError) -> APIError | None:
        """What stands for an exception of aiohttp's; None if that is to stay."""

    async def check(self, request: ClientRequest, response: ClientResponse) -> None:
        """Raise for a response with an error status, if it is to be raised for."""


class Limitation(Protocol):
    """A limit of time."""

    def begin(self, call: Call) -> Any:
        """Limit the current task."""

    def ran_out(self, limit: Any, call: Call) -> Exception | None:
        """What stands for a cancellation of the task, if it was the limit that cancelled it."""

    @property
    def lift(self) -> Callable[[Any], object]:
        """What forgets a limit."""


async def run_attempt(
    request: ClientRequest,
    handler: ClientHandlerType,
    breaker: Admission | None,
    errors: Normalization | None,
    timeout: Limitation | None,
) -> ClientResponse:
    """Run an attempt within those of the three that are given."""
    if request.body:
        await prepare_upload(request)
    ticket = None if breaker is None else breaker.admit(request)
    try:
        try:
            if timeout is None:
                response = await handler(request)
            else:
                call, is_outermost = take(request)
                outer = call.attempt_deadline
                limit = timeout.begin(call)
                try:
                    response = await handler(request)
                except CancelledError as cancelled:
                    late = timeout.ran_out(limit, call)
                    if late is None:
                        raise
                    raise late from cancelled
                finally:
                    timeout.lift(limit)
                    call.attempt_deadline = outer
                    if is_outermost:
                        drop(request)
            if errors is not None and response.status >= 400:
                await errors.check(request, response)
        except ClientResponseError as error:
            typed = None if errors is None else errors.typed(request, error)
            if typed is None:
                raise
            raise typed from error
    except BaseException as error:
        if ticket is not None and breaker is not None:
            breaker.failed(ticket, request, error)
        if isinstance(error, Exception):
            await stop_upload(request)
        else:
            cancel_upload(request)
        raise
    if ticket is not None and breaker is not None:
        breaker.succeeded(ticket, request, response)
    return response
