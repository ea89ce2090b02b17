"""A crowd: ten thousand clients, an outage, and what comes down on a server that is just back.

A client makes a call now and then; when one fails it tries again soon, as a user does or a
worker with a queue, so that demand builds up. A hundred clients share a process, and with it
a pipeline, as they do in a web application; to see what that is worth, each has its own once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from attrs import evolve

from benchmarks.progress import Progress
from benchmarks.storm.crowd_outage import PER_PROCESS, Crowd, run
from benchmarks.storm.crowd_tables import told
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, Policy, RetryPolicy

__all__ = ["crowds", "tell"]

_NO_RAMP = evolve(Policy(), breaker=BreakerPolicy(ramp_up=0.0))
_NO_JITTER = evolve(Policy(), retry=RetryPolicy(backoff=Backoff(jitter="none")))
_RETRY_ALONE = Policy(
    errors=None,
    total_timeout=None,
    breaker=None,
    attempt_timeout=None,
    retry=RetryPolicy(budget=None),
)
_BLUNT = evolve(_RETRY_ALONE, retry=RetryPolicy(budget=None, backoff=Backoff(jitter="none")))


def crowds(settings: StormSettings) -> tuple[Crowd, ...]:
    """What is set side by side; the standard pipeline first."""

    def crowd(
        name: str, policy: Policy, *, stalls: bool = False, per_process: int = PER_PROCESS
    ) -> Crowd:
        return Crowd(
            name=name,
            policy=policy,
            clients=settings.clients,
            per_process=per_process,
            seconds=settings.seconds,
            stalls=stalls,
        )

    return (
        crowd("standard pipeline", Policy()),
        crowd("without ramp", _NO_RAMP),
        crowd("a pipeline for each client", Policy(), per_process=1),
        crowd("retry alone", _RETRY_ALONE),
        *(crowd(own.name, own.policy) for own in settings.own),
        crowd("standard pipeline", Policy(), stalls=True),
        crowd("without jitter", _NO_JITTER, stalls=True),
        crowd("retry alone", _RETRY_ALONE, stalls=True),
        crowd("retry alone, without jitter", _BLUNT, stalls=True),
        *(crowd(own.name, own.policy, stalls=True) for own in settings.own),
    )


def tell(settings: StormSettings, progress: Progress) -> Iterator[Told]:
    """Let the crowd go through an outage of either kind, under one policy after another."""
    compared = crowds(settings)
    progress.begin("crowd", len(compared))
    found: list[tuple[Crowd, Tally]] = []
    taken: float | None = None
    for crowd in compared:
        began = time.perf_counter()
        found.append((crowd, run(crowd, seed=settings.seed)))
        if taken is None:
            taken = time.perf_counter() - began
        progress.advance()
        yield told(found, taken)
