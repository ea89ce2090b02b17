"""Read problem details, RFC 9457 (and RFC 7807 before it).

A document is one if its media type says so, or if it looks like one and like nothing
else: many servers send problems as plain application/json, and {"detail": ...} of FastAPI,
Litestar and Django REST framework is close enough. Members of the wrong type are ignored, as
section 3.1 demands; an object as `detail` is looked into once, since FastAPI sends any.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.general import envelope_of, explicit_code
from resilient.envelopes.reading import Members, media_type, members, slug, string

__all__ = ["read_problem"]

_DECLARED = frozenset(("application/problem+json", "application/problem+xml"))


def read_problem(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a problem document; declines one that is neither declared as such nor looks it."""
    declared = "type" in document or "title" in document or "errors" in document
    declared = declared and media_type(headers) in _DECLARED
    if not _is_problem(document, declared=declared):
        return None
    title, detail = string(document.get("title")), document.get("detail")
    if within := members(detail):
        return envelope_of([within, document], status)
    envelope = envelope_of(
        [document],
        status,
        message=string(detail) or (None if isinstance(detail, list) else title),
        code=explicit_code(document, status) or _type(document) or slug(title),
    )
    return envelope if envelope != EMPTY_ENVELOPE else None


def _is_problem(document: Members, *, declared: bool) -> bool:
    elsewhere = _is_elsewhere(document)
    title, detail = string(document.get("title")), document.get("detail")
    looks_like_it = bool(title or string(detail)) or isinstance(detail, list | dict)
    if declared:
        return looks_like_it or _type(document) is not None or not elsewhere
    return looks_like_it and not elsewhere


def _is_elsewhere(document: Members) -> bool:
    """Return whether a document has members of the flat or the nested format."""
    return bool(
        (isinstance(document.get("message"), str | list) and document["message"])
        or (isinstance(document.get("statuscode"), str | int) and document["statuscode"])
        or (isinstance(document.get("error"), str | dict) and document["error"])
    )


def _type(document: Members) -> str | None:
    """Return the problem's type, its primary identifier (3.1.1), unless it is "about:blank"."""
    given = string(document.get("type"))
    return None if given == "about:blank" else given
