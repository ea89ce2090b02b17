"""Ask parsers in a row: the envelope of the first that does not decline is the result.

The built-in formats, which "any" stands for, are asked in the order of `formats.table`, which
says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus

from attrs import evolve
from multidict import CIMultiDict

from resilient.envelopes.codes import CodeRule, apply_code_rules
from resilient.envelopes.content import ErrorBody
from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope, EnvelopeParser
from resilient.envelopes.policy import DEFAULT_REQUEST_ID_HEADERS
from resilient.envelopes.reading import case_insensitive, header_request_id, text
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser
from resilient.headers.retry_after import reference_of

__all__ = ["completed", "first_envelope", "parse_error"]


def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    parsers: Iterable[EnvelopeParser | str] = DEFAULT_PARSERS,
    code_rules: Iterable[CodeRule] = (),
    request_id_headers: Iterable[str] = DEFAULT_REQUEST_ID_HEADERS,
    reason: str | None = None,
    now: datetime | None = None,
    on_error: Callable[[EnvelopeParser, Exception], object] | None = None,
) -> Envelope:
    """Read what an error response says, as far as it can be told.

    No response makes this raise, whatever its status, headers and body. The envelope
    always has a message: the reason phrase where the body says nothing.
    Its request_id comes from a header where the body has none.

    Args:
        status: The status of the response. A status in the body is ignored.
        headers: The headers of the response, names in any case.
        body: The body, as far as it was read.
        parsers: Parsers or their names, in the order to ask them; "any" by default. See
            `resolve_parser` for names.
        code_rules: Rules that give a code of their own; the first that matches counts. None
            by default.
        request_id_headers: Headers that may hold the request_id, the likeliest first;
            `DEFAULT_REQUEST_ID_HEADERS` by default.
        reason: The reason phrase of the response; by default the usual one of the status.
        now: The time of day, for a body that names the moment until which to wait, where the
            response has no valid `Date`; by default the system's.
        on_error: Called with a parser that raised, or returned something that is no
            envelope, and the exception; that parser counts as having declined. An exception
            of `on_error` itself comes out.

    Raises:
        ConfigError: A name among `parsers` stands for nothing.
    """
    headers = case_insensitive(headers)
    envelope = first_envelope(parsers, status, headers, ErrorBody(body), on_error)
    return completed(
        envelope or EMPTY_ENVELOPE,
        status,
        headers,
        code_rules=code_rules,
        request_id_headers=request_id_headers,
        reason=reason,
        now=now,
    )


def completed(
    envelope: Envelope,
    status: int,
    headers: Mapping[str, str],
    *,
    code_rules: Iterable[CodeRule],
    request_id_headers: Iterable[str],
    reason: str | None,
    now: datetime | None,
) -> Envelope:
    """Return an envelope with what headers, status and rules add; see `parse_error`."""
    request_id = envelope.request_id or header_request_id(headers, request_id_headers)
    if envelope.message is None or request_id is not envelope.request_id:
        message = envelope.message or text(reason) or _reason_phrase(status)
        envelope = evolve(envelope, message=message, request_id=request_id)
    if envelope.retry_at is not None:
        left = envelope.retry_at - reference_of(CIMultiDict(headers), now)
        wait = max(left.total_seconds(), envelope.retry_after or 0.0)
        envelope = evolve(envelope, retry_after=wait)
    return apply_code_rules(envelope, status, code_rules)


def first_envelope(
    parsers: Iterable[EnvelopeParser | str],
    status: int,
    headers: Mapping[str, str],
    body: ErrorBody,
    on_error: Callable[[EnvelopeParser, Exception], object] | None,
) -> Envelope | None:
    """Return the envelope of the first parser that does not decline, or None."""
    for parser in map(resolve_parser, parsers):
        try:
            envelope: object = parser(status, headers, body)
            if isinstance(envelope, Envelope):
                return envelope
            if envelope is not None:
                raise TypeError(f"a parser returns an Envelope or None, not {type(envelope)}")
        except Exception as error:
            if on_error is not None:
                on_error(parser, error)
    return None


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
