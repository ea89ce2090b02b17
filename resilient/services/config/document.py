"""Read a TOML file and those that it includes, or take a mapping that was read elsewhere.

    include = ["shared.toml", "team/billing.toml"]

takes in other files. Each service, each preset and `[default]` is defined once, whichever file it
is in, and may be extended from any of them.

- A path is relative to the file that names it, and written as it is: no patterns, since a file that
  somebody drops into a folder should change nothing.
- Only files below the folder of the first file: no `..`, no absolute path, no symbolic link that
  leads out. Whoever may write one of them decides how calls are made, and nobody else.
- Two ways may lead to the same file, which is read once; a circle is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

from attrs import define, field, frozen

from resilient.errors import ConfigError
from resilient.services.config.positions import Positions
from resilient.services.config.problems import KeyPath, Problem, misfit
from resilient.services.config.spelling import spelled
from resilient.services.config.text import (
    INTEGER_TOO_LARGE,
    MAX_DEPTH,
    Text,
    UnreadableError,
    parse,
    read_text,
)

__all__ = ["INCLUDE", "Document", "Source", "checked", "read"]

INCLUDE: Final = "include"
# A table of settings; the others are tables of tables.
_DEFAULT: Final = "default"

Source = str | os.PathLike[str] | Mapping[str, Any] | Text

_INTEGERS_END: Final = 2**63

# Files that one file may take in, itself included.
_MOST_FILES: Final = 1000

# Keys that are named of one that is nested too deeply: as far as the part of a service.
_SHOWN_OF_PATH: Final = 3

_ALLOWED: Final = 'an array of paths, such as ["shared.toml"]'


@frozen
class Document:
    """A file and those that it includes, or a mapping.

    Attributes:
        label: The path as it was given, which errors begin with; None for a mapping.
        tables: The top level.
        folder: The folder of the first file; None if there is none.
        texts: The text of each file, by its path; the first file first.
        homes: The files that the keys of the two upper levels are in.
        variables: The variables of the environment that settings come from.
    """

    label: str | None
    tables: Mapping[str, Any]
    folder: str | None = None
    texts: Mapping[str, str] = field(factory=dict, repr=False)
    homes: Mapping[KeyPath, str] = field(factory=dict, repr=False)
    variables: Mapping[KeyPath, str] = field(factory=dict, repr=False)
    _positions: dict[str, Positions] = field(factory=dict, init=False, eq=False, repr=False)

    def error(self, problem: Problem, file: str | None = None) -> ConfigError:
        """Return a problem as an error that says where it stands.

        Args:
            problem: The problem.
            file: The file that it is in; by default the one that its table is in.
        """
        path = problem.path
        for end in range(len(path), 0, -1):
            if path[:end] in self.variables:
                return problem.error(variable=self.variables[path[:end]])
        file = file or self.homes.get(path[:2]) or self.homes.get(path[:1]) or self.label
        if file is None or file not in self.texts:
            return problem.error(file=file)
        found = self.positions(file)
        at = found.of_key(path) if problem.is_of_key else found.of_value(path)
        return problem.error(file=file, line=at.line, column=at.column)

    def positions(self, file: str) -> Positions:
        """Return the positions in a file."""
        if file not in self._positions:
            self._positions[file] = Positions(self.texts[file])
        return self._positions[file]


def read(source: Source) -> Document:
    """Read a TOML file and those that it includes; a mapping stands for itself.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
        ConfigError: A file is too large, not UTF-8, not valid TOML, or includes what it may not; or
            a mapping holds what TOML could not.
    """
    if isinstance(source, Mapping):
        document = Document(None, source)
        if INCLUDE in source:
            raise document.error(_misplaced("a mapping"))
    elif isinstance(source, Text):
        text = read_text(source)
        document = Document(source.label, parse(source.label, text), None, {source.label: text})
        if INCLUDE in document.tables:
            raise document.error(_misplaced("the standard input"))
    elif isinstance(source, str | os.PathLike):
        document = _Tree(os.fsdecode(source)).read()
    else:
        raise ConfigError.of("a file of services", source, "a path, or a mapping")
    return checked(document)


def checked(document: Document) -> Document:
    """Return a document, if it holds nothing that TOML could not.

    Raises:
        ConfigError: It does.
    """
    if foreign := [document.error(each) for each in _foreign(document.tables)]:
        raise ConfigError.of_all(foreign)
    return document


def _misplaced(source: str) -> Problem:
    message = f"is for files: {source} is in no folder, and a path is relative to that"
    return Problem((INCLUDE,), message, is_of_key=True)


@define
class _Tree:
    """Reads a file and those that it includes."""

    label: str
    # A link to a file is followed, as Python does for a script.
    folder: str = field(init=False)
    tables: dict[str, Any] = field(factory=dict, init=False)
    document: Document = field(init=False)
    errors: list[ConfigError] = field(factory=list, init=False)

    def read(self) -> Document:
        text = read_text(self.label)
        self.folder = os.path.dirname(os.path.realpath(self.label))
        texts: dict[str, str] = {}
        homes: dict[KeyPath, str] = {}
        self.document = Document(self.label, self.tables, self.folder, texts, homes)
        # With the way that led there: the real paths of the files, and their names.
        pending = [(self.label, text, {os.path.realpath(self.label): self.label})]
        known = set(pending[0][2])
        while pending:
            label, text, way = pending.pop(0)
            texts[label] = text
            own = parse(label, text)
            included = own.pop(INCLUDE, [])
            self._merge(label, own, homes)
            for place, name in self._names(label, included):
                found = self._open(label, place, name, way, known)
                if found is not None:
                    pending.append(found)
        if self.errors:
            raise ConfigError.of_all(self.errors)
        return self.document

    def _names(self, label: str, included: Any) -> Iterator[tuple[int, str]]:
        """Return the paths that a file includes, and complain of what is none."""
        if not isinstance(included, list):
            self._complain(label, misfit((INCLUDE,), included, _ALLOWED))
            return
        for place, name in enumerate(included):
            allowed = _why_not(name)
            if allowed is None:
                yield place, name
            else:
                self._complain(label, misfit((INCLUDE, place), name, allowed))

    def _open(
        self, label: str, place: int, name: str, way: Mapping[str, str], known: set[str]
    ) -> tuple[str, str, dict[str, str]] | None:
        """Return an included file, its text and the way to it; None if that is not to be read."""
        path: KeyPath = (INCLUDE, place)
        # Of a link to a file the folder of that counts.
        base = os.path.dirname(label)
        home = os.path.dirname(os.path.realpath(label))
        target = os.path.join(base if os.path.realpath(base) == home else home, name)
        real = os.path.realpath(target)
        if not _is_below(self.folder, real):
            allowed = f"a path that stays in the folder of {self.label} (a link leads out of it)"
            self._complain(label, misfit(path, name, allowed))
        elif real in way:
            names = [*way.values()][[*way].index(real) :]
            circle = " -> ".join([*names, target])
            self._complain(label, misfit(path, name, f"no file that includes this one ({circle})"))
        elif real not in known:
            known.add(real)
            if len(known) > _MOST_FILES:
                raise self.document.error(
                    Problem(path, f"is one file too many: at most {_MOST_FILES}"), label
                )
            if os.path.exists(real) and not os.path.isfile(real) and not os.path.isdir(real):
                # To read a pipe would wait for whoever writes to it, perhaps for ever.
                self._complain(label, misfit(path, name, "the path of a regular file"))
                return None
            try:
                return target, read_text(target), {**way, real: target}
            except UnreadableError as error:
                _, _, reason = str(error).partition(": ")
                self._complain(
                    label, Problem(path, f"names {spelled(target)}, which {reason}", name)
                )
        return None

    def _merge(self, label: str, own: Mapping[str, Any], homes: dict[KeyPath, str]) -> None:
        """Take in the tables of a file, each of which is defined once."""
        for key, value in own.items():
            known = self.tables.get(key)
            if isinstance(value, dict) and isinstance(known, dict) and key != _DEFAULT:
                for name, each in value.items():
                    self._take(label, (key, name), known, name, each, homes)
            elif key in self.tables:
                self._twice(label, (key,), homes)
            else:
                self._take(label, (key,), self.tables, key, value, homes)
                if isinstance(value, dict):
                    homes.update({(key, name): label for name in value})

    def _take(
        self,
        label: str,
        path: KeyPath,
        table: dict[str, Any],
        key: str,
        value: Any,
        homes: dict[KeyPath, str],
    ) -> None:
        if path in homes:
            self._twice(label, path, homes)
        else:
            homes[path] = label
            table[key] = value

    def _twice(self, label: str, path: KeyPath, homes: Mapping[KeyPath, str]) -> None:
        first = homes[path]
        line, column = self.document.positions(first).of_key(path)
        message = f"is defined twice, first at {first}:{line}:{column}"
        allowed = "defined once; the other may extend it under a name of its own"
        problem = Problem(path, f"{message}, and must be {allowed}", None, allowed, is_of_key=True)
        self._complain(label, problem)

    def _complain(self, label: str, problem: Problem) -> None:
        self.errors.append(self.document.error(problem, label))


def _is_below(folder: str, path: str) -> bool:
    try:
        return os.path.commonpath([folder, path]) == folder
    except ValueError:  # on another drive
        return False


def _why_not(name: object) -> str | None:
    """Return what a path must be that is none to include, or None for one that may be."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return 'the path of a file, such as "shared.toml"'
    ways = PurePosixPath(name), PureWindowsPath(name)
    if any(each.is_absolute() or each.drive or each.root for each in ways):
        return "a path relative to this file, not an absolute one"
    if any(".." in each.parts for each in ways):
        return 'a path below the folder of this file, without ".."'
    if any(each in name for each in "*?["):
        return "the path of one file: patterns are not expanded, list the files"
    return None


def _foreign(tables: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what TOML has not: a mapping may hold anything, and `tomllib` is lenient."""
    pending: list[tuple[KeyPath, Any]] = [((), tables)]
    while pending:
        path, value = pending.pop()
        if len(path) > MAX_DEPTH:
            yield Problem(path[:_SHOWN_OF_PATH], "is nested too deeply")
            return
        is_table = isinstance(value, Mapping)
        for key, each in value.items() if is_table else enumerate(value):
            if is_table and not isinstance(key, str):
                kind = type(key).__name__
                yield Problem(path, f"must have texts for keys, not one of type {kind}")
            elif isinstance(each, Mapping | list | tuple):
                pending.append(((*path, key), each))
            elif isinstance(each, int) and not -_INTEGERS_END <= each < _INTEGERS_END:
                yield Problem((*path, key), INTEGER_TOO_LARGE)
