"""Put problems in a file into words: file, dotted key, what was given, what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from attrs import evolve, frozen

from resilient.errors import ConfigError
from resilient.support.text import printable

__all__ = [
    "KeyPath",
    "NamedCodeError",
    "Problem",
    "dotted",
    "from_error",
    "misfit",
    "nearest",
    "unknown_keys",
]

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]{1,100}")

# How much of a longer key is shown.
_SHOWN: Final = 100

# Unknown keys of a table that a near one is looked for; each takes a tenth of a millisecond.
_MOST_HINTS: Final = 100

# In a URL it is a credential, wherever the URL stands. The end of a long text has been cut off,
# and with it the "@" that would tell; an ellipsis elsewhere stands for what is hidden already.
_USERINFO: Final = re.compile(r"(?<=://)(?:[^\s'\"]*@|[^\s'\"/]*…\Z)")


@frozen
class Problem:
    """A problem at one place in a file.

    Attributes:
        path: The keys that lead there; an integer is an index in an array, from 0.
        message: The text after the key.
        given: The value that was given, as text.
        allowed: The values that are allowed, in words.
    """

    path: KeyPath
    message: str
    given: str | None
    allowed: str | None

    def below(self, table: KeyPath) -> Problem:
        """Return the same problem, in a table further down."""
        return evolve(self, path=(*table, *self.path))

    def error(self, file: str | None) -> ConfigError:
        """Return the problem as an error."""
        where = _public(dotted(self.path)) or "the top level"
        message = f"{where} {_public(self.message)}"
        return ConfigError(
            message if file is None else f"{file}: {message}",
            where=where,
            given=self.given and _public(self.given),
            allowed=self.allowed and _public(self.allowed),
            file=file,
        )


class NamedCodeError(ConfigError):
    """A file names code that the program does not allow; the text follows the key."""

    @classmethod
    def of_module(cls, name: str, module: str, modules: Collection[str]) -> NamedCodeError:
        """Return the error for a name.

        Args:
            name: The name.
            module: The module in it.
            modules: The modules that are allowed.
        """
        given = repr(name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…")
        wanted = ", ".join(json.dumps(each) for each in sorted({*modules, module}))
        allowed = f"load_services(..., code=[{wanted}]), or --allow-code on the command line"
        message = f"names code, {given}, and that has to be allowed: by {allowed}"
        return cls(message, given=given, allowed=f"allowed by {allowed}")


def misfit(path: KeyPath, given: object, allowed: str) -> Problem:
    """Return the problem of a value that is not allowed."""
    return from_error(path, ConfigError.of("", given, allowed))


def from_error(path: KeyPath, error: ConfigError) -> Problem:
    """Return an error about a field as a problem of a key."""
    if isinstance(error, NamedCodeError):
        return Problem(path, str(error), error.given, error.allowed)
    if error.allowed is None:
        return Problem(path, f"is wrong: {error}", None, None)
    # Files know no None.
    allowed = error.allowed.replace("None or ", "false or ", 1)
    return Problem(path, f"must be {allowed}, not {error.given}", error.given, allowed)


def unknown_keys(
    table: KeyPath,
    keys: Iterable[str],
    known: Iterable[str],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Problem]:
    """Return a problem for each key that means nothing. Values may be secrets, and are not shown.

    Args:
        table: The keys that lead to the table.
        keys: Those that mean nothing.
        known: The keys that the table may have.
        elsewhere: Keys of other tables, and the dotted keys to write for them.
    """
    known = sorted(known)
    listed = ", ".join(known)
    for place, key in enumerate(keys):
        meant = ""
        if place < _MOST_HINTS:
            # A plural for a singular, the key of another table, a worse slip.
            meant = nearest(key, known, 0.85) or elsewhere.get(key) or nearest(key, known)
            meant = meant or elsewhere.get(nearest(key, elsewhere), "")
            if meant and meant == key:
                # It is right where the tables of the parts are, not inside one of them.
                meant += " in the service's own table"
        hint = f" (did you mean {meant}?)" if meant else ""
        message = f"is no known key{hint}; known here: {listed}"
        yield Problem((*table, key), message, dotted((key,)), f"one of {listed}")


def nearest(slip: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return the known name that is most like a misspelt one, or ""."""
    return next(iter(get_close_matches(slip, list(known), 1, likeness)), "")


def dotted(path: KeyPath) -> str:
    """Return keys as TOML writes them; what is no bare key is quoted."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{_key(key)}" if text else _key(key)
    return text


def _key(key: str) -> str:
    if _BARE.fullmatch(key):
        return key
    shown = _USERINFO.sub("…@", key)
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 1] + "…"
    # What JSON escapes in a text, and how, TOML does too.
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


def _public(text: str) -> str:
    """Return the text in one line, without the userinfo of URLs in it."""
    return printable(_USERINFO.sub("…@", text))
