"""Complete JSON that is cut short, so that what came before the cut can be read.

A server cuts a body when it fails in the middle, and we do when one is too long. Code and
message come first as a rule. What was whole stays; of what was cut only a text that is meant
for people is kept, with an ellipsis, since half a code or half a name is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from resilient.envelopes.reading import fold

__all__ = ["completed"]

# A text, or the mark that opens, closes or parts.
_PART: Final = r'(?s)"(?:[^"\\]+|\\.)*+"|[][{},:]|"'
_SCALAR: Final = r"\s*(?:-?[0-9][0-9.eE+-]*|true|false|null)\s*"
_HALF_ESCAPE: Final = r"(?i)\\(?:u[0-9a-fA-F]{0,3})?\Z|\\ud[89ab][0-9a-f]{2}\Z"
_CLOSING: Final = {"{": "}", "[": "]"}
# An error has no more parts before what counts, and is no deeper; a hostile body is both.
_MAX_PARTS: Final = 5_000
_MAX_DEPTH: Final = 60
_MAX_CUT_TEXT: Final = 2_000
# Members whose text is for people.
_FOR_PEOPLE: Final = frozenset(
    ("message", "errormessage", "errordescription", "msg", "detail", "description", "title")
)


def completed(said: str, decode: Callable[[str], Any]) -> Any:
    """Return the value that a text begins with, without what was cut off; None if it has none.

    Args:
        said: The text, which begins with a bracket, a brace or a quotation mark.
        decode: Decodes JSON, or returns None.
    """
    closers = ""
    # Up to where everything is whole, and the brackets to close there.
    whole, open_then = 0, ""
    key: str | None = None
    last, last_end = "", 0
    was_colon = False
    cut_text = ""
    for count, part in enumerate(re.finditer(_PART, said)):
        mark, start, end = part.group(), part.start(), part.end()
        if count == _MAX_PARTS or len(closers) > _MAX_DEPTH:
            break
        # A number, or true, or null may stand before it.
        if mark in ("}", "]", ",") and said[last_end:start].strip():
            if not re.compile(_SCALAR).fullmatch(said, last_end, start):
                break
            whole, open_then = start, closers
        if mark in _CLOSING:
            closers = _CLOSING[mark] + closers
            whole, open_then = end, closers
            was_colon = False
        elif mark in ("}", "]"):
            if closers[:1] != mark:
                break
            closers = closers[1:]
            whole, open_then = end, closers
        elif mark == '"':
            if closers and was_colon and key is not None and fold(key) in _FOR_PEOPLE:
                cut = said[start : start + _MAX_CUT_TEXT]
                cut_text = said[:start] + re.sub(_HALF_ESCAPE, "", cut) + '…"'
                cut_text += closers
            break
        elif mark == ":":
            was_colon = True
            key = last[1:-1]
        elif mark == ",":
            was_colon = False
        elif not closers:
            break
        elif closers[0] == "]" or was_colon:
            whole, open_then = end, closers
        last, last_end = mark, end
    if cut_text and (value := decode(cut_text)) is not None:
        return value
    return decode(said[:whole] + open_then) if whole else None
