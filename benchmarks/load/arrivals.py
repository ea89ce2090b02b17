"""When calls arrive: whether they are answered or not."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

__all__ = ["Arrival", "arrivals"]


class Arrival(NamedTuple):
    """A call that is to be made.

    Attributes:
        offset: When, in seconds from the start.
        method: How.
    """

    offset: float
    method: str


def arrivals(
    *, seed: int, worker: int, workers: int, rate: float, seconds: float, posts: float = 0.0
) -> Iterator[Arrival]:
    """The calls of one worker, in order: a Poisson process, the same for the same seed.

    What several workers make is again a Poisson process, of all their rates together.

    Args:
        seed: Of all workers.
        worker: Which of them, from 0.
        workers: How many there are; each has its share of the rate.
        rate: Calls a second of all of them.
        seconds: For how long.
        posts: The share of POSTs.
    """
    random = Random(f"{seed}/{worker}")
    offset = random.expovariate(rate / workers)
    while offset < seconds:
        yield Arrival(offset, "POST" if random.random() < posts else "GET")
        offset += random.expovariate(rate / workers)
