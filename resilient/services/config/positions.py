"""Find where each key and value of a TOML file stands, once something is wrong with one.

`tomllib` keeps no positions, and what keeps the text (tomlkit) has none to ask for. So a file that
is right is read by `tomllib` alone, and costs nothing; a file in which something is wrong is walked
through once more, here. It is known to be valid TOML by then, so the walk only has to tell keys,
texts and brackets apart.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from resilient.services.config.problems import KeyPath

__all__ = ["Position", "Positions"]

_BLANK: Final = re.compile(r"[ \t]*")
# Between lines, and between the values of an array.
_GAP: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_TEXT: Final = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*"{3,5}' r"|'''(?:(?!''').)*'{3,5}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
# A number, a date (there may be a blank in one), true or false.
_OTHER: Final = re.compile(r"[^,\]}#\r\n]*")


class Position(NamedTuple):
    """A place in a text; both count from 1, columns in characters."""

    line: int
    column: int


class Positions:
    """The positions of the keys and values of a TOML document.

    Args:
        text: The document, which is valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        # Where each line begins: to count them anew for each of many problems takes too long.
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        # Where the key and the value of each path begin.
        self._keys: dict[KeyPath, int] = {(): 0}
        self._values: dict[KeyPath, int] = {(): 0}
        # How many tables each array of tables has so far.
        self._counts: dict[KeyPath, int] = {}
        self._read()

    def of_key(self, path: KeyPath) -> Position:
        """Return the position of a key; that of the nearest table around it if it is not there."""
        return self._nearest(self._keys, path)

    def of_value(self, path: KeyPath) -> Position:
        """Return the position of a value; that of the nearest table if it is not there."""
        return self._nearest(self._values, path)

    def __contains__(self, path: object) -> bool:
        return path in self._keys

    def __iter__(self) -> Iterator[KeyPath]:
        return iter(self._keys)

    def _nearest(self, offsets: dict[KeyPath, int], path: KeyPath) -> Position:
        while path not in offsets:
            path = path[:-1]
        offset = offsets[path]
        line = bisect_right(self._lines, offset)
        return Position(line, offset - self._lines[line - 1] + 1)

    # -- the walk; each function is given an offset, and returns the one after what it has read

    def _read(self) -> None:
        text = self._text
        table: KeyPath = ()
        at = self._skip(_GAP, 0)
        while at < len(text):
            if text[at] == "[":
                table, at = self._header(at)
            else:
                at = self._pair(table, at)
            at = self._skip(_GAP, at)

    def _skip(self, blank: re.Pattern[str], at: int) -> int:
        found = blank.match(self._text, at)
        assert found is not None, "it may be empty"
        return found.end()

    def _header(self, at: int) -> tuple[KeyPath, int]:
        opening = "[[" if self._text.startswith("[[", at) else "["
        parts, end = self._key(at + len(opening))
        path: KeyPath = ()
        for place, (name, offset) in enumerate(parts):
            path = (*path, name)
            is_last = place == len(parts) - 1
            if is_last and opening == "[":
                # It may have been named before, by a table in it.
                self._keys[path] = self._values[path] = offset
            else:
                self._note(path, offset, offset)
            if is_last and opening == "[[":
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._note(path, offset, offset)
        return path, end + len(opening)

    def _key(self, at: int) -> tuple[list[tuple[str, int]], int]:
        """Read a key, perhaps a dotted one: its parts, and where each stands."""
        parts = []
        while True:
            at = self._skip(_BLANK, at)
            quoted = _TEXT.match(self._text, at)
            found = quoted or _BARE.match(self._text, at)
            assert found is not None, "it is valid TOML"
            name = next(iter(tomllib.loads(f"{quoted[0]}=0"))) if quoted else found[0]
            parts.append((name, at))
            at = self._skip(_BLANK, found.end())
            if not self._text.startswith(".", at):
                return parts, at
            at += 1

    def _pair(self, table: KeyPath, at: int) -> int:
        parts, end = self._key(at)
        value = self._skip(_BLANK, end + 1)
        path = table
        for place, (name, offset) in enumerate(parts):
            path = (*path, name)
            self._note(path, offset, value if place == len(parts) - 1 else offset)
        return self._value(path, value)

    def _note(self, path: KeyPath, key: int, value: int) -> None:
        self._keys.setdefault(path, key)
        self._values.setdefault(path, value)

    def _value(self, path: KeyPath, at: int) -> int:
        opening = self._text[at]
        if opening not in "[{":
            found = _TEXT.match(self._text, at) or _OTHER.match(self._text, at)
            assert found is not None, "it may be empty"
            return found.end()
        place = 0
        at = self._skip(_GAP, at + 1)
        while self._text[at] not in "]}":
            if opening == "{":
                at = self._pair(path, at)
            else:
                self._note((*path, place), at, at)
                at = self._value((*path, place), at)
                place += 1
            at = self._skip(_GAP, at)
            if self._text[at] == ",":
                at = self._skip(_GAP, at + 1)
        return at + 1
