"""Read problem details, RFC 9457 (and RFC 7807 before it).

A document is one if its media type says so, or if it looks like one and like nothing
else: many servers send problems as plain application/json, and FastAPI's {"detail": ...}
is close enough. Members of the wrong type are ignored, as section 3.1 demands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.fields import field_errors, joined_messages
from resilient.envelopes.reading import (
    code_member,
    json_object,
    media_type,
    request_id,
    slug,
    string,
    text,
)

__all__ = ["parse_problem"]

# Members of a document in the flat or the nested format.
_ELSEWHERE = MappingProxyType({"message": str | list, "statusCode": str | int, "error": str | dict})

_Read = TypeVar("_Read")


def parse_problem(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read a problem document; declines one that is neither declared as such nor looks it."""
    document = json_object(body)
    if document is None:
        return None
    declared = media_type(headers) == "application/problem+json"
    if not _is_problem(document, declared=declared):
        return None
    title, detail = string(document.get("title")), document.get("detail")
    # Those of RFC 9457's example and ASP.NET, of RFC 7807's example, and of FastAPI.
    lists = [document.get("errors"), document.get("invalid-params")]
    lists += [detail] if isinstance(detail, list) else []
    envelope = Envelope(
        message=string(detail)
        or title
        or text(document.get("message"))
        or _first(joined_messages, lists),
        code=code_member(document, status) or _type(document) or slug(title),
        request_id=request_id(document),
        details=_first(field_errors, lists) or (),
    )
    return envelope if envelope != EMPTY_ENVELOPE else None


def _first(read: Callable[[object], _Read], values: Iterable[object]) -> _Read | None:
    return next(filter(None, map(read, values)), None)


def _is_problem(document: dict[str, Any], *, declared: bool) -> bool:
    elsewhere = any(
        (value := document.get(member)) and isinstance(value, kind)
        for member, kind in _ELSEWHERE.items()
    )
    title, detail = string(document.get("title")), document.get("detail")
    looks_like_it = bool(title or string(detail) or isinstance(detail, list))
    if declared:
        return looks_like_it or _type(document) is not None or not elsewhere
    return looks_like_it and not elsewhere


def _type(document: dict[str, Any]) -> str | None:
    """Return the problem's type, its primary identifier (3.1.1), unless it is "about:blank"."""
    given = string(document.get("type"))
    return None if given == "about:blank" else given
