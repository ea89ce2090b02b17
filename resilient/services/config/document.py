"""Read a TOML file, or take a mapping that was read elsewhere."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from resilient.errors import ConfigError
from resilient.services.config.problems import KeyPath, Problem

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


class UnreadableError(ConfigError):
    """There is no such file, or it cannot be read."""


@frozen
class Document:
    """A file or a mapping that was read.

    Attributes:
        label: The path as it was given, which errors begin with; None for a mapping.
        tables: The top level.
    """

    label: str | None
    tables: Mapping[str, Any]


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
        document = Document(label, _parse(label, _read(label)))
    else:
        raise ConfigError.of("a file of services", source, "a path, or a mapping")
    if foreign := [each.error(document.label) for each in _foreign(document)]:
        raise ConfigError.of_all(foreign)
    return document


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableError(f"{path}: cannot be read: {reason}", file=path) from error
    if len(content) > MAX_BYTES:
        most = f"{MAX_BYTES // 1024**2} MiB"
        raise _refused(path, f"is larger than a file of services may be ({most})")
    return content


def _parse(path: str, content: bytes) -> dict[str, Any]:
    try:
        # Some editors begin a file with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(path, f"is not UTF-8 (at line {line})") from None
    for line, each in enumerate(content.split(b"\n"), 1):
        if each.count(b".") >= MAX_DEPTH and _DEEP_KEY.search(each):
            raise _refused(path, f"is nested too deeply (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _refused(path, "is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
        raise _refused(path, f"is not valid TOML: {error}") from None


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
                yield Problem(path, f"must have texts for keys, not one of type {kind}", None, None)
            elif isinstance(each, Mapping | list | tuple):
                pending.append(((*path, key), each))
            elif isinstance(each, int) and not -_INTEGERS_END <= each < _INTEGERS_END:
                yield Problem((*path, key), "holds an integer of more than 64 bits", None, None)


def _refused(path: str | None, message: str) -> ConfigError:
    return ConfigError(f"{'the mapping' if path is None else path}: {message}", file=path)
