"""Promise 5: what the server asks to wait is never undercut, and refused where it cannot fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from resilient import (
    Backoff,
    NormalizeErrors,
    ResetHeader,
    Retry,
    RetryPolicy,
)
from resilient.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

Headers = Mapping[str, str] | list[tuple[str, str]]

HERE = "Thu, 01 Jan 2026 12:00:0{} GMT"  # the clock's noon, and seconds after it
DATE = "Wed, 31 Dec 2025 09:00:00 GMT"  # a server whose clock is a day behind

# What the server says, and how long that is in seconds.
ASKED: dict[str, tuple[Headers, float]] = {
    "seconds": ({"Retry-After": "7"}, 7),
    "fraction": ({"Retry-After": "0.75"}, 0.75),
    "spaces": ({"Retry-After": "  7 "}, 7),
    "two in one field": ({"Retry-After": "3, 9"}, 9),
    "two fields": ([("Retry-After", "3"), ("Retry-After", "9")], 9),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "azure's milliseconds": ({"x-ms-retry-after-ms": "2500"}, 2.5),
    "milliseconds and seconds": ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
    "date": ({"Retry-After": HERE.format(8)}, 8),
    "date of a clock behind": ({"Date": DATE, "Retry-After": "Wed, 31 Dec 2025 09:00:08 GMT"}, 8),
    "date of a clock ahead": (
        {"Date": "Sun, 01 Mar 2026 00:00:00 GMT", "Retry-After": "Sun, 01 Mar 2026 00:00:08 GMT"},
        8,
    ),
    "date of RFC 850": ({"Date": DATE, "Retry-After": "Wednesday, 31-Dec-25 09:00:08 GMT"}, 8),
    "date of asctime": ({"Date": DATE, "Retry-After": "Wed Dec 31 09:00:08 2025"}, 8),
    "date of RFC 3339": ({"Date": DATE, "Retry-After": "2025-12-31T09:00:08Z"}, 8),
    "date, Date invalid": ({"Date": "yesterday", "Retry-After": HERE.format(8)}, 8),
    "rate limit": ({"RateLimit": '"default";r=0;t=8'}, 8),
    "rate limits": ({"RateLimit": '"a";r=0;t=8, "b";r=5;t=99, "c";r=0;t=3'}, 8),
    "reset in seconds": ({"X-Reset-In": "8"}, 8),
    "reset at a time": ({"Date": DATE, "X-Reset-At": "1767171608"}, 8),
}
JUNK: dict[str, Headers] = {
    "word": {"Retry-After": "soon"},
    "empty": {"Retry-After": ""},
    "negative": {"Retry-After": "-5"},
    "nan": {"Retry-After": "nan"},
    "infinity": {"Retry-After": "inf"},
    "exponent": {"Retry-After": "1e9"},
    "superscript": {"Retry-After": "²"},
    "arabic digits": {"Retry-After": "٣"},
    "not UTF-8": {"Retry-After": "\udcff\udcfe"},
    "hexadecimal": {"Retry-After": "0x10"},
    "unit": {"Retry-After": "5s"},
    "no such day": {"Retry-After": "Fri, 31 Feb 2026 00:00:00 GMT"},
    "no such hour": {"Retry-After": "Thu, 01 Jan 2026 25:00:00 GMT"},
    "no such year": {"Retry-After": "0000-01-01T00:00:00Z"},
    "no such zone": {"Retry-After": "Thu, 01 Jan 2026 12:00:08 +9999"},
    "milliseconds of none": {"retry-after-ms": "soon"},
    "brackets": {"RateLimit": "(" * 3000},
    "rate limit without time": {"RateLimit": '"default";r=0'},
    "rate limit of text": {"RateLimit": '"default";r="0";t="8"'},
    "rate limit with something left": {"RateLimit": '"default";r=1;t=8'},
    "past": {"Retry-After": "Thu, 01 Jan 2026 11:59:00 GMT"},
    "zero": {"Retry-After": "0"},
}
RESETS = (ResetHeader("X-Reset-In", "seconds"), ResetHeader("X-Reset-At", "timestamp"))


def retry(clock: FakeClock, backoff: Backoff | None = None) -> Retry:
    backoff = backoff or Backoff(base=0.1, jitter="none")
    policy = RetryPolicy(backoff=backoff, budget=None)
    return Retry(policy, reset_headers=RESETS, clock=clock)


def normalised(clock: FakeClock) -> list[Any]:
    return [NormalizeErrors(reset_headers=RESETS, clock=clock)]


def raw(_: FakeClock) -> list[Any]:
    return []


inner = pytest.mark.parametrize("inner", [raw, normalised])


@inner
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("draw", [0.0, 0.5, 1 - 2**-53], ids=["low", "middle", "high"])
@pytest.mark.parametrize(("headers", "seconds"), ASKED.values(), ids=ASKED)
async def test_no_wait_is_shorter_and_jitter_goes_upward(
    headers: Headers,
    seconds: float,
    draw: float,
    status: int,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    clock.draw = draw
    clock.speed = 0  # a date does not come nearer meanwhile
    session = open_session(retry(clock), *inner(clock))
    async with FaultServer(Reply(status, headers=headers)) as server:
        assert await fetch(session, "GET", server.url) == 200
    (slept,) = clock.sleeps
    assert seconds <= slept <= seconds * 1.5
    assert slept == pytest.approx(seconds * (1 + draw / 2))


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
@pytest.mark.parametrize("draw", [0.0, 0.3, 0.999])
async def test_a_longer_backoff_is_not_cut_short_by_a_shorter_retry_after(
    jitter: Any, draw: float, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    clock.draw = draw
    backoff = Backoff(base=20, cap=50, jitter=jitter)
    session = open_session(retry(clock, backoff=backoff))
    async with FaultServer(*[Reply(503, headers={"Retry-After": "3"})] * 2) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert min(clock.sleeps) >= 3
    if jitter in ("none", "equal", "decorrelated"):
        assert min(clock.sleeps) >= 10


@inner
@pytest.mark.parametrize("headers", JUNK.values(), ids=JUNK)
async def test_a_header_that_says_nothing_leaves_the_wait_to_the_backoff(
    headers: Headers, inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), *inner(clock))
    async with FaultServer(Reply(429, headers=headers)) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert clock.sleeps == [0.1]


async def test_a_429_of_a_post_is_repeated_after_the_time_it_says(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), *normalised(clock))
    async with FaultServer(Reply(429, headers={"Retry-After": "4"})) as server:
        assert await fetch(session, "POST", server.url) == 200
    assert clock.sleeps[0] >= 4
