"""The waits and the times that `explain` gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from itertools import count, repeat
from typing import Any

import pytest

from resilient import (
    Backoff,
    BreakerPolicy,
    BulkheadPolicy,
    ErrorPolicy,
    Policy,
    RetryPolicy,
    ThrottlePolicy,
)
from resilient.cli.explain.report import time_rows
from resilient.cli.explain.times import Times, times, waits


def retry(**changes: Any) -> RetryPolicy:
    return RetryPolicy(**{"backoff": Backoff(base=1, cap=4, jitter="equal"), **changes})


def bounds(policy: RetryPolicy) -> list[tuple[float, float]]:
    return [(each.least, each.most) for each in waits(policy).bounds]


def failing_after(*values: float) -> Callable[[], Generator[float]]:
    def wait() -> Generator[float]:
        yield from values
        raise LookupError("no more")

    return wait


def test_a_wait_follows_each_attempt_but_the_last() -> None:
    found = waits(retry(max_attempts=4))
    assert [each.after_attempt for each in found.bounds] == [1, 2, 3]
    assert bounds(retry(max_attempts=4)) == [(0.5, 1), (1, 2), (2, 4)]
    assert (found.count, found.ends) == (3, None)
    assert waits(retry(max_attempts=1)).count == 0
    assert waits(retry(max_attempts=1)).ends is None


@pytest.mark.parametrize(
    ("wait", "shown", "ends"),
    [
        (lambda: iter([1, 2]), 2, "the wait generator gives 2 waits and no more"),
        (lambda: iter([None, 1]), 1, "the wait generator gives 1 wait and no more"),
        (lambda: iter([]), 0, "the wait generator gives no wait"),
        (failing_after(1, 2), 2, "the wait generator gives 2 waits and no more: LookupError"),
        (failing_after(), 0, "the wait generator gives no wait: LookupError"),
        (lambda: iter([1, "soon"]), 1, "the wait generator gives 1 wait and no more: ValueError"),
        (lambda: 7, 0, "the wait generator gives no wait: TypeError"),
        (lambda needed: iter([1]), 0, "the wait generator gives no wait: TypeError"),
        (lambda: repeat(1), 9, None),
        (lambda: count(1), 9, None),
        (lambda: repeat(math.inf), 9, None),
        (lambda: repeat(-1), 9, None),
    ],
)
def test_a_generator_of_any_kind_is_borne(wait: Any, shown: int, ends: str | None) -> None:
    found = waits(retry(max_attempts=10, backoff=Backoff(wait=wait, cap=4, jitter="none")))
    assert (len(found.bounds), found.count, found.ends) == (shown, shown, ends)
    assert all(0 <= each.least <= each.most <= 4 for each in found.bounds)


def test_a_billion_attempts_take_no_longer_to_explain() -> None:
    asked = 0

    def wait() -> Generator[float]:
        nonlocal asked
        while True:
            asked += 1
            yield 1

    found = waits(retry(max_attempts=10**9, backoff=Backoff(wait=wait)))
    assert found.count == 10**9 - 1
    assert len(found.bounds) == 99
    assert asked < 110
    everlasting = times(Policy(retry=retry(max_attempts=10**9), total_timeout=None), "GET")
    assert everlasting.worst == pytest.approx(10**9 * (31 + 64), rel=1e-6)
    assert everlasting.attempts == 10**9


def test_waits_that_are_not_looked_at_may_be_as_long_as_the_cap() -> None:
    slow = Backoff(base=1, factor=1.01, cap=10_000, jitter="none")
    policy = retry(max_attempts=1000, backoff=slow, max_retry_after=0)
    taken = 0.0
    for _, wait in zip(range(999), slow.waits(lambda: 0.0), strict=False):
        taken += wait
    assert waits(policy).longest >= taken


def test_a_generator_of_the_users_may_give_up_to_the_cap_next_time() -> None:
    def one() -> Generator[float]:
        yield from (1, 1)

    policy = retry(
        max_attempts=3, backoff=Backoff(wait=one, cap=7, jitter="none"), max_retry_after=0
    )
    assert bounds(policy) == [(1, 1), (1, 1)]
    assert waits(policy).longest == 14


@pytest.mark.parametrize(
    ("policy", "longest"),
    [
        (retry(max_retry_after=0), 1 + 2),
        # Half as long again, but no more than the cap.
        (retry(max_retry_after=2), 3 + 3),
        (retry(max_retry_after=60), 64 + 64),
        (retry(max_retry_after=1), 1.5 + 2),
        (retry(max_retry_after=60, max_attempts=1), 0),
    ],
)
def test_a_server_may_ask_for_longer_waits(policy: RetryPolicy, longest: float) -> None:
    assert waits(policy).longest == longest


QUICK = retry(max_retry_after=0)


@pytest.mark.parametrize(
    ("policy", "method", "attempts", "worst", "limited_by"),
    [
        # Three attempts of 30 s and 1 s, and the waits.
        ({"retry": QUICK, "total_timeout": None}, "GET", 3, 93 + 3, "attempts"),
        ({"retry": QUICK}, "GET", 3, 93 + 3, "attempts"),
        ({"retry": QUICK, "total_timeout": 96}, "GET", 3, 96, "total_timeout"),
        ({"retry": QUICK, "total_timeout": 95}, "GET", 3, 95, "total_timeout"),
        # What is not wanted is drained between attempts, a quarter of a second at most.
        ({"retry": QUICK, "errors": None}, "GET", 3, 90 + 2 * 0.25 + 3, "attempts"),
        (
            {"retry": QUICK, "errors": ErrorPolicy(read_timeout=0.1)},
            "GET",
            3,
            90 + 2 * 0.25 + 0.1 + 3,
            "attempts",
        ),
        ({"retry": QUICK, "attempt_timeout": None}, "GET", 3, 100, "total_timeout"),
        ({"attempt_timeout": None, "total_timeout": None}, "GET", 3, math.inf, None),
        # aiohttp's own second request.
        ({"retry": None, "total_timeout": None}, "GET", 2, 61, "attempts"),
        ({"retry": None, "total_timeout": None}, "POST", 1, 31, "attempts"),
        ({"retry": None, "total_timeout": 20}, "PUT", 2, 40, "total_timeout"),
        ({"retry": None, "total_timeout": 20}, "POST", 1, 20, "total_timeout"),
        ({"retry": None, "errors": None}, "POST", 1, 30, "attempts"),
    ],
)
def test_the_worst_case(
    policy: dict[str, Any], method: str, attempts: int, worst: float, limited_by: str | None
) -> None:
    found = times(Policy(**policy), method)
    assert (found.attempts, found.worst, found.limited_by) == (attempts, worst, limited_by)


def test_an_attempt_takes_no_longer_than_the_call() -> None:
    assert times(Policy(), "GET").attempt == 31
    assert times(Policy(total_timeout=20), "GET").attempt == 20
    assert times(Policy(attempt_timeout=None, total_timeout=None), "GET").attempt == math.inf


@pytest.mark.parametrize(("given", "most"), [(0, 2), (1, 3), (3, 5), (9, 5)])
def test_waits_that_end_leave_room_for_one_stale_connection(given: int, most: int) -> None:
    def wait() -> Generator[float]:
        yield from repeat(1.0, given)

    ends = retry(max_attempts=5, backoff=Backoff(wait=wait))
    assert times(Policy(retry=ends), "GET").attempts == most


# Without guards that hold calls.
ALONE: dict[str, Any] = {"throttle": None, "breaker": None}


def shown(policy: Policy) -> list[tuple[str, str]]:
    return list(time_rows(times(policy, "GET")))


def test_alike_waits_are_in_one_row() -> None:
    policy = Policy(retry=retry(max_attempts=7), total_timeout=None, **ALONE)
    assert shown(policy) == [
        ("attempts", "at most 7, each of at most 31 s"),
        ("wait 1", "0.5 to 1 s"),
        ("wait 2", "1 to 2 s"),
        ("wait 3 to 6", "2 to 4 s"),
        ("at worst", "601 s, if all attempts and waits take as long as they may"),
    ]


def test_a_wait_of_one_length_has_no_bounds() -> None:
    policy = Policy(retry=retry(max_attempts=2, backoff=Backoff(base=3, jitter="none")))
    assert ("wait 1", "3 s") in shown(policy)


def test_of_many_waits_the_first_are_shown() -> None:
    growing = Backoff(base=1, factor=1.01, cap=100, jitter="none")
    rows = shown(Policy(retry=retry(max_attempts=500, backoff=growing), **ALONE))
    assert [name for name, _ in rows] == [
        "attempts",
        *(f"wait {place}" for place in range(1, 11)),
        "...",
        "at worst",
    ]
    assert ("...", "499 waits in all") in rows
    alike = shown(Policy(retry=retry(max_attempts=500)))
    assert ("wait 3 to 99", "2 to 4 s") in alike
    assert ("...", "499 waits in all") in alike


@pytest.mark.parametrize(
    ("policy", "row"),
    [
        (Policy(total_timeout=20), "20 s, by total_timeout; without that 253 s"),
        (
            Policy(attempt_timeout=None),
            "100 s, by total_timeout; without that no limit",
        ),
        (
            Policy(attempt_timeout=None, total_timeout=None),
            "no limit: neither total_timeout nor attempt_timeout is set",
        ),
        (Policy(retry=None, **ALONE), "61 s, if all attempts and waits take as long as they may"),
        (
            Policy(retry=None),
            "61 s, if all attempts and waits take as long as they may, and besides what guards add",
        ),
    ],
)
def test_the_worst_case_says_what_makes_it_so(policy: Policy, row: str) -> None:
    assert shown(policy)[-1] == ("at worst", row)


def test_an_attempt_without_a_limit() -> None:
    rows = shown(Policy(attempt_timeout=None, total_timeout=None))
    assert rows[0] == ("attempts", "at most 3, each without a limit")


def test_times_compare() -> None:
    assert isinstance(times(Policy(), "GET"), Times)
    assert times(Policy(), "GET") == times(Policy(), "PUT")


@pytest.mark.parametrize(
    ("policy", "held"),
    [
        (ALONE, []),
        (
            {},
            [
                "a throttle may hold each attempt until the server's time is over, up to 60 s, and "
                "for a queue of up to 30 s",
                "an open circuit may hold it for up to 2 s in all, and 3 s more once traffic is "
                "let back in",
            ],
        ),
        (
            {
                "throttle": ThrottlePolicy(learn=False, limit="1/s", max_wait=7),
                "breaker": BreakerPolicy(patience=0),
                "bulkhead": BulkheadPolicy(max_wait=1.5),
            },
            [
                "a throttle may hold each attempt for a queue of up to 7 s",
                "a bulkhead may hold each attempt for up to 1.5 s",
            ],
        ),
        ({"throttle": ThrottlePolicy(learn=False), "breaker": BreakerPolicy(observe=True)}, []),
        ({**ALONE, "bulkhead": BulkheadPolicy(max_wait=0)}, []),
    ],
)
def test_what_guards_add_is_named(policy: dict[str, Any], held: list[str]) -> None:
    assert [line for name, line in shown(Policy(**policy)) if name == "held"] == held
