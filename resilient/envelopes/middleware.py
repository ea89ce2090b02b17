"""Error responses become typed exceptions."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientResponseError
from multidict import CIMultiDict, MultiMapping

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.attempt import run_attempt
from resilient.core.call import call_of, remembered, tell_attempts
from resilient.core.outcome import is_handshake, is_malformed
from resilient.envelopes.chain import parse_error
from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.policy import ErrorPolicy
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser
from resilient.errors import (
    APIError,
    BadRequestError,
    ValidationError,
    error_class,
    public_request_info,
)
from resilient.headers.retry_after import parse_retry_after
from resilient.support.redact import public_url
from resilient.support.validation import instance, validated
from resilient.telemetry.emitter import Emitter, make_emitter
from resilient.wire.bodies import stop_upload
from resilient.wire.connections import mark_used
from resilient.wire.cookies import keep_cookies
from resilient.wire.reading import read_within

if TYPE_CHECKING:
    from resilient.telemetry.events import Listener

__all__ = ["NormalizeErrors"]

_STANDARD: Final = ErrorPolicy()


class NormalizeErrors:
    """Raises an `APIError` for each response with an error status.

    The body is read within the policy's bounds, and the connection given back, before the
    exception is raised. A response to HEAD has no body, and a body that cannot be read or
    understood says nothing: then the status alone makes the error. An error of aiohttp's
    that stands for a response (another middleware called `raise_for_status`) is typed too,
    and kept as the cause.

    The opening of a WebSocket is left to aiohttp, and so is everything under
    `override(raise_errors=False)`.

    Args:
        policy: What to raise for, and how bodies are read.
        listeners: Taken as the other middlewares take them; nothing here is told to them.
        clock: The source of time.

    Raises:
        APIError: The subclass for the status; `ValidationError` for a 400 that names fields.
    """

    __slots__ = ("__weakref__", "_clock", "_emitter", "_parsers", "policy")

    def __init__(
        self,
        policy: ErrorPolicy = _STANDARD,
        *,
        listeners: Iterable[Listener] | Emitter = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.policy = validated(self, "policy", policy, instance(ErrorPolicy, "an ErrorPolicy"))
        self._emitter = make_emitter(listeners)
        self._clock = clock
        # Those of others now, so that no error waits for an import; our own with the first.
        self._parsers = tuple(
            each if each in DEFAULT_PARSERS else resolve_parser(each) for each in policy.parsers
        )

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Hand over a response that is no error."""
        return run_attempt(request, handler, None, self, None)

    async def check(self, request: ClientRequest, response: ClientResponse) -> None:
        """Raise for a response with an error status, if it is to be raised for."""
        if not self._raises(request, response.status):
            return
        # A retry further out will see no response, and aiohttp's session none either.
        mark_used(response)
        keep_cookies(request, response)
        body = await self._read(request, response)
        await stop_upload(request, self._clock)
        final = self._error(request, response.status, response.headers, body, response.reason)
        tell_attempts(final, remembered(response))
        raise final

    def typed(self, request: ClientRequest, error: ClientResponseError) -> APIError | None:
        """What stands for an exception of aiohttp's; None if that is to stay."""
        if (
            isinstance(error, APIError)
            or is_malformed(error)
            or not self._raises(request, error.status)
        ):
            return None
        return self._error(request, error.status, error.headers or CIMultiDict(), b"")

    def _raises(self, request: ClientRequest, status: int) -> bool:
        """Whether a status is raised for this request."""
        if status < 400 or status in self.policy.ignore or is_handshake(request):
            return False
        return call_of(request).override.raise_errors is not False

    async def _read(self, request: ClientRequest, response: ClientResponse) -> bytes:
        seconds = self.policy.read_timeout
        deadline = call_of(request).deadline
        if deadline is not None:
            # The error that is there is worth more than the time-out that would take its place.
            seconds = min(seconds, (deadline - self._clock.time()) / 2)
        body, _ = await read_within(
            response, self._clock, limit=self.policy.max_body, seconds=seconds
        )
        return body

    def _error(
        self,
        request: ClientRequest,
        status: int,
        headers: MultiMapping[str],
        body: bytes,
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
            on_error=self._complain,
        )
        kind = error_class(status)
        if kind is BadRequestError and (envelope.details or envelope.code == "validation_error"):
            kind = ValidationError
        return kind(
            public_request_info(public_url(request.url), request.method),
            status=status,
            message=envelope.message or "",
            headers=headers,
            code=envelope.code,
            request_id=envelope.request_id,
            details=envelope.details,
            retry_after=parse_retry_after(headers, now=self._clock.now()),
            body=body,
        )

    def _complain(self, parser: EnvelopeParser, error: Exception) -> None:
        self._emitter.complain("parser", parser, error)
