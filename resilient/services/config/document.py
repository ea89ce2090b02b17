"""A file, or a mapping that was read elsewhere, as a document to look into."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from resilient.errors import ConfigError

__all__ = ["MAX_BYTES", "Document", "read"]

# A thousand services, each with settings of its own, take half of this.
MAX_BYTES: Final = 2 * 1024 * 1024


@frozen
class Document:
    """What was read.

    Attributes:
        label: What errors call it: the path as it was given; None for a mapping.
        tables: The top level.
    """

    label: str | None
    tables: Mapping[str, Any]


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Document:
    """Read a TOML file; a mapping stands for itself.

    Raises:
        ConfigError: There is no such file, it cannot be read, is too large, not UTF-8, or
            not valid TOML.
    """
    if isinstance(source, Mapping):
        return Document(None, source)
    if not isinstance(source, str | os.PathLike):
        raise ConfigError.of("a file of services", source, "a path, or a mapping")
    label = os.fspath(source)
    return Document(label, _parse(label, _read(label)))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path}: is larger than a file of services may be ({MAX_BYTES // 1024**2} MiB)"
        )
    return content


def _parse(path: str, content: bytes) -> dict[str, Any]:
    try:
        # Some editors begin a file with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: is not UTF-8 (at line {line})") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
        raise ConfigError(f"{path}: is not valid TOML: {error}") from None
