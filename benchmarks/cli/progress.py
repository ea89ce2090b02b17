"""Show the progress of a benchmark on the standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from attrs import define, field
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bars,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from benchmarks.progress import Progress
from resilient.cli.output import printable

__all__ = ["shown_progress"]

_BETWEEN_REFRESHES = 0.1


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show a bar on a terminal, and a line for each part in a file or a pipe."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Lines()
        return
    # No thread redraws the bar, since its time would be measured too.
    bars = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        # Without a standard output rich could not restore it, and would leave the bar's.
        redirect_stdout=sys.stdout is not None,
        transient=True,
    )
    with bars:
        yield _Bar(bars)


class _Lines:
    """Prints the name of each part as it begins."""

    def begin(self, what: str, steps: float | None = None) -> None:
        click.echo(printable(what), err=True)

    def advance(self, steps: float = 1) -> None:
        pass


@define
class _Bar:
    """Shows one bar, for the part that is being measured."""

    _bars: Bars
    _part: TaskID | None = field(default=None, init=False)
    _refreshed: float = field(default=0.0, init=False)

    def begin(self, what: str, steps: float | None = None) -> None:
        if self._part is not None:
            self._bars.remove_task(self._part)
        self._part = self._bars.add_task(printable(what), total=steps)
        self._refresh(0.0)

    def advance(self, steps: float = 1) -> None:
        if self._part is not None:
            self._bars.advance(self._part, steps)
            self._refresh(_BETWEEN_REFRESHES)

    def _refresh(self, at_least: float) -> None:
        now = time.monotonic()
        if now - self._refreshed >= at_least:
            self._refreshed = now
            self._bars.refresh()
