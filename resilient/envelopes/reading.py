"""Read values that may hold anything: members of bodies as text, by names in any spelling.

A server in trouble does not keep to its own documentation: a message comes as a list, a
code as a number, an identifier as null. A value that reads as text is taken, any other is
passed over. Nothing here raises, and time and memory are bounded (`content` bounds the bytes).

Names are folded before they are compared: `error_code`, `errorCode`, `ErrorCode` and
`error-code` are one name, since the same member is spelt in each of these ways by somebody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

__all__ = [
    "NOTHING",
    "Members",
    "as_code",
    "case_insensitive",
    "first_text",
    "fold",
    "header_request_id",
    "is_number_of",
    "is_phrase",
    "is_sentence",
    "is_token",
    "media_type",
    "members",
    "named",
    "number",
    "ranked",
    "slug",
    "string",
    "text",
]

# More texts than this help nobody, and a hostile server would send a million.
_MAX_TEXTS: Final = 100
# The members of an object that are looked at.
_MAX_MEMBERS: Final = 200

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# "invalid_grant", "auth.expired", "RATE_LIMITED": a name for programs already.
_TOKEN: Final = re.compile(r"[^\W_]+(?:[_.:/-][^\W_]+)+|[^\W\d_]*[A-Z]\w*")
_APOSTROPHE: Final = re.compile(r"['’]")
_MARKS: Final = re.compile(r"[\s:;,.!()|-]+")
_NOT_WORD: Final = re.compile(r"[\W_]+")
# Anything longer is prose, and next time it says something else.
_MAX_PHRASE: Final = 80

# Words that only say that it is an error.
_EMPTY_WORDS: Final = frozenset(
    (
        *(
            "about:blank",
            "apierror",
            "array",
            "client",
            "err",
            "error",
            "error.list",
            "errors",
            "exception",
        ),
        *("fail", "failed", "failure", "false", "fault", "fatal", "httperror", "httpexception"),
        *("none", "nok", "null", "object", "receiver", "sender", "server", "status", "string"),
        *("true", "unknown"),
    )
)


class Members(dict[str, Any]):
    """The members of an object, by their folded names.

    Attributes:
        raw: The object itself, by the names that it has.
        is_listed: True if it is one of a list, so that its type is that of a part.
    """

    __slots__ = ("is_listed", "raw")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        super().__init__()
        self.raw = raw
        self.is_listed = False


def fold(name: str) -> str:
    """Return a name without the marks that spellings differ in."""
    return name.lower().replace("_", "").replace("-", "")


def members(value: object) -> Members:
    """Return the members of an object; none of any other value.

    Of two members whose names fold to one that counts which is spelt so, else the first.
    """
    if not isinstance(value, dict) or not value:
        return NOTHING
    found = Members(value)
    for name, held in value.items() if len(value) <= _MAX_MEMBERS else _first_of(value):
        if name.islower() and name.isalpha():
            found[name] = held
        elif (folded := fold(name)) not in found or folded == name:
            found[folded] = held
    return found


def ranked(*names: str) -> Mapping[str, int]:
    """Return names with their ranks, the first foremost, for `named`."""
    return MappingProxyType({name: rank for rank, name in enumerate(names)})


def named(holder: Members, ranks: Mapping[str, int]) -> list[str]:
    """Return which of some names an object has, by rank.

    An object has few members as a rule, and the names are many.
    """
    found = [name for name in holder if name in ranks]
    if len(found) > 1:
        found.sort(key=ranks.__getitem__)
    return found


def _first_of(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return islice(value.items(), _MAX_MEMBERS)


NOTHING: Final = Members({})


def text(value: object) -> str | None:
    """Return a value as text: a string, a number, or a list of them joined by semicolons.

    None for blank strings, true, false, null, objects and numbers that JSON does not have.
    The result always encodes to UTF-8: a lone surrogate, which JSON's escapes allow (RFC
    8259, 8.2), becomes U+FFFD.
    """
    if isinstance(value, list):
        said = (string(item) or number(item) for item in value[:_MAX_TEXTS])
        return "; ".join(filter(None, said)) or None
    return string(value) or number(value)


def string(value: object) -> str | None:
    """Return a string that is not blank, as `text` would; None for anything else."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value if value.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)


def number(value: object) -> str | None:
    """Return a number as text, as `text` would; None for anything else."""
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return str(value)
    except ValueError:  # more digits than Python converts; `content` lets none through
        return None


def first_text(document: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the text of the first of these members that has any."""
    for name in names:
        if name in document and (found := text(document[name])):
            return found
    return None


def slug(phrase: str | None) -> str | None:
    """Return the code that an error's name holds: "Bad Request" is "bad_request".

    A name for programs ("invalid_grant", "RATE_LIMITED", "BadRequestException") stays as it is,
    so that it equals the one that the server documents. Of words for people only the reason
    phrase of a status gives a code. None for any others: they change with the next release.
    """
    phrase = (string(phrase) or "").strip()
    if is_phrase(phrase) and not (is_token(phrase) and "-" in phrase):
        return _NOT_WORD.sub("_", _APOSTROPHE.sub("", phrase)).strip("_").lower()
    return phrase if is_token(phrase) else None


def is_token(word: str) -> bool:
    """Return whether a text looks like a name for programs.

    It is one word, short, no address, no number, and has marks within or capitals. A word
    that only says that there is an error ("Failure") is none.
    """
    return (
        len(word) <= _MAX_PHRASE
        and _TOKEN.fullmatch(word) is not None
        and word.lower() not in _EMPTY_WORDS
        and not word[0].isdigit()
    )


def as_code(value: object) -> str | None:
    """Return the value of a member that is there for codes, if it can be one.

    Prose is none, nor is a word that only says that there is an error.
    """
    code = string(value)
    if code is None or code.strip().lower() in _EMPTY_WORDS:
        return None
    return code if len(code.split(None, 4)) <= 4 and "://" not in code else None


def is_number_of(value: object, status: int) -> bool:
    """Return whether a code is a number that says nothing: the status again, or 0."""
    if isinstance(value, str):
        return value.strip() in (str(status), "0")
    return isinstance(value, int | float) and value in (status, 0)


def is_sentence(said: str) -> bool:
    """Return whether a text says more than one word or the reason phrase of a status would."""
    said = said.strip()
    return any(map(str.isspace, said[:_MAX_PHRASE])) and not is_phrase(said)


def is_phrase(said: str) -> bool:
    """Return whether a text is the reason phrase of a status, with the status before it or not."""
    if len(said) > _MAX_PHRASE:
        return False
    words = _MARKS.sub(" ", _APOSTROPHE.sub("", said.lower())).split()
    return " ".join(words[1:] if words and words[0].isdecimal() else words) in _PHRASES


# Those of before RFC 9110, too, and of servers that say them in other words.
_PHRASES: Final = frozenset(
    _MARKS.sub(" ", _APOSTROPHE.sub("", phrase.lower())).strip()
    for phrase in (
        *(status.phrase for status in HTTPStatus if status >= 400),
        *("Unprocessable Content", "Unprocessable Entity", "Content Too Large", "URI Too Long"),
        *("Payload Too Large", "Request Entity Too Large", "Request-URI Too Large"),
        *("Requested Range Not Satisfiable", "Range Not Satisfiable", "I'm a teapot"),
        *("Service Temporarily Unavailable", "Gateway Time-out", "Request Time-out"),
        *("Server Error", "Internal Error", "Bandwidth Limit Exceeded"),
    )
)


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
