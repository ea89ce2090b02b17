"""Compare the measurements with targets for a retry budget and a circuit breaker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve

from benchmarks.load.run import Run
from benchmarks.results import Figure, Table
from benchmarks.targets import TITLE, at_least, at_most

__all__ = ["target_tables"]

# Percentage points by which the success of two runs differs at random: the order in which
# requests arrive decides which call meets which fault.
_RANDOM = 2.0

_MOST_PER_CALL = 1.1


def target_tables(runs: Iterable[Run]) -> tuple[Table, ...]:
    """Return a table of the figures that have a target and were measured; none without any."""
    found: dict[str, dict[str, Run]] = {}
    for each in runs:
        found.setdefault(each.scenario.name, {})[each.contender.name] = each
    figures = (
        *_random_failures(found.get("random-503", {})),
        *_dead_server(found.get("dead", {})),
    )
    return (Table(title=TITLE, figures=figures),) if figures else ()


def _random_failures(runs: Mapping[str, Run]) -> Iterator[Figure]:
    for with_breaker, without in (("retry+breaker", "retry"), ("pipeline", "no breaker")):
        if with_breaker not in runs or without not in runs:
            continue
        run, other = runs[with_breaker], runs[without]
        points = Figure(
            what=f"random 503s: success of {with_breaker!r} against {without!r}",
            value=run.success - other.success,
            unit="points",
            remark=f"{run.success:.1f} % against {other.success:.1f} %",
        )
        yield at_least(points, -_RANDOM, why="as many succeed as without a breaker")
        what = f"random 503s: circuits opened under {with_breaker!r}"
        yield at_most(Figure(what=what, value=run.tally.openings), 0)


def _dead_server(runs: Mapping[str, Run]) -> Iterator[Figure]:
    budgeted, whole = runs.get("no breaker"), runs.get("pipeline")
    if budgeted is not None:
        too_short = (_MOST_PER_CALL - 1) * budgeted.tally.calls < _floor(budgeted)
        per_call = at_most(
            Figure(
                what="dead server: requests per call without a breaker",
                value=budgeted.requests_per_call,
                remark=f"of {budgeted.tally.calls} calls",
            ),
            _MOST_PER_CALL,
        )
        if too_short:
            why = f", too few to tell: {_floor(budgeted):g} retries are always allowed"
            per_call = evolve(per_call, holds=None, remark=per_call.remark + why)
        yield per_call
    if whole is not None and whole.contender.policy.breaker is not None:
        in_all = Figure(
            what="dead server: requests in all with a breaker",
            value=whole.hits,
            remark=f"of {whole.tally.calls} calls",
        )
        most = _most_with_a_breaker(whole)
        yield at_most(in_all, most, why="failures, in progress, probes")


def _most_with_a_breaker(run: Run) -> int:
    """Return the requests allowed: each worker's circuit opens after its failures."""
    breaker = run.contender.policy.breaker
    assert breaker is not None
    circuits = run.workers
    # A circuit that opens again has let its probes through.
    return circuits * breaker.failures + run.tally.peak + breaker.probes * run.tally.openings


def _floor(run: Run) -> float:
    """Return the retries that the budgets allow however few calls there are."""
    retry = run.contender.policy.retry
    if retry is None or retry.budget is None:
        return 0.0
    budget = retry.budget
    return run.workers * (budget.capacity + budget.min_per_second * run.scenario.seconds)
