"""Share what all parts of a run need, and compare their figures with those of peers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TypeVar

from attrs import field, frozen

from benchmarks.overhead.in_process import CallFixture
from benchmarks.overhead.peers.catalogue import Peers
from benchmarks.overhead.rounds import measure_rounds
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.progress import Progress
from benchmarks.report.text import format_with_unit
from benchmarks.results import Figure, Table

__all__ = [
    "PartResult",
    "RunContext",
    "absent_rows",
    "by_label",
    "compare_with_peers",
    "peer_notes",
    "targets_of",
]

_T = TypeVar("_T")

Row = tuple[str, tuple[Figure | None, ...]]


@frozen
class RunContext:
    """The context that all parts of one run share.

    Attributes:
        settings: The settings.
        peers: The peers to measure.
        progress: Receives the progress.
        runner: Runs whatever needs an event loop.
        fixture: Makes the requests of calls in process.
        order: Draws the order of the turns.
    """

    settings: OverheadSettings
    peers: Peers
    progress: Progress
    runner: asyncio.Runner
    fixture: CallFixture
    order: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "order", Random(self.settings.seed))

    def measure_rounds(
        self, what: str, rounds: tuple[int, int], contenders: Mapping[str, Callable[[], _T]]
    ) -> Mapping[str, list[_T]]:
        """Measure a part; `rounds` are those of a thorough and of a quick run."""
        number = self.settings.choose(*rounds)
        self.progress.begin(what, number + 1)
        return measure_rounds(contenders, number, self.order, self.progress)

    def chosen(self, *wrappers: Wrapper, with_peers: bool = False) -> dict[str, Wrapper]:
        """Return those that the settings want a row of, by label; peers last."""
        theirs = self.peers.wrappers if with_peers else ()
        found = by_label((*wrappers, *theirs))
        return {label: each for label, each in found.items() if self.settings.wants(label)}


@frozen(kw_only=True)
class PartResult:
    """The result of one part.

    Attributes:
        table: All figures of the part.
        wanted: The figures that have a target, each under a name that is clear by itself. The
            table has them without the target, so that each target counts once.
        notes: Remarks for the reader.
        plotted: The column that a dot plot shows; "", the default, for no plot.
        higher: True if a higher figure is better there. Default False.
        headline: The finding of the part in a sentence. Default "": none.
    """

    table: Table
    wanted: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    plotted: str = ""
    higher: bool = False
    headline: str = ""


def by_label(wrappers: Iterable[Wrapper]) -> dict[str, Wrapper]:
    """Return the wrappers by the labels of their rows."""
    return {each.label: each for each in wrappers}


def targets_of(
    targets: Iterable[tuple[Callable[[Figure, float, str], Figure], float, str, Figure | None]],
) -> tuple[Figure, ...]:
    """Return the figures that were measured with their targets.

    Args:
        targets: For each: `at_most` or `at_least`, the limit, a name that is clear by itself, and
            the figure; None if its row was left out.
    """
    return tuple(
        judge(figure, limit, what) for judge, limit, what, figure in targets if figure is not None
    )


def absent_rows(found: Peers, columns: int) -> tuple[Row, ...]:
    """Return rows for the peers that could not be measured."""
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
            *((name, "cannot be used") for name, _ in found.unusable),
        )
    )


def compare_with_peers(
    metric: str,
    ours: Figure | None,
    theirs: Mapping[str, Figure | None],
    *,
    subject: str = "our pipeline",
    higher: bool = False,
) -> tuple[str, ...]:
    """Name the peers that do better than ours with their figures, or say that none does.

    Args:
        metric: Name of the figure, in words that follow "does better than ...": "when importing".
        ours: Our figure; None if it was not measured, and then nothing is said.
        theirs: The figures of peers, by name.
        subject: What `ours` measures.
        higher: True if a higher figure is better. Default False.
    """
    if ours is None or ours.value is None:
        return ()
    limit = ours.value
    better = [
        (name, each.value)
        for name, each in theirs.items()
        if each is not None
        and each.value is not None
        and (each.value > limit if higher else each.value < limit)
    ]
    better.sort(key=lambda pair: pair[1], reverse=higher)
    if not better:
        return (f"No peer does better than {subject} {metric}.",)
    listed = "; ".join(f"{name} {format_with_unit(value, ours.unit)}" for name, value in better)
    return (f"Better than {subject} ({format_with_unit(limit, ours.unit)}) {metric}: {listed}.",)


def peer_notes(found: Peers) -> tuple[str, ...]:
    """Say what each peer lacks at the common settings, and which peers are absent."""
    notes = tuple(_lacks(each) for each in found.wrappers if each.lacks)
    if found.absent:
        notes += (f"Not installed, and so not measured: {', '.join(found.absent)}.",)
    if found.unusable:
        reasons = "; ".join(f"{name} ({why})" for name, why in found.unusable)
        notes += (f"Installed in a version that cannot be used, and so not measured: {reasons}.",)
    return notes


def _lacks(wrapper: Wrapper) -> str:
    return f"{wrapper.name} has {wrapper.parts}. It lacks: {', '.join(wrapper.lacks)}."
