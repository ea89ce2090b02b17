"""The body of an error as a JSON object, decoded once and whatever it holds.

Error bodies come from whatever stood in the way: a proxy's HTML, a document cut short, a
page in another encoding, a server that has been taken over. Decoding them must neither
raise nor take more than its share of time and memory (the reader bounds the bytes; this
bounds what is made of them).
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

__all__ = ["ErrorBody", "json_object"]

# Blanks, NULs and the bytes of every byte order mark, then a brace: enough to see, in any
# encoding of RFC 4627 section 3, whether an object can follow.
_LOOKS_LIKE_OBJECT = re.compile(rb"[ \t\r\n\0\xef\xbb\xbf\xfe\xff]*\{")

# Far more than any number that a program counts with; far less than the digits (4300, and
# 640 where a process says so) from which `int` refuses.
_MOST_DIGITS = 100


class ErrorBody(bytes):
    """The bytes of an error body, which remember the object that they hold.

    A chain of parsers looks at one body; wrapped in this it is decoded only once.
    """

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The JSON object in the body, shared by all who ask: to be read, not changed."""
        return _decode(self)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body holds, or None if it holds anything else.

    UTF-8, UTF-16 and UTF-32 are understood, with a byte order mark or without; bytes that
    are not text become U+FFFD, and raw control characters in strings are let pass.
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
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_integer, strict=False)
