"""Show the progress of a benchmark on the standard error: "7 of 30", and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click
from attrs import define, field
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress as Bars,
    SpinnerColumn,
    TaskID,
    TextColumn,
)

from benchmarks.progress import Estimate, Progress
from resilient.cli.output import printable

__all__ = ["shown_progress"]

_BETWEEN_REFRESHES = 0.1


@contextmanager
def shown_progress(expected: Iterable[float] = ()) -> Iterator[Progress]:
    """Show a bar on a terminal, and a line for each part in a file or a pipe.

    Args:
        expected: The seconds that each part takes about. Default: nothing is known of them.
    """
    estimate = Estimate(expected, time.monotonic())
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Lines(estimate)
        return
    # No thread redraws the bar, since its time would be measured too.
    bars = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=False,
        # Without a standard output rich could not restore it, and would leave the bar's.
        redirect_stdout=sys.stdout is not None,
        transient=True,
    )
    with bars:
        yield _Bar(bars, estimate)


def _named(place: str, what: str) -> str:
    return printable(f"{place}: {what}" if place else what)


@define
class _Lines:
    """Prints the name of each part as it begins."""

    _estimate: Estimate

    def begin(self, what: str, steps: float | None = None) -> None:
        self._estimate.begin(steps)
        left = self._estimate.words_left(time.monotonic())
        named = _named(self._estimate.place, what)
        click.echo(f"{named} ({left})" if left else named, err=True)

    def advance(self, steps: float = 1) -> None:
        self._estimate.advance(steps)


@define
class _Bar:
    """Shows one bar, for the part that is being measured."""

    _bars: Bars
    _estimate: Estimate
    _part: TaskID | None = field(default=None, init=False)
    _refreshed: float = field(default=0.0, init=False)

    def begin(self, what: str, steps: float | None = None) -> None:
        if self._part is not None:
            self._bars.remove_task(self._part)
        self._estimate.begin(steps)
        named = _named(self._estimate.place, what)
        self._part = self._bars.add_task(named, total=steps, left="")
        self._refresh(0.0)

    def advance(self, steps: float = 1) -> None:
        if self._part is not None:
            self._estimate.advance(steps)
            self._bars.advance(self._part, steps)
            self._refresh(_BETWEEN_REFRESHES)

    def _refresh(self, at_least: float) -> None:
        now = time.monotonic()
        if self._part is not None and now - self._refreshed >= at_least:
            self._refreshed = now
            self._bars.update(self._part, left=self._estimate.words_left(now))
            self._bars.refresh()
