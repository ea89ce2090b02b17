"""Things chosen by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from resilient.errors import ConfigError

__all__ = ["check_names", "chosen"]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def chosen(names: Iterable[str], things: Iterable[_N], where: str) -> tuple[_N, ...]:
    """Those of the names, in their order, each once.

    Args:
        names: Which.
        things: Of which.
        where: What the names were given for.

    Raises:
        ConfigError: There is none of that name.
    """
    known = {each.name: each for each in things}
    names = tuple(names)
    check_names(names, known, where)
    return tuple(known[name] for name in dict.fromkeys(names))


def check_names(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse names that there are not.

    Raises:
        ConfigError: There is none of that name.
    """
    known = tuple(known)
    for name in names:
        if name not in known:
            raise ConfigError.of(where, name, f"some of {', '.join(known)}")
