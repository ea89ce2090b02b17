"""Write values as TOML spells them: true, "x", [429, "500-504"], { code = "a" }.

A text may hold a URL, and a URL credentials. They are taken out here, of the text as it was given:
once it is in quotes or cut off, nobody can tell where they end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from itertools import chain
from typing import Final

from resilient.support.redact import public_text

__all__ = ["kind_of", "spelled", "spelled_key"]

# The kinds of values in words of TOML; bool before int, which it is in Python.
_KINDS: Final = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a float"),
    (str, "a text"),
    (list | tuple, "an array"),
    (date | time, "a date or time"),
    (Mapping, "a table"),
)

_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")

# From its scheme to the end of the text: a password may hold anything.
_URL: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{0,40}://.+", re.DOTALL)

# Characters of a key that are shown.
_SHOWN_OF_KEY: Final = 100

# Characters of a value that are shown.
_SHOWN: Final = 300


def spelled(value: object) -> str:
    """Return a value as TOML spells it, or Python where TOML has none; a long one is cut."""
    text = ""
    for part in _parts(value):
        text += part
        if len(text) > _SHOWN:
            return text[: _SHOWN - 1] + "…"
    return text


def spelled_key(key: str) -> str:
    """Return a key as TOML spells it: in quotes if it has to be; a long one is cut."""
    return key if _BARE.fullmatch(key) else _quoted(key, _SHOWN_OF_KEY)


def kind_of(value: object) -> str:
    """Return the kind of a value in words: "an integer", "a text"."""
    words = (words for kind, words in _KINDS if isinstance(value, kind))
    return next(words, f"a {type(value).__name__}")


def _quoted(text: str, most: int) -> str:
    shown = _URL.sub(lambda found: public_text(found[0]), text)
    if len(shown) > most:
        shown = shown[: most - 1] + "…"
    # What JSON escapes in a text, and how, TOML does too (DEL apart).
    return json.dumps(shown, ensure_ascii=not shown.isprintable()).replace("\x7f", "\\u007f")


def _parts(value: object) -> Iterator[str]:
    """Return the text in parts, so that the end of a long one need not be made."""
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield _quoted(value, _SHOWN)
    elif isinstance(value, date | time):  # a datetime is a date
        yield value.isoformat()
    elif isinstance(value, Mapping):
        pairs = (
            chain((f"{spelled_key(str(key))} = ",), _parts(each)) for key, each in value.items()
        )
        yield from _within("{ ", pairs, " }") if value else ("{}",)
    elif isinstance(value, list | tuple):
        yield from _within("[", map(_parts, value), "]")
    else:
        yield repr(value)


def _within(opening: str, items: Iterable[Iterable[str]], closing: str) -> Iterator[str]:
    yield opening
    for place, item in enumerate(items):
        if place:
            yield ", "
        yield from item
    yield closing
