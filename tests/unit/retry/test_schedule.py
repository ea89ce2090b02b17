"""Waits between attempts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from resilient import Backoff, ConfigError


def take(waits: Iterator[float], count: int) -> list[float]:
    return list(itertools.islice(waits, count))


def low() -> float:
    return 0.0


def high() -> float:
    return 1.0 - 2**-53


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (Backoff(jitter="none"), [0.5, 1, 2, 4, 8, 16, 20, 20]),
        (Backoff(base=1, jitter="none"), [1, 2, 4, 8, 16, 20, 20]),
        (Backoff(base=1, factor=3, cap=10, jitter="none"), [1, 3, 9, 10, 10]),
        (Backoff(base=2, factor=1, jitter="none"), [2, 2, 2]),
        (Backoff(wait="constant", base=0.25, jitter="none"), [0.25, 0.25, 0.25]),
        (Backoff(wait="fibo", base=1, cap=6, jitter="none"), [1, 1, 2, 3, 5, 6, 6]),
        (Backoff(wait="fibo", base=0.5, cap=2, jitter="none"), [0.5, 0.5, 1, 1.5, 2, 2]),
    ],
)
def test_waits_follow_the_generator_from_the_first_one_on(
    backoff: Backoff, expected: list[float]
) -> None:
    assert take(backoff.waits(low), len(expected)) == expected


@pytest.mark.parametrize(
    ("jitter", "least", "most"),
    [
        ("none", [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),
        ("full", [0.0, 0.0, 0.0], [1.0, 2.0, 4.0]),
        ("equal", [0.5, 1.0, 2.0], [1.0, 2.0, 4.0]),
        ("decorrelated", [1.0, 1.0, 1.0], [3.0, 9.0, 20.0]),
    ],
)
def test_jitter_stays_within_its_bounds(jitter: Any, least: list[float], most: list[float]) -> None:
    backoff = Backoff(base=1, jitter=jitter)
    assert take(backoff.waits(low), 3) == pytest.approx(least)
    assert take(backoff.waits(high), 3) == pytest.approx(most)
    assert list(itertools.islice(backoff.bounds(), 3)) == list(zip(least, most, strict=True))


@pytest.mark.parametrize("wait", ["expo", "fibo", "constant"])
@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
def test_no_wait_is_beyond_the_cap_however_late(wait: Any, jitter: Any) -> None:
    backoff = Backoff(wait=wait, base=0.1, cap=7, jitter=jitter)
    # Without a cap the generator of the package overflows after about a thousand.
    assert all(0 <= seconds <= 7 for seconds in take(backoff.waits(high), 3000))


def test_nothing_is_carried_from_one_call_to_the_next() -> None:
    backoff = Backoff(jitter="none")
    first, second = backoff.waits(low), backoff.waits(low)
    assert take(first, 4) == [0.5, 1, 2, 4]
    assert take(second, 2) == [0.5, 1]
    assert take(backoff.waits(low), 2) == [0.5, 1]


def test_the_same_randomness_gives_the_same_waits() -> None:
    backoff = Backoff(jitter="decorrelated")
    runs = [take(backoff.waits(random.Random(7).random), 5) for _ in range(2)]
    assert runs[0] == runs[1]


def ramp(step: float = 1.0, none_first: bool = True) -> Generator[float | None, Any, None]:
    if none_first:
        yield None
    for number in itertools.count(1):
        yield number * step


def test_any_generator_of_that_signature_plugs_in() -> None:
    backoff = Backoff(wait=ramp, options={"step": 2}, jitter="none")
    assert take(backoff.waits(low), 3) == [2, 4, 6]


def test_a_generator_may_leave_out_the_first_none() -> None:
    backoff = Backoff(wait=ramp, options={"none_first": False}, jitter="none")
    assert take(backoff.waits(low), 3) == [1, 2, 3]


def test_a_generator_that_ends_ends_the_waits() -> None:
    def twice() -> Generator[float | None, Any, None]:
        yield None
        yield from (1.0, 2.0)

    assert list(Backoff(wait=twice, jitter="none").waits(low)) == [1, 2]


def test_a_generator_that_says_nothing_waits_as_long_as_may_be() -> None:
    def mute() -> Generator[float | None, Any, None]:
        while True:
            yield None

    assert take(Backoff(wait=mute, cap=9, jitter="none").waits(low), 2) == [9, 9]


def test_what_a_generator_gives_is_kept_within_bounds() -> None:
    def wild() -> Generator[float | None, Any, None]:
        yield None
        yield from (-1.0, float("inf"), float("nan"), 10.0**300)

    assert list(Backoff(wait=wild, cap=9, jitter="none").waits(low)) == [0, 9, 9, 9]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"base": 0}, "Backoff.base must be a positive"),
        ({"base": float("nan")}, "Backoff.base"),
        ({"base": "1"}, "Backoff.base"),
        ({"base": True}, "Backoff.base"),
        ({"cap": float("inf")}, "Backoff.cap"),
        ({"base": 3, "cap": 2}, r"Backoff.cap must be at least base \(3 s\), not 2"),
        ({"factor": 0.5}, "Backoff.factor"),
        ({"jitter": "some"}, "Backoff.jitter must be one of 'none', 'full'"),
        ({"jitter": []}, "Backoff.jitter"),
        ({"wait": "linear"}, "Backoff.wait must be one of 'expo'"),
        ({"options": {"step": 1}}, "Backoff.options"),
    ],
)
def test_a_backoff_that_makes_no_sense_names_the_field(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        Backoff(**settings)
