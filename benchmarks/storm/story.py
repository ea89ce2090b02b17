"""What a story tells."""

from __future__ import annotations

from attrs import frozen

from benchmarks.results import Chart, Table

__all__ = ["Told"]


@frozen(kw_only=True)
class Told:
    """What a story has come to so far, in the terms of a result."""

    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
