"""Throttling: what a limit over all retries leaves of them when more and more calls fail.

Our budget lets a share of the calls be repeated, whatever fails; gRPC's throttling
(gRFC A6) lets everything be repeated until too much fails, and then nothing. Google's own
figures for a budget of a tenth are in "Site Reliability Engineering", chapter 21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import aiohttp
from aiohttp import ClientMiddlewareType
from attrs import evolve

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, Table
from benchmarks.storm.grpc_throttle import GrpcThrottle
from benchmarks.storm.network import Network
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import Process, arrive_at_random, randomness, simulate
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import Backoff, BudgetPolicy, Pipeline, Retry, RetryPolicy
from resilient.testing import LoopClock, Mixture, Reply

__all__ = ["MIDDLEWARES", "fail_at_random", "tell"]

_A6 = "gRFC A6, gRPC Retry Design, 2017"
_SRE = 'Google, "Site Reliability Engineering", 2016, chapter 21, "Handling Overload"'

# Three attempts, as in Google's figures, with the backoff of A6's example.
_POLICY = RetryPolicy(max_attempts=3, budget=None, backoff=Backoff(base=0.1, cap=1.0))

_FAILURES = (0.01, 0.05, 0.09, 0.2, 0.3, 0.5, 0.75, 1.0)
_QUICK_FAILURES = (0.05, 0.2, 0.5, 1.0)
_CALL_RATES = (1, 3, 10, 30, 100)
_QUICK_CALL_RATES = (3, 100)
_CALLS, _QUICK_CALLS = 2_500, 1_000
_CALL_RATE = 100.0

_Make = Callable[[Random], ClientMiddlewareType]


def _retry(budget: BudgetPolicy | None) -> _Make:
    policy = evolve(_POLICY, budget=budget)
    return lambda random: Retry(policy, clock=LoopClock(draw=random.random))


def _grpc(random: Random) -> ClientMiddlewareType:
    throttle = GrpcThrottle()
    clock = LoopClock(draw=random.random)
    return Pipeline.of(Retry(_POLICY, budget=throttle, clock=clock), throttle)


_NO_BUDGET, _BUDGET = "no budget", "our budget"
MIDDLEWARES: dict[str, _Make] = {
    _NO_BUDGET: _retry(None),
    _BUDGET: _retry(BudgetPolicy()),
    "gRPC's throttling": _grpc,
}


def fail_at_random(
    make: _Make, *, failures: float, call_rate: float, calls: int, random: Random
) -> Tally:
    """Make calls through one middleware to a server that fails a share of the requests."""
    tally = Tally()
    seed = random.randrange(2**32)
    server = Mixture({Reply(503): failures}, otherwise=Reply(200), seed=seed)
    network = Network(server, tally)

    async def main(session: aiohttp.ClientSession) -> None:
        process = Process(session, make(random), network, tally)
        await arrive_at_random([process], rate=call_rate, until=calls / call_rate, random=random)

    simulate(main)
    return tally


def tell(settings: StormSettings, progress: Progress) -> Iterator[Told]:
    """Compare the limits over the share of failures, then ours over the rate of calls."""
    shares = _QUICK_FAILURES if settings.quick else _FAILURES
    rates = _QUICK_CALL_RATES if settings.quick else _CALL_RATES
    calls = _QUICK_CALLS if settings.quick else _CALLS
    progress.begin("throttling", len(shares) * len(MIDDLEWARES) + len(rates))

    def run(what: str, failures: float, call_rate: float) -> Tally:
        random = randomness(settings.seed, "throttling", what, failures, call_rate)
        tally = fail_at_random(
            MIDDLEWARES[what], failures=failures, call_rate=call_rate, calls=calls, random=random
        )
        progress.advance()
        return tally

    found = {
        (what, share): run(what, share, _CALL_RATE) for share in shares for what in MIDDLEWARES
    }
    told = _compared(shares, found)
    yield told
    by_rate = {rate: run(_BUDGET, 1.0, rate) for rate in rates}
    yield evolve(told, tables=(*told.tables, _floor(by_rate)))


def _compared(shares: tuple[float, ...], found: dict[tuple[str, float], Tally]) -> Told:
    def table(title: str, unit: str, value: Callable[[Tally], float]) -> Table:
        return Table(
            title=title,
            columns=tuple(f"{share:.0%} fail" for share in shares),
            rows=tuple(
                (
                    what,
                    tuple(
                        Figure(
                            what=f"{title}, {what}, {share:.0%} fail",
                            value=value(found[what, share]),
                            unit=unit,
                        )
                        for share in shares
                    ),
                )
                for what in MIDDLEWARES
            ),
            remark=f"One process, {_CALL_RATE:g} calls a second, three attempts.",
        )

    growth = {what: found[what, 1.0].requests_per_call for what in MIDDLEWARES}
    throttle = GrpcThrottle()
    published = Table(
        title="Throttling: what was published",
        figures=(
            Figure(
                what="requests per call, everything fails, no budget",
                value=growth[_NO_BUDGET],
                unit="x",
                published="3",
                source=_SRE,
            ),
            Figure(
                what="requests per call, everything fails, our budget",
                value=growth[_BUDGET],
                unit="x",
                published="1.1",
                source=_SRE,
                remark="theirs is of a tenth too, and of each client",
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
    return Told(
        tables=(
            table("Throttling: requests per call", "x", lambda tally: tally.requests_per_call),
            table("Throttling: calls that succeed", "%", lambda tally: tally.success),
            published,
        ),
        charts=(
            Chart(
                title="Requests per call over the share of failures",
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
            "failure costs more calls; ours goes on repeating a tenth.",
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
            f"{budget.min_per_second:g} retries a second are always allowed, in each process, "
            f"so that the ratio of {budget.ratio:g} is what counts only above "
            f"{budget.min_per_second / budget.ratio:g} calls a second."
        ),
    )
