"""Read a TOML file, or take a mapping that was read elsewhere."""

from __future__ import annotations

import os
import re
import tomllib
from ast import literal_eval
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn

from attrs import field, frozen

from resilient.errors import ConfigError
from resilient.services.config.positions import Positions
from resilient.services.config.problems import KeyPath, Problem, dotted

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Document", "UnreadableError", "read"]

# In bytes. A thousand services, each with settings of its own, take half of this.
MAX_BYTES: Final = 2 * 1024 * 1024

# Tables and arrays inside one another. A setting is five deep; whoever walks through more
# than this runs out of stack at some point.
MAX_DEPTH: Final = 64

_INTEGERS_END: Final = 2**63

# A key of more parts than that. `tomllib` takes memory and time by the square of their number,
# and has a limit of its own only since 2026 (python/cpython#149231).
_DEEP_KEY: Final = re.compile(
    rb"""(?<![\w-]) (?: (?: [\w-]++ | "[^"]*+" | '[^']*+' ) \. ){%d}""" % MAX_DEPTH, re.VERBOSE
)

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
    }
)


class UnreadableError(ConfigError):
    """There is no such file, or it cannot be read."""


@frozen
class Document:
    """A file or a mapping that was read.

    Attributes:
        label: The path as it was given, which errors begin with; None for a mapping.
        tables: The top level.
        texts: The text of each file that it was read from, by its path.
    """

    label: str | None
    tables: Mapping[str, Any]
    texts: Mapping[str, str] = field(factory=dict, repr=False)
    _positions: dict[str, Positions] = field(factory=dict, init=False, eq=False, repr=False)

    def error(self, problem: Problem) -> ConfigError:
        """Return a problem as an error that says where it stands."""
        file = self.label
        if file is None or file not in self.texts:
            return problem.error(file=file)
        if file not in self._positions:
            self._positions[file] = Positions(self.texts[file])
        found = self._positions[file]
        at = found.of_key(problem.path) if problem.is_of_key else found.of_value(problem.path)
        return problem.error(file=file, line=at.line, column=at.column)


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Document:
    """Read a TOML file; a mapping stands for itself.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
        ConfigError: The file is too large, not UTF-8 or not valid TOML; or a mapping holds what
            TOML could not.
    """
    if isinstance(source, Mapping):
        document = Document(None, source)
    elif isinstance(source, str | os.PathLike):
        label = os.fsdecode(source)
        text = _decoded(label, _read(label))
        document = Document(label, _parse(label, text), {label: text})
    else:
        raise ConfigError.of("a file of services", source, "a path, or a mapping")
    if foreign := [document.error(each) for each in _foreign(document)]:
        raise ConfigError.of_all(foreign)
    return document


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableError(f"{path}: cannot be read: {reason}", file=path) from error
    return content


def _decoded(path: str, content: bytes) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: It is too large, nested too deeply, or not UTF-8.
    """
    if len(content) > MAX_BYTES:
        most = f"{MAX_BYTES // 1024**2} MiB"
        raise _refused(path, f"is larger than a file of services may be ({most})")
    # Some editors begin a file with a byte order mark.
    content = content.removeprefix(BOM_UTF8)
    for line, each in enumerate(content.split(b"\n"), 1):
        deep = _DEEP_KEY.search(each) if each.count(b".") >= MAX_DEPTH else None
        if deep:
            before = each[: deep.start()].decode(errors="replace")
            raise _refused(path, "is nested too deeply", line, len(before) + 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return _refuse_at(path, "is not UTF-8", content[: error.start].decode())


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _refused(path, "is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
        return _refuse_toml(path, text, str(error))


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
    message = f"is not valid TOML: {said}{hint and f' ({hint})'}"
    if numbers:
        raise _refused(path, message, *numbers) from None
    if place:  # the end of the document
        _refuse_at(path, message, text)
    raise _refused(path, message) from None


def _refuse_at(path: str, message: str, before: str) -> NoReturn:
    line = before.count("\n") + 1
    raise _refused(path, message, line, len(before) - before.rfind("\n")) from None


def _foreign(document: Document) -> Iterator[Problem]:
    """Find what TOML has not: a mapping may hold anything, and `tomllib` is lenient."""
    pending: list[tuple[KeyPath, Any]] = [((), document.tables)]
    while pending:
        path, value = pending.pop()
        if len(path) > MAX_DEPTH:
            raise _refused(document.label, "is nested too deeply")
        is_table = isinstance(value, Mapping)
        for key, each in value.items() if is_table else enumerate(value):
            if is_table and not isinstance(key, str):
                kind = type(key).__name__
                yield Problem(path, f"must have texts for keys, not one of type {kind}")
            elif isinstance(each, Mapping | list | tuple):
                pending.append(((*path, key), each))
            elif isinstance(each, int) and not -_INTEGERS_END <= each < _INTEGERS_END:
                yield Problem((*path, key), "holds an integer of more than 64 bits")


def _refused(
    path: str | None, message: str, line: int | None = None, column: int | None = None
) -> ConfigError:
    if path is None:
        return ConfigError(f"the mapping: {message}")
    return ConfigError.at(message, file=path, line=line, column=column)
