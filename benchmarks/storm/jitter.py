"""Jitter: how clients that contend for one row get done, with and without it.

Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, with the
settings of its simulator: base 5 ms, cap 2 s, and a network that takes 10 ms on average for
each message. As published, all clients begin at once, each changes the row once, and each
goes on until it has. Writes are counted, as there.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Table, median_of
from benchmarks.storm.jitter_simulation import JITTERS, contend
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import random_for
from resilient.retry.schedule import Jitter

__all__ = ["measure", "published"]

_SOURCE = 'Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015'

_NUMBERS = (10, 25, 50, 75, 100)
_QUICK_NUMBERS = (20, 50, 100)
_REPEAT, _QUICK_REPEAT = 8, 3

# Seconds per slice, and the number of slices, in the chart of calls over time.
_SLICE = 0.1
_SLICES = 50

# When the last client was done, and when writes arrived.
_Run = tuple[float, list[float]]
_Values = dict[Jitter, list[float]]


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Compare the jitters over the number of clients."""
    numbers = _QUICK_NUMBERS if settings.quick else _NUMBERS
    repeat = _QUICK_REPEAT if settings.quick else _REPEAT
    progress.begin("jitter", len(numbers) * len(JITTERS) * repeat)
    found: dict[tuple[Jitter, int], list[_Run]] = {}
    # The greatest number first: the published figures are for it.
    for clients in sorted(numbers, reverse=True):
        for jitter in JITTERS:
            runs = found[jitter, clients] = []
            for number in range(repeat):
                random = random_for(settings.seed, "jitter", jitter, clients, number)
                runs.append(contend(clients, jitter, random))
                progress.advance()
        yield _result(found)


def _result(found: dict[tuple[Jitter, int], list[_Run]]) -> ScenarioResult:
    numbers = sorted({clients for _, clients in found})
    most = numbers[-1]
    calls = {key: [float(len(writes)) for _, writes in runs] for key, runs in found.items()}
    times = {key: [end for end, _ in runs] for key, runs in found.items()}
    side_by_side = Table(
        title=f"Jitter: {most} clients that contend for one row",
        columns=("calls", "time to completion"),
        rows=tuple(
            (
                jitter,
                (
                    median_of(f"calls, {jitter}", calls[jitter, most]),
                    median_of(f"time to completion, {jitter}", times[jitter, most], unit="s"),
                ),
            )
            for jitter in JITTERS
        ),
        remark="Calls are writes; every client gets done in the end.",
    )
    work = {jitter: calls[jitter, most] for jitter in JITTERS}
    time = {jitter: times[jitter, most] for jitter in JITTERS}
    return ScenarioResult(
        tables=(side_by_side, published(most, work, time)),
        charts=(
            _over_time(most, {jitter: found[jitter, most][0][1] for jitter in JITTERS}),
            _over_numbers("work", "calls", numbers, calls),
            _over_numbers("time to completion", "seconds", numbers, times),
        ),
    )


def published(clients: int, work: _Values, time: _Values) -> Table:
    """Compare the ratios between jitters with what the source says of them.

    Args:
        clients: The number of clients.
        work: Writes in each run, by jitter.
        time: Seconds to completion in each run, by jitter.
    """

    def share(
        what: str, of: _Values, one: Jitter, other: Jitter, published: str, claim: str
    ) -> Figure:
        # Means, as in the source.
        value = statistics.fmean(of[one]) / statistics.fmean(of[other])
        holds = {"below half": value < 0.5, "above 1": value > 1, "below 1": value < 1}
        if holds.get(claim, abs(value - 1) < 0.15):
            remark = "as published"
        elif max(min(of[one]), min(of[other])) <= min(max(of[one]), max(of[other])):
            remark = "less than the runs of one kind differ"
        else:
            remark = "not as published"
        what = f"{what}, {one} against {other}"
        return Figure(
            what=what, value=value, unit="x", published=published, source=_SOURCE, remark=remark
        )

    return Table(
        title=f"Jitter: what was published of {clients} clients",
        figures=(
            share("calls", work, "full", "none", "less than half", "below half"),
            share("calls", work, "equal", "none", "substantially fewer", "below 1"),
            share("calls", work, "decorrelated", "none", "substantially fewer", "below 1"),
            share("calls", work, "equal", "full", "about the same, slightly more", "about 1"),
            share("calls", work, "decorrelated", "full", "more", "above 1"),
            share("time", time, "none", "equal", "so much more that it was left out", "above 1"),
            share("time", time, "equal", "full", "much longer", "above 1"),
            share("time", time, "full", "decorrelated", "slightly more", "above 1"),
        ),
        remark="The source gives charts and words; the words are set beside our ratios.",
    )


def _over_time(clients: int, writes: dict[Jitter, list[float]]) -> Chart:
    lines = []
    for jitter, arrived in writes.items():
        counts = Counter(int(when / _SLICE) for when in arrived)
        xs = [index * _SLICE for index in range(_SLICES)]
        lines.append(Line(name=jitter, xs=xs, ys=[counts[index] for index in range(_SLICES)]))
    return Chart(
        title=f"Jitter: calls over time, {clients} clients",
        x_label="seconds",
        y_label=f"calls in {_SLICE * 1000:g} ms",
        lines=tuple(lines),
        remark="Without jitter they come in bursts, and go on long after the end of the chart.",
    )


def _over_numbers(
    title: str, label: str, numbers: list[int], of: dict[tuple[Jitter, int], list[float]]
) -> Chart:
    return Chart(
        title=f"Jitter: {title} over the number of contending clients",
        x_label="clients",
        y_label=label,
        lines=tuple(
            Line(
                name=jitter,
                xs=numbers,
                ys=[statistics.median(of[jitter, clients]) for clients in numbers],
            )
            for jitter in JITTERS
        ),
        y_scale="log",
    )
