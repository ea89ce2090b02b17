r"""Find what a body holds: a JSON object or list, XML, HTML or plain text.

Bodies are told apart by their bytes, not by their media type: proxies and frameworks send JSON
as text/html, and HTML as application/json. JSON is found in each of these, since servers send
all of them:

    a text in JSON                "Not allowed"
    JSON in a text in JSON        "{\"message\": \"...\"}"
    a line for each document      {"error": ...}\n{"status": ...}\n
    an event                      event: error\ndata: {"error": ...}
    behind a guard                )]}',\n{"error": ...}
    as a call                     callback({"error": ...});
    behind or before a warning    <br /><b>Warning</b>: ... {"error": ...}
    cut short                     {"error": {"code": "x", "mess

Of several documents the first that says anything of an error counts. No more than 256 KiB of a
body is looked at; what is behind counts as cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from resilient.envelopes.markup import is_html, xml_document
from resilient.envelopes.reading import members
from resilient.envelopes.salvage import completed

__all__ = ["Content", "ErrorBody", "Kind", "content_of", "json_object"]

Kind = Literal["object", "list", "xml", "html", "text", "nothing"]

_MOST: Final = 262_144
# Of a body that holds several documents, or one somewhere within: how many places are tried.
_MAX_DOCUMENTS: Final = 20

# Blanks, NULs and the bytes of every byte order mark, before the first byte that says anything.
_BLANK: Final = re.compile(rb"[ \t\r\n\0\xef\xbb\xbf\xfe\xff]*")
_JSON_VALUE: Final = b'{["'

# Far more than any number that a program counts with; far less than the digits (4300, and
# 640 where a process says so) from which `int` refuses.
_MAX_DIGITS: Final = 100

_GUARD: Final = r"\s*(?:\)\]\}',?|while\s*\(1\);|for\s*\(;;\);|/\*\*/|\{\}&&)\s*"
_CALL: Final = r"\s*[A-Za-z_$][\w$.]{0,100}\(\s*(?=[\[{])"
# The brace of an object that stands in no other: each is decoded, and one in another would be
# read again and again.
_BEGINNING: Final = r'(?:\A|[^\s,:[{]|[^"\s]:)\s*+(?P<object>\{)'
_EVENT: Final = r"\s*(?::|data:|event:|id:|retry:)"
_WARNING: Final = (
    r"(?i)\s*(?:<br ?/?>|<b>|(?:PHP )?(?:Warning|Notice|Deprecated|Fatal error|Parse error)\b)"
)
_CONTROL: Final = r"[\0-\x08\x0e-\x1a\x1c-\x1f\x80-\x9f\ufffd]"
_WORD: Final = r"(?i)(?!\s*(?:null|true|false|nan)\s*\Z)\s*[^{\[]*?[^\W\d_]{2}"
_ASCII_LETTER: Final = "[A-Za-z]"
# Members by which one of several documents is that of the error.
_OF_ERRORS: Final = frozenset(("error", "errors", "message", "detail", "code", "fault", "msg"))


class Content(NamedTuple):
    """The content of a body.

    Attributes:
        kind: The kind of it.
        value: The members of a JSON object, a list, the members of an object for XML, or text.
    """

    kind: Kind
    value: Any


NO_CONTENT: Final = Content("nothing", None)


class ErrorBody(bytes):
    """The bytes of an error body, with their content, found when it is first asked for.

    A chain of parsers looks at one body, and decodes it only once.
    """

    @cached_property
    def content(self) -> Content:
        """The content of the body. All callers share it: do not change it."""
        return _content(self)


def content_of(body: bytes) -> Content:
    """Return what a body holds. Never raises."""
    return body.content if isinstance(body, ErrorBody) else _content(body)


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body holds, or None if it holds anything else.

    UTF-8, UTF-16 and UTF-32 are understood, with a byte order mark or without; bytes that
    are not text become U+FFFD, and raw control characters in strings are accepted.
    Where an integer has more digits than `int` takes (4300), those of more than a hundred stay
    strings of digits. Of members with the same
    name the last counts. Of an object that is cut short the whole values are there, and a
    text that is cut ends with an ellipsis. An object is found behind a guard or a warning, in a
    text, in a line, an event or a call too. Never raises.
    """
    content = content_of(body)
    return content.value.raw if content.kind == "object" else None


def _content(body: bytes) -> Content:
    start = _BLANK.match(body).end()  # type: ignore[union-attr]  # it matches nothing, too
    if start == len(body):
        return NO_CONTENT
    head = body[:_MOST]
    if body[start] in _JSON_VALUE:
        said = head.decode(json.detect_encoding(head), "replace").lstrip("\ufeff \t\r\n\0")
        return _of_json(said) or NO_CONTENT
    decoded = _decoded(head)
    if decoded is None:
        return NO_CONTENT
    said = decoded.lstrip("\ufeff \t\r\n\0")
    if found := _embedded(said):
        return found
    if said.startswith("<"):
        if is_html(said):
            return Content("html", said)
        document = xml_document(head[start:] if len(said) < len(head) else said)
        if document is not None:
            return Content("xml", members(document))
        return Content("html", said)
    # A number, or null, is JSON that says nothing.
    return Content("text", said) if re.match(_WORD, said) else NO_CONTENT


def _decoded(head: bytes) -> str | None:
    """Return a body as text, or None if it is none."""
    encoding: str = json.detect_encoding(head[:4])
    try:
        said = head.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            # What is no UTF-8 and yet text is, as a rule, of one of the encodings of Latin.
            encoding = "latin-1"
        said = head.decode(encoding, "ignore")
    if not encoding.startswith(("utf-8", "latin")) and not re.search(_ASCII_LETTER, said):
        return None  # Two bytes that look like a byte order mark.
    return None if re.search(_CONTROL, said) else said


def _of_json(said: str) -> Content | None:
    """Return the content of a text that begins as JSON does."""
    value, rest = _decode(said)
    if value is None:
        value, rest = completed(said, _decode_whole) or None, ""
    if isinstance(value, str):
        return _of_string(value)
    if rest and isinstance(value, dict) and _OF_ERRORS.isdisjoint(value):
        # More documents follow, and this one says nothing of an error.
        for other in _documents(rest):
            if not _OF_ERRORS.isdisjoint(other):
                value = other
                break
    return _content_of_value(value)


def _of_string(value: str) -> Content | None:
    inner = value.strip()
    if inner[:1] in ("{", "["):
        found = _content_of_value(_decode_whole(inner))
        if found is not None:
            return found
    return Content("text", inner) if inner else None


def _content_of_value(value: object) -> Content | None:
    if isinstance(value, dict):
        return Content("object", members(value))
    return Content("list", value) if isinstance(value, list) else None


def _decode(said: str) -> tuple[Any, str]:
    """Return the JSON at the beginning of a text, and what follows; None if it is none."""
    try:
        value, end = _DECODER.raw_decode(said)
    except (json.JSONDecodeError, RecursionError):
        return None, ""
    except ValueError:  # an integer of more digits than `int` takes
        try:
            value, end = _CAREFUL_DECODER.raw_decode(said)
        except (ValueError, RecursionError):
            return None, ""
    return value, said[end:].strip(" \t\r\n\0;")


def _decode_whole(said: str) -> Any:
    return _decode(said)[0]


def _documents(said: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a text that holds one in each line, or one after another."""
    for line in said.split("\n", _MAX_DOCUMENTS)[:_MAX_DOCUMENTS]:
        value = _decode_whole(line.strip())
        if isinstance(value, dict):
            yield value


def _embedded(said: str) -> Content | None:
    """Return the JSON that stands within something else, or None."""
    for wrapping in (_GUARD, _CALL):
        match = re.match(wrapping, said)
        if match is not None and said[match.end() : match.end() + 1] in ("{", "["):
            return _of_json(said[match.end() :])
    if re.match(_EVENT, said):
        return _of_event(said)
    if re.match(_WARNING, said):
        return _behind_warning(said)
    return None


def _of_event(said: str) -> Content | None:
    """Return the content of the first server-sent event that says anything of an error."""
    first = None
    for event in said.replace("\r\n", "\n").split("\n\n", _MAX_DOCUMENTS)[:_MAX_DOCUMENTS]:
        lines = [line[5:].strip() for line in event.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if data[:1] in ("{", "[", '"') and (found := _of_json(data)):
            first = first or found
            if found.kind != "object" or not _OF_ERRORS.isdisjoint(found.value):
                return found
        elif data and data != "[DONE]" and "error" in event.partition("data:")[0]:
            return Content("text", data)
    return first


def _behind_warning(said: str) -> Content | None:
    for match in islice(re.finditer(_BEGINNING, said), _MAX_DOCUMENTS):
        value, rest = _decode(said[match.start("object") :])
        if isinstance(value, dict) and value and not rest:
            return Content("object", members(value))
    return None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


_DECODER: Final = json.JSONDecoder(strict=False)
# It calls for each integer, which is slow.
_CAREFUL_DECODER: Final = json.JSONDecoder(parse_int=_integer, strict=False)
