"""Read the text of a TOML file, and parse it; say where and why if that fails."""

from __future__ import annotations

import re
import tomllib
from ast import literal_eval
from codecs import BOM_UTF8
from types import MappingProxyType
from typing import Any, Final, NoReturn

from attrs import frozen

from resilient.errors import ConfigError
from resilient.services.config.problems import dotted

__all__ = [
    "INTEGER_TOO_LARGE",
    "MAX_BYTES",
    "MAX_DEPTH",
    "Text",
    "UnreadableError",
    "parse",
    "read_text",
]

# In bytes. A thousand services, each with settings of its own, take half of this.
MAX_BYTES: Final = 2 * 1024 * 1024

# Tables and arrays inside one another. A setting is five deep; whoever walks through more
# than this runs out of stack at some point.
MAX_DEPTH: Final = 64

# A key of more parts than that. `tomllib` takes memory and time by the square of their number,
# and has a limit of its own only since 2026 (python/cpython#149231).
_DEEP_KEY: Final = re.compile(
    rb"""(?<![\w-]) (?: (?: [\w-]++ | "[^"]*+" | '[^']*+' ) \. ){%d}""" % MAX_DEPTH, re.VERBOSE
)

INTEGER_TOO_LARGE: Final = "holds an integer of more than 64 bits"
# Python has a limit of 4300 digits, and nobody can make it less than 640.
_LONG_INTEGER: Final = re.compile("[0-9][0-9_]{639,}")

# How `tomllib` puts a dotted key.
_TUPLE: Final = re.compile(r"\((?:'[^']*',? ?)+\)")
# Its words for a key that is there already.
_TWICE: Final = "Cannot overwrite a value"

# How to mend what it is that many meet.
_VALUES: Final = 'a text is in quotes, "20s"; true and false are in lower case'
_HINTS: Final = MappingProxyType(
    {
        "Invalid value": _VALUES,
        "Expected newline or end of document after a statement": _VALUES,
        "Expected '=' after a key in a key/value pair": "a table's name is in brackets: [default]",
        "Invalid statement": "each line is a key, an equals sign and a value, or a table's name",
    }
)
_HINTS_BY_BEGINNING: Final = (
    ("Illegal character", "a text ends in its line, with the quote that it begins with"),
    ("Cannot mutate immutable namespace", "a table in braces is complete: write all keys in it"),
    ("Cannot declare", "write all of its keys in one place"),
)
# The beginning of a document of another format.
_JSON: Final = "this looks like JSON, and files of services are TOML"


class UnreadableError(ConfigError):
    """There is no such file, or it cannot be read."""


@frozen
class Text:
    """The content of a file that was read elsewhere, such as the standard input.

    Attributes:
        label: What problems call it.
        content: At most one byte more than `MAX_BYTES`.
    """

    label: str
    content: bytes


def read_text(source: str | Text) -> str:
    """Return the text of a file, or of a content that was read elsewhere.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
        ConfigError: It is too large, nested too deeply, or not UTF-8.
    """
    if isinstance(source, Text):
        return _decoded(source.label, source.content)
    return _decoded(source, _read(source))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableError(f"{path}: cannot be read: {reason}", file=path) from error
    return content


def _decoded(path: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        most = f"{MAX_BYTES // 1024**2} MiB"
        raise refused(path, f"is larger than a file of services may be ({most})")
    # Some editors begin a file with a byte order mark.
    content = content.removeprefix(BOM_UTF8)
    for line, each in enumerate(content.split(b"\n"), 1):
        deep = _DEEP_KEY.search(each) if each.count(b".") >= MAX_DEPTH else None
        if deep:
            before = each[: deep.start()].decode(errors="replace")
            raise refused(path, "is nested too deeply", line, len(before) + 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return _refuse_at(path, "is not UTF-8", content[: error.start].decode())


def parse(path: str, text: str) -> dict[str, Any]:
    """Parse the text of a file.

    Raises:
        ConfigError: It is not valid TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise refused(path, "is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        return _refuse_toml(path, text, str(error))
    except ValueError:  # an integer of more digits than Python reads
        before, *_ = _LONG_INTEGER.split(text, 1)
        return _refuse_at(path, INTEGER_TOO_LARGE, before)


def _refuse_toml(path: str, text: str, said: str) -> NoReturn:
    """Say what `tomllib` says in one place, in words of TOML, and how to mend what many meet."""
    said, _, place = said.partition(" (at ")
    said = _TUPLE.sub(lambda found: dotted(literal_eval(found[0])), said)
    place = place.rstrip(")")
    numbers = [int(each) for each in re.findall("[0-9]+", place)]
    if said == _TWICE and numbers:
        before, is_pair, _ = text.split("\n")[numbers[0] - 1].partition("=")
        said = f"{before.strip()} is set twice" if is_pair else said
    hint = _HINTS.get(said, "")
    hint = next((each for start, each in _HINTS_BY_BEGINNING if said.startswith(start)), hint)
    if text.lstrip().startswith("{"):
        hint = _JSON
    message = f"is not valid TOML: {said}{hint and f' ({hint})'}"
    if numbers:
        raise refused(path, message, *numbers) from None
    if place:  # the end of the document
        _refuse_at(path, message, text)
    raise refused(path, message) from None


def _refuse_at(path: str, message: str, before: str) -> NoReturn:
    line = before.count("\n") + 1
    raise refused(path, message, line, len(before) - before.rfind("\n")) from None


def refused(
    path: str | None, message: str, line: int | None = None, column: int | None = None
) -> ConfigError:
    """Return the error about a file as a whole, or about a place in it; None for a mapping."""
    if path is None:
        return ConfigError(f"the mapping: {message}")
    return ConfigError.at(message, file=path, line=line, column=column)
