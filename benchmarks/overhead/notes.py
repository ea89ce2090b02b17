"""What is said of the figures, made from the figures."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.overhead.peers.catalogue import Found
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.report.numbers import with_unit
from benchmarks.results import Figure

__all__ = ["about_peers", "where_better"]


def where_better(
    where: str,
    ours: Figure,
    theirs: Mapping[str, Figure | None],
    *,
    than: str = "the whole pipeline",
    higher: bool = False,
) -> tuple[str, ...]:
    """Which peers do better than ours, by how much; or that none does.

    Args:
        where: At what.
        ours: What was measured of ours.
        theirs: And of the peers, by name.
        than: What of ours that is.
        higher: Whether more is better.
    """
    limit = ours.value
    assert limit is not None
    better = [
        (name, each.value)
        for name, each in theirs.items()
        if each is not None
        and each.value is not None
        and (each.value > limit if higher else each.value < limit)
    ]
    better.sort(key=lambda pair: pair[1], reverse=higher)
    if not better:
        return (f"No peer does better than {than} {where}.",)
    listed = "; ".join(f"{name} {with_unit(value, ours.unit)}" for name, value in better)
    return (f"Better than {than} ({with_unit(limit, ours.unit)}) {where}: {listed}.",)


def about_peers(found: Found) -> tuple[str, ...]:
    """What each peer cannot do at the settings that all have in common; and who is absent."""
    notes = tuple(_lacks(each) for each in found.wrappers if each.lacks)
    if found.absent:
        notes += (f"Not installed, and so not measured: {', '.join(found.absent)}.",)
    if found.unfit:
        reasons = "; ".join(f"{name} ({why})" for name, why in found.unfit)
        notes += (f"Installed in a version that cannot be used, and so not measured: {reasons}.",)
    return notes


def _lacks(wrapper: Wrapper) -> str:
    return f"{wrapper.name} has {wrapper.parts}. It lacks: {', '.join(wrapper.lacks)}."
