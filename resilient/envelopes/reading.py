"""Read values that may hold anything: bodies as JSON, their members as text, and headers.

A server in trouble does not keep to its own documentation: a message comes as a list, a
code as a number, an identifier as null, and a body may be a proxy's HTML or be cut short.
A value that reads as text is taken, any other is passed over. Nothing here raises, and time and
memory are bounded (the reader of the body bounds its bytes).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

__all__ = [
    "ErrorBody",
    "case_insensitive",
    "code_member",
    "first_text",
    "header_request_id",
    "json_object",
    "media_type",
    "request_id",
    "slug",
    "string",
    "text",
]

# Blanks, NULs and the bytes of every byte order mark, then a brace: enough to see, in any
# encoding of RFC 4627 section 3, whether an object can follow.
_LOOKS_LIKE_OBJECT = re.compile(rb"[ \t\r\n\0\xef\xbb\xbf\xfe\xff]*\{")

# Far more than any number that a program counts with; far less than the digits (4300, and
# 640 where a process says so) from which `int` refuses.
_MAX_DIGITS = 100


class ErrorBody(bytes):
    """The bytes of an error body, with the JSON object in them, decoded when first asked for.

    A chain of parsers looks at one body, and decodes it only once.
    """

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The JSON object in the body, or None. All callers share it: do not change it."""
        return _decode(self)


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body holds, or None if it holds anything else.

    UTF-8, UTF-16 and UTF-32 are understood, with a byte order mark or without; bytes that
    are not text become U+FFFD, and raw control characters in strings are accepted.
    Integers of more than a hundred digits stay strings of digits. Of members with the same
    name the last counts. Never raises.
    """
    return body.document if isinstance(body, ErrorBody) else _decode(body)


def _decode(body: bytes) -> dict[str, Any] | None:
    if not _LOOKS_LIKE_OBJECT.match(body):
        return None
    try:
        document = _DECODER.decode(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_integer, strict=False)


# More texts than this help nobody, and a hostile server would send a million.
_MAX_TEXTS = 100

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
_MAX_PHRASE = 80


def text(value: object) -> str | None:
    """Return a value as text: a string, a number, or a list of them joined by semicolons.

    None for blank strings, true, false, null, objects and numbers that JSON does not have.
    The result always encodes to UTF-8: a lone surrogate, which JSON's escapes allow (RFC
    8259, 8.2), becomes U+FFFD.
    """
    if isinstance(value, list):
        said = (string(item) or _number(item) for item in value[:_MAX_TEXTS])
        return "; ".join(filter(None, said)) or None
    return string(value) or _number(value)


def string(value: object) -> str | None:
    """Return a string that is not blank, as `text` would; None for anything else."""
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
    """Return the text of the first of `members` that has any."""
    for member in members:
        if member in document and (found := text(document[member])):
            return found
    return None


def code_member(document: Mapping[str, Any], status: int) -> str | None:
    """Return the member `code`, unless it is a number that only repeats the status."""
    code = document.get("code")
    return string(code) or (None if code == status else _number(code))


def request_id(*documents: Mapping[str, Any]) -> str | None:
    """Return the identifier to quote to the server's support, from the first that has one."""
    for document in documents:
        for member in _REQUEST_ID_MEMBERS:
            value = document.get(member)
            if found := string(value) or _number(value):
                return found
    return None


def slug(phrase: str | None) -> str | None:
    """Make a name for programs out of words for people: "Bad Request" is "bad_request".

    A name of that kind ("invalid_grant", "RATE_LIMITED") stays as it is, so that it equals
    the one that the server documents. Prose of more than 80 characters gives None.
    """
    phrase = (string(phrase) or "").strip()
    if len(phrase) > _MAX_PHRASE:
        return None
    if _TOKEN.fullmatch(phrase):
        return phrase
    humps = _HUMP.sub("_", _APOSTROPHE.sub("", phrase))
    return _NOT_WORD.sub("_", humps).strip("_").lower() or None


def case_insensitive(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return the same headers in a mapping that ignores the case of names (RFC 9110, 5.1)."""
    if isinstance(headers, CIMultiDict | CIMultiDictProxy):
        return headers
    pairs = ((name, value) for name, value in headers.items() if isinstance(name, str))
    return CIMultiDictProxy(CIMultiDict((n, value) for n, value in pairs if string(value)))


def media_type(headers: Mapping[str, str]) -> str:
    """Return the Content-Type without parameters, in lower case (RFC 9110, 8.3.1)."""
    given = string(case_insensitive(headers).get("Content-Type")) or ""
    return given.partition(";")[0].strip().lower()


def header_request_id(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the value of the first of these headers that is not blank, or None."""
    found = case_insensitive(headers)
    return next(filter(None, (string(found.get(name)) for name in names)), None)
