"""Put problems in a file into words: place, dotted key, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve, frozen

from resilient.errors import ConfigError
from resilient.services.config.spelling import spelled, spelled_key
from resilient.support.redact import without_userinfo
from resilient.support.text import printable

__all__ = [
    "ElementError",
    "KeyPath",
    "NamedCodeError",
    "NotGiven",
    "Problem",
    "dotted",
    "from_error",
    "misfit",
    "nearest",
    "unknown_keys",
]

KeyPath = tuple[str | int, ...]

# Unknown keys of a table that a near one is looked for; each takes a tenth of a millisecond.
_MOST_HINTS: Final = 100

# Values of Python in the words of a policy that a file spells in another way. It has no None.
_SPELLED: Final = MappingProxyType({"None": "false", "True": "true", "False": "false"})


class NotGiven(Enum):
    """Stands for a value that a file does not give."""

    NOT_GIVEN = "not given"


@frozen
class Problem:
    """A problem at one place in a file.

    Attributes:
        path: The keys that lead there; an integer is an index in an array, from 0.
        message: The text after the key.
        given: The value that was given, as text.
        allowed: The values that are allowed, in words.
        is_of_key: True if it is the key that is wrong, or a table that lacks one, not a value.
    """

    path: KeyPath
    message: str
    given: str | None = None
    allowed: str | None = None
    is_of_key: bool = False

    def below(self, table: KeyPath) -> Problem:
        """Return the same problem, in a table further down."""
        return evolve(self, path=(*table, *self.path))

    @property
    def where(self) -> str:
        """The dotted key, or words for the top level."""
        return dotted(self.path) or "the top level"

    @property
    def text(self) -> str:
        """The whole of it but the place, in a line."""
        return f"{_public(self.where)} {_public(self.message)}"

    def error(self, **place: Any) -> ConfigError:
        """Return the problem as an error.

        Args:
            **place: The attributes of `ConfigError` that say where the key stands, if it stands in
                a file or comes from a variable.
        """
        return ConfigError.at(
            self.text,
            where=_public(self.where),
            given=self.given and _public(self.given),
            allowed=self.allowed and _public(self.allowed),
            **place,
        )


class ElementError(ConfigError):
    """An element of an array is at fault, and what is allowed is said of the array."""


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
        given = spelled_key(name)
        wanted = ", ".join(map(spelled, sorted({*modules, module})))
        allowed = f"load_services(..., code=[{wanted}]), or --allow-code on the command line"
        message = f"names code, {given}, and that has to be allowed: by {allowed}"
        return cls(message, given=given, allowed=f"allowed by {allowed}")


def misfit(path: KeyPath, given: object, allowed: str) -> Problem:
    """Return the problem of a value that is not allowed."""
    shown = spelled(given)
    return Problem(path, f"must be {allowed}, not {shown}", shown, allowed)


def from_error(path: KeyPath, error: ConfigError, value: object = NotGiven.NOT_GIVEN) -> Problem:
    """Return an error about a field as a problem of a key.

    Args:
        path: The keys that lead to the value.
        error: The error.
        value: The value as the file gives it, if it does.
    """
    if isinstance(error, NamedCodeError):
        return Problem(path, str(error), error.given, error.allowed)
    if error.allowed is None:
        return Problem(path, f"is wrong: {error}")
    allowed = error.allowed.replace("None or ", "false or ", 1)
    allowed = allowed.replace("True or False", "true or false", 1)
    if value is not NotGiven.NOT_GIVEN:
        return misfit(path, value, allowed)
    given = _SPELLED.get(str(error.given), error.given)
    return Problem(path, f"must be {allowed}, and is {given} by default", given, allowed)


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
        yield Problem((*table, key), message, dotted((key,)), f"one of {listed}", is_of_key=True)


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
            text += f".{spelled_key(key)}" if text else spelled_key(key)
    return text


def _public(text: str) -> str:
    """Return the text in one line, without the userinfo of URLs in it."""
    # Values and keys have none any more when they come here (`spelling`); this is for what others
    # say, such as an exception of code that a file names.
    return printable(without_userinfo(text))
