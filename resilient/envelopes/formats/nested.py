"""Read the format {"error": {code, message, request_id, details}}.

Mavio's, and with small differences that of Google (AIP-193: a numeric code, the name in
`status`), OpenAI and Stripe (`type`, and the field in `param`), Anthropic (`type`, the
request_id beside `error`) and OData (`target` in details).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.fields import field_errors
from resilient.envelopes.reading import (
    code_member,
    first_text,
    json_object,
    request_id,
    string,
    text,
)
from resilient.errors import FieldError

__all__ = ["parse_nested"]

_MESSAGE = ("message", "detail", "description", "title")


def parse_nested(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read {"error": {...}}; declines where `error` is no object, or says nothing."""
    document = json_object(body)
    error = document and document.get("error")
    if document is None or not isinstance(error, dict):
        return None
    envelope = Envelope(
        message=first_text(error, _MESSAGE) or first_text(document, _MESSAGE),
        code=_code(error, status),
        request_id=request_id(error, document),
        details=_details(error, document),
    )
    return envelope if envelope != EMPTY_ENVELOPE else None


def _code(error: dict[str, Any], status: int) -> str | None:
    code = error.get("code")
    # A numeric code goes with a name in `status` (Google). A number that only repeats the
    # status of the response is worse than the `type`, and better than nothing.
    named = None if string(code) or code is None else string(error.get("status"))
    return named or code_member(error, status) or string(error.get("type")) or text(code)


def _details(error: dict[str, Any], document: dict[str, Any]) -> tuple[FieldError, ...]:
    for holder in (error, document):
        for member in ("details", "errors"):
            if found := field_errors(holder.get(member)):
                return found
    return field_errors([{"field": error.get("param"), "message": error.get("message")}])
