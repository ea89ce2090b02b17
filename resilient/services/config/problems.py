"""How a problem in a file is put: file, dotted key, what was given, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from attrs import evolve, frozen

from resilient.errors import ConfigError

__all__ = ["KeyPath", "Problem", "dotted", "from_error", "misfit", "nearest", "unknown_key"]

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Problem:
    """Something that is wrong at a place.

    Attributes:
        path: The keys that lead there; an integer is a place in an array, from 0.
        message: What to say after the key.
        given: What was given, as text.
        allowed: What is allowed.
    """

    path: KeyPath
    message: str
    given: str | None
    allowed: str | None

    def below(self, table: KeyPath) -> Problem:
        """The same, in a table further down."""
        return evolve(self, path=(*table, *self.path))

    def error(self, file: str | None) -> ConfigError:
        """The problem as an error, in a file."""
        where = dotted(self.path)
        message = f"{where} {self.message}"
        return ConfigError(
            message if file is None else f"{file}: {message}",
            where=where,
            given=self.given,
            allowed=self.allowed,
            file=file,
        )


def misfit(path: KeyPath, given: object, allowed: str) -> Problem:
    """A value that is not allowed."""
    return from_error(path, ConfigError.of("", given, allowed))


def from_error(path: KeyPath, error: ConfigError) -> Problem:
    """What is wrong with a field, said of a key."""
    if error.allowed is None:
        return Problem(path, f"is wrong: {error}", None, None)
    # Files know no None.
    allowed = error.allowed.replace("None or ", "false or ", 1)
    return Problem(path, f"must be {allowed}, not {error.given}", error.given, allowed)


def unknown_key(
    path: KeyPath, known: Iterable[str], elsewhere: Mapping[str, str] | None = None
) -> Problem:
    """A key that means nothing where it stands. Its value may be a secret, and is not shown.

    Args:
        path: The keys that lead to it, itself included.
        known: The keys of its table.
        elsewhere: Keys of other tables, and the dotted keys to write for them.
    """
    key = str(path[-1])
    known = sorted(known)
    meant = (elsewhere or {}).get(key) or nearest(key, known)
    hint = f" (did you mean {meant}?)" if meant else ""
    allowed = f"one of {', '.join(known)}"
    return Problem(path, f"is no known key{hint}; known here: {', '.join(known)}", key, allowed)


def nearest(slip: str, known: Iterable[str]) -> str | None:
    """The known name that a slip of the pen was meant for."""
    return next(iter(get_close_matches(slip, list(known), n=1)), None)


def dotted(path: KeyPath) -> str:
    """Keys as TOML writes them; what is no bare key is quoted."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            shown = key if _BARE.fullmatch(key) else '"' + key.replace('"', '\\"') + '"'
            text += f".{shown}" if text else shown
    return text
