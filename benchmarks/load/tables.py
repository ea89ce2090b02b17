"""Make a table for each scenario, with the policies side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from benchmarks.load.run import Run
from benchmarks.load.scenarios import Scenario
from benchmarks.load.tally import Latencies
from benchmarks.recovery import BUCKET, WINDOW, peak_rate, time_to_recover
from benchmarks.results import Figure, Table

__all__ = ["comparison"]

_MS = 1000.0
_QUANTILES = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "longest"))

# Said so that nobody compares policies by less than one slice of time.
_COARSE = f" The time to recover is told to within {BUCKET:g} s."

_Measure = Callable[[Run], Figure]


def comparison(scenario: Scenario, names: Sequence[str], runs: Iterable[Run]) -> Table:
    """Return a table of the policies in a scenario.

    Args:
        scenario: The scenario.
        names: The names of all policies that are measured in it, one column each.
        runs: The runs measured so far; the other columns stay empty.
    """
    done = {each.contender.name: each for each in runs}
    rows = [
        *_always(),
        *_after_an_outage(scenario),
        *_failures(done.values()),
        *_of_the_generator(),
    ]
    return Table(
        title=scenario.name,
        columns=tuple(names),
        rows=tuple(
            (what, tuple(measure(done[name]) if name in done else None for name in names))
            for what, measure in rows
        ),
        remark=f"{scenario.what} {scenario.conditions}."
        + ("" if scenario.outage is None else _COARSE),
    )


def _always() -> Iterable[tuple[str, _Measure]]:
    yield _row("goodput", "calls/s", lambda run: run.successes / run.scenario.seconds)
    yield _row("succeeded", "%", lambda run: run.success)
    yield _row("requests per call", "", lambda run: run.requests_per_call)
    for share, name in _QUANTILES:
        yield _latency(f"latency of what succeeded, {name}", share, _succeeded, "none succeeded")
    yield _latency("latency of what failed, p50", 0.5, _failed, _none_failed)
    yield _latency("latency of what failed, longest", 1.0, _failed, _none_failed)
    yield _row("circuits opened", "", lambda run: run.tally.openings)


def _after_an_outage(scenario: Scenario) -> Iterable[tuple[str, _Measure]]:
    outage = scenario.outage
    if outage is None:
        return

    def peak(what: str, unit: str, of: float) -> tuple[str, _Measure]:
        def measure(run: Run) -> Figure:
            if scenario.seconds - outage.end < WINDOW:
                return Figure(what=what, value=None, unit=unit, remark="too short a run to tell")
            value = peak_rate(run.arrivals, start=outage.end) / of
            return Figure(what=what, value=value, unit=unit)

        return what, measure

    def recovery(run: Run) -> Figure:
        seconds = time_to_recover(
            run.tally.offered, run.tally.good, end=outage.end, until=scenario.seconds
        )
        remark = "" if seconds is not None else "not within the run"
        return Figure(what="time to recover", value=seconds, unit="s", remark=remark)

    yield peak("worst second of arrivals after the outage", "requests/s", 1)
    yield peak("the same, by the rate of calls", "x", scenario.rate)
    yield "time to recover", recovery


def _failures(runs: Iterable[Run]) -> Iterable[tuple[str, _Measure]]:
    kinds: Counter[str] = Counter()
    for run in runs:
        kinds.update(run.tally.failures)
    for kind, _ in kinds.most_common():
        yield _row(f"failed: {kind}", "%", _share_of(kind))


def _share_of(kind: str) -> Callable[[Run], float]:
    return lambda run: 100 * run.tally.failures[kind] / max(run.tally.calls, 1)


def _of_the_generator() -> Iterable[tuple[str, _Measure]]:
    yield _latency("generator late by, p99", 0.99, lambda run: run.tally.lateness, "no calls")
    yield _row("most calls in progress", "", lambda run: run.tally.peak)


def _row(what: str, unit: str, value: Callable[[Run], float]) -> tuple[str, _Measure]:
    return what, lambda run: Figure(what=what, value=value(run), unit=unit)


def _succeeded(run: Run) -> Latencies:
    return run.tally.succeeded


def _failed(run: Run) -> Latencies:
    return run.tally.failed


def _none_failed(run: Run) -> str:
    # Calls that were not made failed without a duration.
    return "none that was made" if run.tally.failures else "none failed"


def _latency(
    what: str,
    share: float,
    of: Callable[[Run], Latencies],
    nothing: str | Callable[[Run], str],
) -> tuple[str, _Measure]:
    def measure(run: Run) -> Figure:
        latencies = of(run)
        # With too few calls a high quantile would be just the longest duration.
        enough = share == 1 or len(latencies) * (1 - share) >= 1
        seconds = latencies.quantile(share) if enough else None
        none = nothing if isinstance(nothing, str) else nothing(run)
        return Figure(
            what=what,
            value=None if seconds is None else seconds * _MS,
            unit="ms",
            remark="" if seconds is not None else "too few to tell" if len(latencies) else none,
        )

    return what, measure
