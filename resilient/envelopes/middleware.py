"""Error responses become typed exceptions."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from multidict import CIMultiDict, MultiMapping

from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.attempt import run_attempt
from resilient.core.call import Call, current, tell_attempts
from resilient.core.outcome import Outcome
from resilient.envelopes.chain import completed, first_envelope, parse_error
from resilient.envelopes.content import ErrorBody
from resilient.envelopes.envelope import Envelope, EnvelopeParser
from resilient.envelopes.policy import ErrorPolicy
from resilient.envelopes.resolve import resolve_parser
from resilient.envelopes.throttling import is_throttled
from resilient.errors import (
    APIError,
    BadRequestError,
    ValidationError,
    error_class,
    public_request_info,
)
from resilient.headers.retry_after import ResetHeader
from resilient.support.redact import public_url
from resilient.support.validation import instance, validated
from resilient.telemetry.emitter import Emitter
from resilient.wire.bodies import stop_upload
from resilient.wire.cookies import keep_cookies
from resilient.wire.reading import peek, read_within
from resilient.wire.requests import is_handshake

__all__ = ["NormalizeErrors", "error_kind"]

_STANDARD: Final = ErrorPolicy()


class NormalizeErrors(LoopBound):
    """Raises an `APIError` for each response with an error status.

    The body is read within the policy's bounds, the upload under way is stopped and the
    connection given back before the exception is raised. A response to HEAD has no body, and a
    body that cannot be read or understood says nothing: then the status alone makes the error.
    An error of aiohttp's that stands for the response to this request (another middleware
    called `raise_for_status`) is typed too, and kept as the cause. A parser that raises is passed
    over, and the logger `resilient` says so, once.

    With `success_parsers` in the policy, an error in an answer of success is raised too, as an
    `APIError` of its status; any other such answer stays readable.

    The opening of a WebSocket is left to aiohttp, and so is everything under
    `override(raise_errors=False)`.

    Args:
        policy: The responses to raise for, and the bounds for bodies.
        reset_headers: Headers in which the service says when its limit is over.
        clock: The source of time; by default the event loop's.

    Raises:
        APIError: The subclass for the status; `ValidationError` for a 400 that names fields.
    """

    __slots__ = ("_emitter", "_parsers", "_success_parsers", "policy", "reset_headers")

    def __init__(
        self,
        policy: ErrorPolicy = _STANDARD,
        *,
        reset_headers: Iterable[ResetHeader] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(clock)
        self.policy = validated(self, "policy", policy, instance(ErrorPolicy, "an ErrorPolicy"))
        self._emitter = Emitter()
        self.reset_headers = tuple(reset_headers)
        self._parsers = tuple(map(resolve_parser, policy.parsers))
        self._success_parsers = tuple(map(resolve_parser, policy.success_parsers))

    def claim(self) -> None:
        """Serve any event loop: nothing is kept here."""

    def describe(self) -> str:
        """Return its settings in words."""
        words = f"parsers {_names(self.policy.parsers)}"
        if self.policy.success_parsers:
            words += f", of successes {_names(self.policy.success_parsers)}"
        return words

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Hand over a response that is no error."""
        handler = self.reading(handler)
        return run_attempt(request, handler, self, None, self, None, self.reset_headers)

    def wants(self, call: Call, request: ClientRequest, status: int) -> bool:
        """Return whether a status is raised for this request."""
        if status < 400 or status in self.policy.ignore or is_handshake(request):
            return False
        return call.override.raise_errors is not False

    async def error_for(self, call: Call, outcome: Outcome) -> APIError:
        """Make the typed error of a response, or of an exception that stands for one."""
        request = outcome.request
        response = outcome.response
        malformed = outcome.malformed
        if malformed is not None:
            assert malformed.status is not None, "it is wanted"
            error = self._error(outcome, malformed.status, malformed.headers, malformed.body)
            error.message += f" (the answer is malformed: {malformed.words})"
        elif response is None:
            failed = outcome.error
            assert isinstance(failed, aiohttp.ClientResponseError), "it has a status"
            error = self._error(outcome, failed.status, failed.headers or CIMultiDict(), b"")
        else:
            # aiohttp's session will see no response.
            keep_cookies(request, response)
            body = await self._read(call, response)
            await stop_upload(request, self.clock)
            error = self._error(
                outcome, response.status, response.headers, body, reason=response.reason
            )
        outcome.became(error)
        tell_attempts(error, call)
        return error

    async def _read(self, call: Call, response: ClientResponse) -> bytes:
        seconds = self.policy.read_timeout
        if call.deadline is not None:
            # The error that is there is worth more than the time-out that would take its place.
            seconds = min(seconds, (call.deadline - self.clock.time()) / 2)
        body, _ = await read_within(
            response, self.clock, limit=self.policy.max_body, seconds=seconds
        )
        return body

    def _error(
        self,
        outcome: Outcome,
        status: int,
        headers: MultiMapping[str],
        body: bytes,
        *,
        reason: str | None = None,
    ) -> APIError:
        envelope = parse_error(
            status,
            headers,
            body,
            parsers=self._parsers,
            code_rules=self.policy.code_rules,
            request_id_headers=self.policy.request_id_headers,
            reason=reason,
            now=self.clock.now(),
            on_error=self._complain,
        )
        return _made(
            self.policy, outcome.request, status, headers, body, envelope, outcome.retry_after
        )

    # -- errors in an answer of success

    def reading(self, handler: ClientHandlerType) -> ClientHandlerType:
        """Return a handler that raises the errors which stand in answers of success.

        The same handler, if the policy has no `success_parsers`.
        """
        if not self._success_parsers:
            return handler

        async def read(request: ClientRequest) -> ClientResponse:
            response = await handler(request)
            call = current.get()
            is_asked = call is None or call.override.raise_errors is not False
            if is_asked and self._may_hold_error(response) and not is_handshake(request):
                await self._raise_for_content(request, response, call)
            return response

        return read

    def _may_hold_error(self, response: ClientResponse) -> bool:
        if response.status >= 400 or response.status in self.policy.ignore:
            return False
        return 0 < (response.content_length or 0) <= self.policy.max_body

    async def _raise_for_content(
        self, request: ClientRequest, response: ClientResponse, call: Call | None
    ) -> None:
        policy = self.policy
        seconds = policy.read_timeout
        if call is not None and call.deadline is not None:
            seconds = min(seconds, (call.deadline - self.clock.time()) / 2)
        body = await peek(response, self.clock, limit=policy.max_body, seconds=seconds)
        status, headers = response.status, response.headers
        if not body:
            return
        parsers = self._success_parsers
        found = first_envelope(parsers, status, headers, ErrorBody(body), self._complain)
        if found is None:
            return
        envelope = completed(
            found,
            status,
            headers,
            code_rules=policy.code_rules,
            request_id_headers=policy.request_id_headers,
            reason=response.reason,
            now=self.clock.now(),
        )
        # aiohttp's session will see no response.
        keep_cookies(request, response)
        response.release()
        await stop_upload(request, self.clock)
        error = _made(policy, request, status, headers, body, envelope, None)
        if call is not None:
            tell_attempts(error, call)
        raise error

    def _complain(self, parser: EnvelopeParser, error: Exception) -> None:
        self._emitter.complain("parser", parser, error)


def _names(parsers: Iterable[EnvelopeParser | str]) -> str:
    return ", ".join(
        each if isinstance(each, str) else getattr(each, "__name__", type(each).__name__)
        for each in parsers
    )


def _made(
    policy: ErrorPolicy,
    request: ClientRequest,
    status: int,
    headers: MultiMapping[str],
    body: bytes,
    envelope: Envelope,
    retry_after: float | None,
) -> APIError:
    """Make the error of the class for a status."""
    waits = (retry_after, envelope.retry_after)
    return error_kind(status, envelope)(
        public_request_info(public_url(request.url), request.method),
        status=status,
        message=envelope.message or "",
        headers=headers,
        code=envelope.code,
        request_id=envelope.request_id,
        details=envelope.details,
        retry_after=max((wait for wait in waits if wait is not None), default=None),
        docs=envelope.docs,
        format=envelope.format,
        body=body,
        throttled=is_throttled(
            status,
            envelope,
            throttling=policy.throttling_codes,
            quota=policy.quota_codes,
        ),
    )


def error_kind(status: int, envelope: Envelope) -> type[APIError]:
    """Return the class of the error for a status and an envelope."""
    kind = error_class(status)
    # The code is Mavio's, which documents it so.
    names_fields = any(each.field for each in envelope.details)
    if kind is BadRequestError and (names_fields or envelope.code == "validation_error"):
        return ValidationError
    return kind
