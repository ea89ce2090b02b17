"""Bound a registry: forget what is least needed among the oldest of its entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["IN_DOUBT", "IN_USE", "UNUSED", "make_room"]

_K = TypeVar("_K")
_V = TypeVar("_V")

# How much would be lost with an entry: nothing; something, so that it goes after those; too much,
# so that it never goes.
UNUSED, IN_DOUBT, IN_USE = range(3)

# How many entries are looked at: enough, and quick.
_LOOKED_AT: Final = 64


def make_room(
    kept: dict[_K, _V],
    most: int,
    use: Callable[[_V], int],
    forgotten: Callable[[_V], object] = id,
) -> None:
    """Forget some of the oldest entries until there is room for one more, as far as they may go.

    Those that stay go to the end, so that the next search goes on behind them.

    Args:
        kept: The entries, the oldest first.
        most: How many there are to be, with the one to come.
        use: Returns how much would be lost with an entry: UNUSED, IN_DOUBT or IN_USE.
        forgotten: Called with each entry that is forgotten; by default nothing is done.
    """
    in_doubt = []
    for _ in range(min(_LOOKED_AT, len(kept))):
        if len(kept) < most:
            return
        key = next(iter(kept))
        value = kept.pop(key)
        found = use(value)
        if found == UNUSED:
            forgotten(value)
            continue
        kept[key] = value
        if found == IN_DOUBT:
            in_doubt.append(key)
    for key in in_doubt:
        if len(kept) < most:
            return
        forgotten(kept.pop(key))
