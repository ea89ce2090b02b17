"""Reading members that may hold anything.

A server in trouble does not keep to its own documentation: a message comes as a list, a
code as a number, an identifier as null. What reads as text is taken, the rest is passed
over; nothing here raises on a value that JSON can hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["first_text", "own_code", "request_id", "slug", "string", "text"]

# More remarks than this help nobody, and a hostile server would send a million.
_MOST_TEXTS = 100

_REQUEST_ID_MEMBERS = (
    "request_id",
    "requestId",
    "traceId",
    "trace_id",
    "correlationId",
    "correlation_id",
)

_SURROGATE = re.compile(r"[\ud800-\udfff]")

# "invalid_grant", "auth.expired", "RATE_LIMITED": a name for programs already.
_TOKEN = re.compile(r"[^\W_]+(?:[_.:-][^\W_]+)+")
_APOSTROPHE = re.compile(r"['’]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[\W_]+")
# Anything longer is prose, and next time it says something else.
_LONGEST_PHRASE = 80


def text(value: object) -> str | None:
    """What a value says: a string, a number, or a list of them joined by semicolons.

    Blank strings, true, false, null, objects and numbers that JSON does not have say
    nothing. The result always encodes to UTF-8: a lone surrogate, which JSON's escapes
    allow (RFC 8259, 8.2), becomes U+FFFD.
    """
    if isinstance(value, list):
        said = (string(item) or _number(item) for item in value[:_MOST_TEXTS])
        return "; ".join(filter(None, said)) or None
    return string(value) or _number(value)


def string(value: object) -> str | None:
    """A string that is not blank, as `text` would give it; nothing else."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value if value.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)


def _number(value: object) -> str | None:
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return str(value)
    except ValueError:  # more digits than Python converts; `json_object` lets none through
        return None


def first_text(document: Mapping[str, Any], members: Iterable[str]) -> str | None:
    """The text of the first of `members` that has any."""
    for member in members:
        if member in document and (found := text(document[member])):
            return found
    return None


def own_code(document: Mapping[str, Any], status: int) -> str | None:
    """The member `code`, unless it is a number that only repeats the status."""
    code = document.get("code")
    return string(code) or (None if code == status else _number(code))


def request_id(*documents: Mapping[str, Any]) -> str | None:
    """The identifier to quote to the server's support, from the first that has one."""
    for document in documents:
        for member in _REQUEST_ID_MEMBERS:
            value = document.get(member)
            if found := string(value) or _number(value):
                return found
    return None


def slug(phrase: str | None) -> str | None:
    """A name for programs, made of words for people: "Bad Request" is "bad_request".

    What is such a name already ("invalid_grant", "RATE_LIMITED") stays as it is, so that
    it equals what the server documents. Prose of more than 80 characters gives None.
    """
    phrase = (string(phrase) or "").strip()
    if len(phrase) > _LONGEST_PHRASE:
        return None
    if _TOKEN.fullmatch(phrase):
        return phrase
    humps = _HUMP.sub("_", _APOSTROPHE.sub("", phrase))
    return _NOT_WORD.sub("_", humps).strip("_").lower() or None
