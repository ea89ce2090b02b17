"""Throttling: what limits over all retries do when more and more calls fail.

Our budget charges only retries that fail, up to a tenth of what succeeds; gRPC's throttling
(gRFC A6, https://github.com/grpc/proposal/blob/master/A6-client-retries.md) lets everything be
repeated until too much fails, and then nothing. Google's own figures for a budget of a tenth
of the calls are in "Site Reliability Engineering", chapter 21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import evolve

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Table
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import random_for
from benchmarks.storm.tally import Tally
from benchmarks.storm.throttling_simulation import (
    BUDGET,
    MIDDLEWARES,
    NO_BUDGET,
    GrpcThrottle,
    fail_at_random,
)
from resilient import BudgetPolicy

__all__ = ["measure"]

_A6 = "gRFC A6, gRPC Retry Design, 2017"
_SRE = 'Google, "Site Reliability Engineering", 2016, chapter 21, "Handling Overload"'

_FAILURES = (0.01, 0.05, 0.09, 0.2, 0.3, 0.5, 0.75, 1.0)
_QUICK_FAILURES = (0.05, 0.2, 0.5, 1.0)
_CALL_RATES = (1, 3, 10, 30, 100)
_QUICK_CALL_RATES = (3, 100)
_CALLS, _QUICK_CALLS = 2_500, 1_000
_CALL_RATE = 100.0

_Found = dict[tuple[str, float], Tally]


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Compare the limits over the share of failures, then ours over the rate of calls."""
    shares = _QUICK_FAILURES if settings.quick else _FAILURES
    rates = _QUICK_CALL_RATES if settings.quick else _CALL_RATES
    calls = _QUICK_CALLS if settings.quick else _CALLS
    progress.begin("throttling", len(shares) * len(MIDDLEWARES) + len(rates))

    def run(what: str, failures: float, call_rate: float) -> Tally:
        random = random_for(settings.seed, "throttling", what, failures, call_rate)
        tally = fail_at_random(
            MIDDLEWARES[what], failures=failures, call_rate=call_rate, calls=calls, random=random
        )
        progress.advance()
        return tally

    found = {
        (what, share): run(what, share, _CALL_RATE) for share in shares for what in MIDDLEWARES
    }
    result = _by_share(shares, found)
    yield result
    by_rate = {rate: run(BUDGET, 1.0, rate) for rate in rates}
    yield evolve(result, tables=(*result.tables, _floor(by_rate)))


def _by_share(shares: tuple[float, ...], found: _Found) -> ScenarioResult:
    """Return what was found over the share of failures."""
    return ScenarioResult(
        tables=(
            _comparison(
                "Throttling: requests per call",
                "x",
                shares,
                found,
                lambda tally: tally.requests_per_call,
            ),
            _comparison(
                "Throttling: calls that succeed", "%", shares, found, lambda tally: tally.success
            ),
            _published(found),
        ),
        charts=(
            Chart(
                title="Throttling: requests per call over the share of failures",
                x_label="requests that fail, %",
                y_label="requests per call",
                lines=tuple(
                    Line(
                        name=what,
                        xs=[100 * share for share in shares],
                        ys=[found[what, share].requests_per_call for share in shares],
                    )
                    for what in MIDDLEWARES
                ),
            ),
        ),
        notes=(
            "Where few requests fail, gRPC's throttling and our budget repeat nearly all of "
            "them. Beyond a tenth gRPC's stops retries almost altogether, so that a partial "
            "failure costs more calls; ours repeats all up to 28 %, and beyond that as many as "
            "a tenth of the successes pay for.",
        ),
    )


def _comparison(
    title: str,
    unit: str,
    shares: tuple[float, ...],
    found: _Found,
    value: Callable[[Tally], float],
) -> Table:
    def figure(what: str, share: float) -> Figure:
        return Figure(
            what=f"{title}, {what}, {share:.0%} fail", value=value(found[what, share]), unit=unit
        )

    return Table(
        title=title,
        columns=tuple(f"{share:.0%} fail" for share in shares),
        rows=tuple((what, tuple(figure(what, share) for share in shares)) for what in MIDDLEWARES),
        remark=f"One process, {_CALL_RATE:g} calls a second, three attempts.",
    )


def _published(found: _Found) -> Table:
    growth = {what: found[what, 1.0].requests_per_call for what in MIDDLEWARES}
    throttle = GrpcThrottle()
    return Table(
        title="Throttling: what was published",
        figures=(
            Figure(
                what="requests per call, everything fails, no budget",
                value=growth[NO_BUDGET],
                unit="x",
                published="3",
                source=_SRE,
            ),
            Figure(
                what="requests per call, everything fails, our budget",
                value=growth[BUDGET],
                unit="x",
                published="1.1",
                source=_SRE,
                remark="theirs is of a tenth of the calls, and of each client",
            ),
            Figure(
                what="share of failures beyond which gRPC suspends retries",
                value=100 * throttle.threshold,
                unit="%",
                published=f"a tokenRatio of {throttle.token_ratio:g}",
                source=_A6,
                remark="follows from the ratio: as many tokens are taken as are given back",
            ),
        ),
    )


def _floor(by_rate: dict[int, Tally]) -> Table:
    budget = BudgetPolicy()
    return Table(
        title="Throttling: our budget's floor, everything fails",
        figures=tuple(
            Figure(
                what=f"requests per call, a process that makes {rate} calls/s",
                value=tally.requests_per_call,
                unit="x",
                published="1.1",
                source=_SRE,
            )
            for rate, tally in by_rate.items()
        ),
        remark=(
            f"{budget.capacity} retries come first, in each process, and then "
            f"{budget.min_per_second:g} a second whatever fails, so that a process with few "
            "calls repeats more of them."
        ),
    )
