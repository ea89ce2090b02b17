"""Trouble: what callers lose and what the server gets, with four policies side by side.

aiohttp alone, a retry, that with the breaker that most libraries have, and the standard
pipeline meet the same servers in trouble. What the pipeline owes its callers is written beside
each row, as a limit that is mostly relative to aiohttp alone: no worse than nothing.
"""

from __future__ import annotations

import multiprocessing
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from statistics import fmean
from typing import Final

from attrs import evolve, frozen

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Table
from benchmarks.settings import by_name
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.trouble_measures import MEASURES, judge
from benchmarks.storm.trouble_rows import EXCEPTIONS, FACTORS, ROWS, Row, choose_rows
from benchmarks.storm.trouble_simulation import COLUMNS, Column, run

__all__ = ["MeasuredRow", "measure", "measure_row", "result"]

_NONE, _RETRY, _, _PIPELINE = (column.name for column in COLUMNS)

# What is run with a share of the seeds: heavy rows; the retry where nothing is compared with it,
# since it makes three requests of one and takes as long as all other columns together; and so the
# consecutive breaker, unless there is an outage, of which it has to meet each length.
_SHARE = 3

# In a quick run: the headline, and a few seconds more.
_QUICK_GROUPS: Final = ("a", "b", "d", "i")

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
    "n": "429s at random, whatever the rate",
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
        rows = tuple(row for row in choose_rows(_QUICK_GROUPS) if not row.is_heavy)
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
    a_share = -(-settings.seeds // _SHARE)
    compared = {_NONE, _PIPELINE, *(each.column for each in row.tolerances)}
    has_outage = row.scenario(1.0).outage is not None
    for column in columns:
        seeds = a_share if row.is_heavy else settings.seeds
        if column.name not in compared:
            if column.name == _RETRY:
                seeds = 0 if row.is_heavy else a_share
            elif not has_outage:
                seeds = a_share
        for index in range(seeds):
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
    charts, notes, headline = _headline({each.row.name: each.means for each in found})
    return ScenarioResult(
        tables=tuple(_table(group, list(rows)) for group, rows in groups),
        charts=charts,
        notes=(*notes, _count(found, settings)),
        headline=headline,
    )


@frozen
class _Headline:
    """A row of the headline.

    Attributes:
        row: The name of the row.
        name: What happens in it.
        lost: Computes the calls lost in percent of those that meet the trouble.
        requests: Computes the requests that the server gets, in percent of those calls.
    """

    row: str
    name: str
    lost: Callable[[Mapping[str, float]], float]
    requests: Callable[[Mapping[str, float]], float]


_HEADLINES: Final = (
    _Headline(
        "a 50/s 6.5 s",
        "an outage of 6.5 s",
        lambda means: 100 * means["lost"] / 6.5,
        operator.itemgetter("load"),
    ),
    _Headline(
        "a 50/s 30 s",
        "an outage of 30 s",
        lambda means: 100 * means["lost"] / 30,
        operator.itemgetter("load"),
    ),
    _Headline(
        "d 50 at once",
        "50 calls at a limit of 10/s",
        lambda means: 100 * (50 - means["done"]) / 50,
        lambda means: 100 * means["requests"] / 50,
    ),
)


def _headline(means: Mapping[str, _Means]) -> tuple[tuple[Chart, ...], tuple[str, ...], str]:
    """Return the picture and the note that compare the columns, and the headline of both.

    None of them before all its rows are measured.
    """
    if not all(each.row in means for each in _HEADLINES):
        return (), (), ""
    columns = [
        column.name
        for column in COLUMNS
        if all(column.name in means[each.row] for each in _HEADLINES)
    ]
    figures = {
        column: [
            (each.lost(means[each.row][column]), each.requests(means[each.row][column]))
            for each in _HEADLINES
        ]
        for column in columns
    }
    chart = Chart(
        title="Trouble: what callers lose, and what the server gets",
        x_label="",
        y_label="% of the calls that meet the trouble",
        lines=tuple(
            Line(
                name=column,
                xs=range(2 * len(_HEADLINES)),
                ys=[value for pair in pairs for value in pair],
            )
            for column, pairs in figures.items()
        ),
        groups=tuple(
            f"{each.name}: {what}" for each in _HEADLINES for what in ("calls lost", "requests")
        ),
        remark="Less is better. A breaker may lose more than 100 %: it also refuses calls later.",
    )
    troubles = " / ".join(each.name for each in _HEADLINES)
    lost, got = (
        ", ".join(
            f"{_percents(pair[side] for pair in figures[each])} with {each}" for each in columns
        )
        for side in (0, 1)
    )
    note = (
        f"Trouble: of the calls that met {troubles}, callers lost {lost}; in proportion to those "
        f"calls the server got {got} as requests."
    )
    return (chart,), (note,), _sentence(figures)


def _sentence(figures: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Say of the first row what the pipeline does to what callers lose and the server gets."""
    if _PIPELINE not in figures or _NONE not in figures:
        return ""
    (ours, sent), (lost, got) = figures[_PIPELINE][0], figures[_NONE][0]
    if not (lost and got):
        return ""
    return (
        f"In {_HEADLINES[0].name} callers lose {100 * ours / lost:.0f} % of what they lose with "
        f"aiohttp alone, while the server gets {100 * sent / got:.0f} % of the requests."
    )


def _percents(values: Iterable[float]) -> str:
    return f"{' / '.join(f'{value:.0f}' for value in values)} %"


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
