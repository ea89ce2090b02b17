"""Trouble: what callers lose and what the server gets, with four policies side by side.

aiohttp alone, a retry, that with the breaker that most libraries have, and the standard
pipeline meet the same servers in trouble. What the pipeline owes its callers is written beside
each row, as a limit that is mostly relative to aiohttp alone: no worse than nothing.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from statistics import fmean
from typing import Final

from attrs import evolve, frozen

from benchmarks.progress import Progress
from benchmarks.results import Figure, ScenarioResult, Table
from benchmarks.settings import by_name
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.trouble_measures import MEASURES, judge
from benchmarks.storm.trouble_rows import EXCEPTIONS, FACTORS, ROWS, Row, choose_rows
from benchmarks.storm.trouble_simulation import COLUMNS, Column, run

__all__ = ["MeasuredRow", "measure", "measure_row", "result"]

_NONE, _PIPELINE = COLUMNS[0].name, COLUMNS[-1].name

# Columns that stand there for comparison, and heavy rows, are run with a share of the seeds.
_SHARE = 3

_GROUPS: Final = {
    "a": "a server is down",
    "a2": "a process starts while the server is down",
    "s": "a server with slow answers is down",
    "b": "requests fail at random",
    "c": "a server is overloaded",
    "d": "a server limits the rate",
    "e": "one host of four is broken",
    "g": "many small processes",
    "h": "bulk jobs under a limit",
    "i": "a short interruption",
    "j": "one path fails",
    "k": "some routes are limited, or an account",
    "m": "a limit and an outage",
}

# The figures of one run by name, and the means over the seeds by column and name.
_Figures = dict[str, float]
_Means = Mapping[str, Mapping[str, float]]


@frozen
class MeasuredRow:
    """A row and its means over the seeds.

    Attributes:
        row: The row.
        means: The means, by column and measure.
    """

    row: Row
    means: _Means

    def figures(self) -> Iterator[tuple[str, tuple[Figure | None, ...]]]:
        """Yield the name of each measure, and its figure in each column."""
        for measure in self.row.measures:
            yield measure, tuple(self._figure(measure, column.name) for column in COLUMNS)

    def _figure(self, measure: str, column: str) -> Figure | None:
        if column not in self.means:
            return None
        figure = Figure(
            what=f"{self.row.name}, {measure}, {column}",
            value=self.means[column][measure],
            unit=MEASURES[measure].unit,
        )
        if column != _PIPELINE:
            return figure
        tolerances = [each for each in self.row.tolerances if each.measure == measure]
        if self.row.exception is not None:
            words = f"exception {self.row.exception}: {EXCEPTIONS[self.row.exception]}"
            figure = evolve(figure, remark=words)
        return judge(figure, tolerances, self.means)


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Simulate one row after the other; yield the result after each."""
    columns = by_name(settings.columns, COLUMNS, "StormSettings.columns") or COLUMNS
    rows = choose_rows(settings.rows)
    if settings.quick and not settings.rows:
        rows = tuple(row for row in rows if not row.is_heavy)
    jobs = {row.name: list(_jobs(row, columns, settings)) for row in rows}
    progress.begin("trouble", sum(map(len, jobs.values())))
    found: list[MeasuredRow] = []
    with _simulated((job for each in jobs.values() for job in each), settings.workers) as done:
        for row in rows:
            runs: dict[str, list[_Figures]] = {}
            for job in jobs[row.name]:
                runs.setdefault(job.column, []).append(next(done))
                progress.advance()
            found.append(MeasuredRow(row, _means(row, runs)))
            yield result(found, settings)


@frozen
class _Job:
    """One run: a row and a column by name, a seed, and the length of the outage."""

    row: str
    column: str
    seed: int
    factor: float


def _jobs(row: Row, columns: Iterable[Column], settings: StormSettings) -> Iterator[_Job]:
    seeds = -(-settings.seeds // _SHARE) if row.is_heavy else settings.seeds
    compared = {_NONE, _PIPELINE, *(each.column for each in row.tolerances)}
    for column in columns:
        for index in range(seeds if column.name in compared else -(-seeds // _SHARE)):
            factor = FACTORS[index % len(FACTORS)]
            yield _Job(row.name, column.name, settings.seed + index, factor)


@contextmanager
def _simulated(jobs: Iterable[_Job], workers: int) -> Iterator[Iterator[_Figures]]:
    """Yield the figures of jobs in their order, simulated here or by worker processes."""
    if workers == 1:
        yield map(_simulate, jobs)
        return
    # Spawned, since a fork would copy the threads of the progress bar half.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool.map(_simulate, jobs)
        finally:
            pool.shutdown(cancel_futures=True)


_ROWS = {row.name: row for row in ROWS}
_COLUMNS = {column.name: column for column in COLUMNS}


def _simulate(job: _Job) -> _Figures:
    """Carry out one run, and return the figures of its row."""
    return measure_row(_ROWS[job.row], _COLUMNS[job.column], seed=job.seed, factor=job.factor)


def measure_row(row: Row, column: Column, *, seed: int, factor: float = 1.0) -> _Figures:
    """Simulate a row with the policy of a column, and return its figures by name.

    Args:
        row: The row.
        column: The policy.
        seed: The seed of everything random.
        factor: By what the length of the outage is multiplied. Default 1.
    """
    found = run(row.scenario(factor), column, seed=seed)
    return {name: MEASURES[name].of(found) for name in row.measures}


def _means(row: Row, runs: Mapping[str, list[_Figures]]) -> _Means:
    return {
        column: {name: fmean(each[name] for each in figures) for name in row.measures}
        for column, figures in runs.items()
    }


def result(found: list[MeasuredRow], settings: StormSettings) -> ScenarioResult:
    """Return the tables and notes of the rows that were measured so far, at least one."""
    groups = groupby(found, key=lambda each: each.row.group)
    return ScenarioResult(
        tables=tuple(_table(group, list(rows)) for group, rows in groups),
        notes=(_count(found, settings),),
    )


def _table(group: str, found: list[MeasuredRow]) -> Table:
    return Table(
        title=f"Trouble {group}: {_GROUPS[group]}",
        columns=tuple(column.name for column in COLUMNS),
        rows=tuple(
            (f"{each.row.name}: {measure}", figures)
            for each in found
            for measure, figures in each.figures()
        ),
    )


def _count(found: list[MeasuredRow], settings: StormSettings) -> str:
    judged = [
        figure.holds
        for row in found
        for _, figures in row.figures()
        for figure in figures
        if figure is not None and figure.holds is not None
    ]
    return (
        f"Trouble: the pipeline keeps {sum(judged)} of {len(judged)} tolerances in {len(found)} "
        f"rows, as means over {settings.seeds} seeds."
    )
