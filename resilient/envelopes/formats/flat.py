"""Read the format {statusCode, message, error, errors}.

meetergo's, for it is what NestJS and Fastify send; and by the members it shares with them
that of Spring, Laravel and GitHub (message, errors), OAuth (RFC 6749, 5.2: error,
error_description) and JSON:API (errors alone). `statusCode` is not read: where it
contradicts the status line, the status line is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import field_errors, joined_messages
from resilient.envelopes.reading import (
    code_member,
    first_text,
    json_object,
    request_id,
    slug,
    string,
)

__all__ = ["parse_flat"]

_MESSAGE = ("message", "error_description", "detail", "description", "title", "error")


def parse_flat(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read {message, error, ...}; declines where `error` is an object, or none is there."""
    document = json_object(body)
    if document is None or not _is_flat(document):
        return None
    errors, message = document.get("errors"), document.get("message")
    said = first_text(document, _MESSAGE)
    code = code_member(document, status) or slug(string(document.get("error")))
    return Envelope(
        # Where `errors` is all there is (JSON:API), its members speak for the whole.
        message=said or joined_messages(errors),
        code=code if code or said else _first_code(errors, status),
        request_id=request_id(document),
        details=field_errors(errors)
        or field_errors(document.get("details"))
        # NestJS before 7 put class-validator's objects where the message belongs.
        or (field_errors(message) if isinstance(message, list) else ()),
    )


def _is_flat(document: dict[str, Any]) -> bool:
    if isinstance(document.get("error"), dict):
        return False
    return (
        first_text(document, ("message", "error", "statusCode")) is not None
        or any(isinstance(document.get(member), list) for member in ("message", "errors"))
        or isinstance(document.get("errors"), dict)
    )


def _first_code(errors: object, status: int) -> str | None:
    """Return the code of the first of JSON:API's error objects."""
    first = errors[0] if isinstance(errors, list) and errors else None
    return code_member(first, status) if isinstance(first, dict) else None
