"""What all parts of one run have in common, and what each of them finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TypeVar

from attrs import field, frozen

from benchmarks.overhead.in_process import Bench
from benchmarks.overhead.peers.catalogue import Found
from benchmarks.overhead.rounds import compete
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.progress import Progress
from benchmarks.results import Figure, Table

__all__ = ["Part", "Run", "absent_rows", "label", "named"]

_T = TypeVar("_T")

Row = tuple[str, tuple[Figure | None, ...]]


@frozen
class Run:
    """One run.

    Attributes:
        settings: How thoroughly to measure.
        peers: What to measure beside ours.
        progress: Whom to tell.
        runner: Of the event loop, in which everything runs that needs one.
        bench: What a call in process needs.
        order: Draws the order of the turns.
    """

    settings: OverheadSettings
    peers: Found
    progress: Progress
    runner: asyncio.Runner
    bench: Bench
    order: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "order", Random(self.settings.seed))

    def compete(
        self, what: str, rounds: tuple[int, int], contenders: Mapping[str, Callable[[], _T]]
    ) -> Mapping[str, list[_T]]:
        """The rounds of a part: so many in a thorough run, and so many in a quick one."""
        number = self.settings.choose(*rounds)
        self.progress.begin(what, number + 1)
        return compete(contenders, number, self.order, self.progress)


@frozen(kw_only=True)
class Part:
    """What one part found.

    Attributes:
        table: All of it.
        wanted: The figures in it that are to be reached, each with a name that stands alone; in
            the table it stands as any other, so that it counts once.
        notes: What to know when reading it.
    """

    table: Table
    wanted: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


def named(wrappers: Iterable[Wrapper]) -> dict[str, Wrapper]:
    """By what the rows call them."""
    return {label(each): each for each in wrappers}


def label(wrapper: Wrapper) -> str:
    """What a row calls it: a comparison is one of like with like, or says what it is of."""
    return f"{wrapper.name} ({wrapper.parts})"


def absent_rows(found: Found, columns: int) -> tuple[Row, ...]:
    """The rows of peers that could not be measured."""
    return tuple(
        (
            name,
            (
                Figure(what=name, value=None, remark=f"absent: {why}"),
                *[None] * (columns - 1),
            ),
        )
        for name, why in (
            *((name, "not installed") for name in found.absent),
            *((name, "cannot be used") for name, _ in found.unfit),
        )
    )
