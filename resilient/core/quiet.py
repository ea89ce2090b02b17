"""Quiet destinations: where nothing holds an attempt back, one look has to be enough.

While all guards of a pipeline have nothing to say about a destination, that has a `Spell` in the
pipeline's index. Finding the spell is the check of all guards at once, and an attempt that goes
well is one addition. What guards want to know of such attempts (how many, and when the last was)
is kept in the spell, and handed to them about once a second, and when the spell ends.

Whatever stops being quiet ends its spells itself (`Watched.disturb`), in the same turn of the
event loop, so that the next attempt does not find one. An attempt that is under way meanwhile
finds out when it ends: a spell that is over wants to be told of everything at once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable
from typing import Any, Final, Protocol
from weakref import ReferenceType, ref

__all__ = ["OVER", "Indexed", "Numbered", "Spell", "Watched"]

# The edge of a spell that is over: it has come whenever somebody asks.
OVER: Final = -math.inf


class Numbered(Protocol):
    """Gives numbers to attempts, in the order in which they are sent."""

    sent: int


class Indexed(Protocol):
    """Has the index of a pipeline."""

    index: dict[Any, Spell]


class Watched:
    """Base of what a guard keeps for one key, as far as pipelines need not ask for each attempt.

    Attributes:
        is_quiet: Whether nothing holds an attempt back here, and a success changes nothing but
            counts.
        spells: Those of the pipelines that count on it; weak references.
    """

    __slots__ = ("is_quiet", "spells")

    def __init__(self) -> None:
        self.is_quiet = False
        self.spells: tuple[ReferenceType[Spell], ...] = ()

    def disturb(self) -> None:
        """Be quiet no longer: whoever counted on it asks again."""
        self.is_quiet = False
        spells, self.spells = self.spells, ()
        for each in spells:
            spell = each()
            if spell is not None:
                spell.end()

    def fold(self) -> None:
        """Have all spells tell how many attempts went well: before what that changes is used."""
        for each in self.spells:
            spell = each()
            if spell is not None:
                spell.fold()

    def count(self, good: int, answered_at: float) -> None:
        """Take in how many attempts went well that have not been told of yet.

        Args:
            good: Their number.
            answered_at: When the last of them was answered.
        """

    def look(self, took: float, now: float) -> float:
        """Take in that an attempt went well now, and return when to be told again.

        Args:
            took: The seconds that it took.
            now: The time, in seconds.
        """
        return math.inf


class Spell:
    """One quiet spell of a destination, as one pipeline sees it.

    Args:
        key: Its place in the index.
        owner: Has the index of the pipeline, where it takes its place.
        kept: What the pipeline's guards keep for the destination, from the outermost in.
        numbers: Gives an attempt its number.
        scheme: The scheme of the origin.

    Attributes:
        kept: As given.
        numbers: As given.
        scheme: As given.
        good: How many attempts went well since guards were told.
        answered_at: When the last of them was answered.
        edge: When they are to be told again; `OVER` once it is.
    """

    __slots__ = (
        "__weakref__",
        "_key",
        "_owner",
        "answered_at",
        "edge",
        "good",
        "kept",
        "numbers",
        "scheme",
    )

    def __init__(
        self,
        key: Hashable,
        owner: Indexed,
        kept: tuple[Watched, ...],
        numbers: Numbered,
        scheme: str,
    ) -> None:
        self._key = key
        self._owner = ref(owner)
        self.kept = kept
        self.numbers = numbers
        self.scheme = scheme
        self.good = 0
        self.answered_at = -math.inf
        # Lower than any time, and higher than the end.
        self.edge = -sys.float_info.max
        before = owner.index.get(key)
        if before is not None:
            before.end()
        owner.index[key] = self
        for each in kept:
            each.spells += (ref(self),)

    def look(self, took: float, now: float) -> bool:
        """Tell the guards of an attempt that went well now; return False if the spell is over."""
        if self.edge == OVER:
            return False
        self.fold()
        edge = math.inf
        for each in self.kept:
            edge = min(edge, each.look(took, now))
        self.edge = edge
        return True

    def end(self) -> None:
        """Leave the index: from now on attempts ask the guards, and tell them how they ended."""
        if self.edge == OVER:
            return
        self.edge = OVER
        owner = self._owner()
        if owner is not None and owner.index.get(self._key) is self:
            del owner.index[self._key]
        for each in self.kept:
            each.spells = tuple(spell for spell in each.spells if spell() not in {self, None})
        self.fold()

    def fold(self) -> None:
        """Tell the guards how many attempts went well since they were told."""
        good, self.good = self.good, 0
        if good:
            for each in self.kept:
                each.count(good, self.answered_at)
