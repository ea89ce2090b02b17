"""Parsers in a row: the first that accepts wins, and something always does.

The order of the built-in ones is problem, nested, flat. `problem` comes first because it
alone goes by what the server declared: an `errors` member would make `flat` take a
declared problem, an `error` member `nested`. Of documents that declare nothing it takes
only those with neither `message`, `statusCode` nor `error`, so it takes nothing away from
the two others. `nested` and `flat` differ by whether `error` is an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

from attrs import evolve

from resilient.envelopes.codes import CodeRule, refine
from resilient.envelopes.envelope import NOTHING, Envelope, EnvelopeParser
from resilient.envelopes.policy import DEFAULT_REQUEST_ID_HEADERS
from resilient.envelopes.reading import ErrorBody, any_case, header_request_id, text
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser

__all__ = ["parse_error"]


def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    parsers: Iterable[EnvelopeParser | str] = DEFAULT_PARSERS,
    code_rules: Iterable[CodeRule] = (),
    request_id_headers: Iterable[str] = DEFAULT_REQUEST_ID_HEADERS,
    reason: str | None = None,
    on_error: Callable[[EnvelopeParser, Exception], object] | None = None,
) -> Envelope:
    """What an error response says, as far as it can be told.

    No response makes this raise, whatever its status, headers and body. The envelope
    always has a message: the reason phrase where the body said nothing.
    Its request_id comes from a header where the body has none.

    Args:
        status: The status of the response. What a body says of it is ignored.
        headers: The headers of the response, names in any case.
        body: The body, as far as it was read.
        parsers: Whom to ask, in order; see `resolve_parser` for names.
        code_rules: Rules that give a code of their own; the first that matches counts.
        request_id_headers: Headers that may hold the request_id, the likeliest first.
        reason: The reason phrase of the response; the status's own where it has none.
        on_error: Told of a parser that raised, or returned what is no envelope; that parser
            counts as having declined. What `on_error` itself raises comes out.

    Raises:
        ConfigError: A name among `parsers` stands for nothing.
    """
    headers = any_case(headers)
    envelope = _first(parsers, status, headers, ErrorBody(body), on_error)
    request_id = envelope.request_id or header_request_id(headers, request_id_headers)
    if envelope.message is None or request_id is not envelope.request_id:
        message = envelope.message or text(reason) or _reason_phrase(status)
        envelope = evolve(envelope, message=message, request_id=request_id)
    return refine(envelope, status, code_rules)


def _first(
    parsers: Iterable[EnvelopeParser | str],
    status: int,
    headers: Mapping[str, str],
    body: ErrorBody,
    on_error: Callable[[EnvelopeParser, Exception], object] | None,
) -> Envelope:
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
    return NOTHING


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
