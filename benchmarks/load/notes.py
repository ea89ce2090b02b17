"""Write the remarks that a reader of the figures needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.load.run import Run
from benchmarks.load.tally import DROPPED, LATE

__all__ = ["notes"]

# Seconds by which the generator may be late without a note.
_LATE = 0.02

# The policies with fewer parts than the pipeline, and the differences in success (percentage
# points) and latency (factor) from which on a note says that one of them is better.
_LESS = ("none", "retry", "retry+breaker")
_POINTS = 1.0
_TIMES = 1.25

# The share of an outage up to which the open time of a circuit needs no note.
_MUCH = 0.25

_ALWAYS = (
    "Latency counts from when a call was due, so it holds what the generator was late by. The "
    "quantiles are those of the calls that succeeded: a policy that gives up on slow calls "
    "looks quick, so read them beside the share that succeeded.",
    "The same seed gives the same arrivals and the same row of faults. Which call meets which "
    "fault is not certain: it depends on the order in which requests reach the server, and "
    "retries stand in that row, too. Waits are drawn at random.",
    "Each worker has a pipeline of its own, and so a circuit and a retry budget of its own, as "
    "several processes of a service do.",
)


def notes(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return the notes on the runs measured so far."""
    runs = tuple(runs)
    return (
        *_ALWAYS,
        *_of_the_generator(runs),
        *_of_breakers(runs),
        *_where_less_is_better(runs),
    )


def _of_the_generator(runs: Iterable[Run]) -> Iterator[str]:
    for run in runs:
        late = run.tally.lateness.quantile(0.99) or 0.0
        if late > _LATE:
            yield (
                f"{_where(run)}: the generator was late by {late * 1000:.0f} ms (p99), so these "
                "latencies are the machine's more than the policy's; a lower rate or a quieter "
                "machine would help."
            )
        if run.connections is not None and run.tally.peak > run.connections:
            yield (
                f"{_where(run)}: up to {run.tally.peak} calls were in progress, and no more than "
                f"{run.connections} connections open. Those that waited for one were not on their "
                "way to the server, which so was spared; a lower rate would help, or a higher "
                "limit of open files."
            )
        for reason in (DROPPED, LATE):
            if count := run.tally.failures[reason]:
                yield f"{_where(run)}: {count} calls were {reason}. No policy is to blame."


def _of_breakers(runs: Iterable[Run]) -> Iterator[str]:
    """Say where a short run shows breakers better or worse than they are."""
    for run in runs:
        outage, breaker = run.scenario.outage, run.contender.policy.breaker
        if outage is None or breaker is None:
            continue
        lasted = outage.end - outage.start
        if run.tally.openings and breaker.open_for > _MUCH * lasted:
            yield (
                f"{_where(run)}: a circuit that opens refuses calls for {breaker.open_for:g} s, "
                f"also when the outage ends meanwhile. Of one of {lasted:.3g} s that is much, of "
                "one of minutes little."
            )
        after = run.scenario.seconds - outage.end
        if run.tally.openings and breaker.open_for > after:
            yield (
                f"{_where(run)}: the run ends {after:.3g} s after the outage, and a circuit that "
                f"opens stays so for {breaker.open_for:g} s: too short a run to see it close."
            )


def _where_less_is_better(runs: Sequence[Run]) -> Iterator[str]:
    """Say where a policy with fewer parts does better than the whole pipeline."""
    for run in runs:
        if run.contender.name != "pipeline":
            continue
        others = [
            each
            for each in runs
            if each.scenario.name == run.scenario.name and each.contender.name in _LESS
        ]
        better = [each for each in others if each.success > run.success + _POINTS]
        if better:
            yield (
                f"{run.scenario.name}: more calls succeed with "
                + ", ".join(_price(each) for each in better)
                + f" than with the {_price(run)}."
            )
        for other in others:
            if other.contender.name == "none" and abs(other.success - run.success) <= _POINTS:
                yield from _quicker(other, run)


def _price(run: Run) -> str:
    """Return the success of a run and its requests per call, in words."""
    return (
        f"{run.contender.name} ({run.success:.1f} %, {run.requests_per_call:.2f} requests a call)"
    )


def _quicker(other: Run, run: Run) -> Iterator[str]:
    noise = max(each.tally.lateness.quantile(0.99) or 0.0 for each in (other, run))
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        theirs, ours = (each.tally.succeeded.quantile(share) for each in (other, run))
        if theirs is not None and ours is not None and ours > _TIMES * theirs + noise:
            yield (
                f"{run.scenario.name}: as many calls succeed with aiohttp alone, and more quickly: "
                f"{name} {theirs * 1000:.1f} ms against {ours * 1000:.1f} ms with the pipeline."
            )


def _where(run: Run) -> str:
    return f"{run.scenario.name}, {run.contender.name}"
