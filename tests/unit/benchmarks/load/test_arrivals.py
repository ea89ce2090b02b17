"""When calls arrive."""

from __future__ import annotations

import itertools
import math

import pytest

from benchmarks.load.arrivals import Arrival, arrivals


def drawn(worker: int = 0, workers: int = 1, seed: int = 1, posts: float = 0.0) -> list[Arrival]:
    return list(
        arrivals(seed=seed, worker=worker, workers=workers, rate=1000.0, seconds=10.0, posts=posts)
    )


def test_the_same_seed_gives_the_same_calls() -> None:
    assert drawn(posts=0.5) == drawn(posts=0.5)


def test_another_seed_and_another_worker_give_others() -> None:
    assert len({tuple(drawn()), tuple(drawn(seed=2)), tuple(drawn(worker=1))}) == 3


def test_they_are_in_order_and_within_the_time() -> None:
    offsets = [each.offset for each in drawn()]
    assert offsets == sorted(offsets)
    assert offsets[0] >= 0
    assert offsets[-1] < 10.0


@pytest.mark.parametrize("workers", [1, 4])
def test_all_workers_together_have_the_rate(workers: int) -> None:
    count = sum(len(drawn(worker, workers)) for worker in range(workers))
    assert count == pytest.approx(10_000, abs=4 * math.sqrt(10_000))


def test_gaps_are_those_of_a_poisson_process() -> None:
    offsets = [each.offset for each in drawn()]
    gaps = [after - before for before, after in itertools.pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    # Of an exponential distribution both are the same; of a steady beat the spread is none.
    assert spread == pytest.approx(mean, rel=0.1)


def test_so_many_are_posts() -> None:
    methods = [each.method for each in drawn(posts=0.2)]
    assert methods.count("POST") / len(methods) == pytest.approx(0.2, abs=0.02)
    assert {each.method for each in drawn()} == {"GET"}
