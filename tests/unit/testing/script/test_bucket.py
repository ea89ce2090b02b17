"""A rate limit of a server's."""

import asyncio
import pickle
from typing import Any

import aiohttp
import pytest

from resilient.headers.retry_after import parse_retry_after
from resilient.testing import FaultServer, Reply, run_in_virtual_time
from resilient.testing.script.capacity import TokenBucket
from tests.unit.testing.support import post, request_at


def statuses(bucket: TokenBucket, *times: float) -> list[int]:
    return [bucket(request_at(time)).status for time in times]  # type: ignore[union-attr]  # they are replies here


def refusal(bucket: TokenBucket, time: float) -> dict[str, str]:
    reply: Any = bucket(request_at(time))
    assert reply.status == 429
    return dict(reply.headers)


def test_a_burst_passes_and_then_a_request_for_each_token() -> None:
    bucket = TokenBucket(2.0, 3)
    assert statuses(bucket, *[100.0] * 5) == [200, 200, 200, 429, 429]
    assert statuses(bucket, 100.4, 100.5, 100.5, 101.0, 101.4) == [429, 200, 429, 200, 429]


def test_tokens_do_not_pile_up_beyond_the_burst() -> None:
    bucket = TokenBucket(1.0, 2)
    assert statuses(bucket, *[0.0] * 3, *[1000.0] * 3) == [200, 200, 429] * 2


def test_thousands_of_tokens_a_second_are_not_one_more() -> None:
    assert statuses(TokenBucket(5000.0, 20), *[5.0] * 40).count(200) == 20


@pytest.mark.parametrize(
    ("rate", "time", "seconds"),
    [
        (5.0, 0.0, "1"),
        (1.0, 0.0, "1"),
        (0.5, 0.0, "2"),
        (0.4, 0.0, "3"),
        (0.5, 0.9, "2"),
        (0.5, 1.1, "1"),
    ],
)
def test_retry_after_is_the_time_until_a_token_is_there_rounded_up(
    rate: float, time: float, seconds: str
) -> None:
    bucket = TokenBucket(rate)
    assert statuses(bucket, 0.0) == [200]
    assert refusal(bucket, time) == {"Retry-After": seconds}
    assert statuses(bucket, time + int(seconds)) == [200]


def test_a_client_that_comes_back_to_the_millisecond_is_not_too_early() -> None:
    bucket = TokenBucket(1 / 3, hints=("retry-after-ms",))
    time = 0.1
    assert statuses(bucket, time) == [200]
    for _ in range(50):
        time += float(refusal(bucket, time)["retry-after-ms"]) / 1000
        assert statuses(bucket, time) == [200]


def test_every_form_of_the_hint() -> None:
    def hints(*names: Any) -> dict[str, str]:
        bucket = TokenBucket(0.4, 4, hints=names)
        assert statuses(bucket, *[0.0] * 4) == [200] * 4
        return refusal(bucket, 0.0)

    assert hints() == {}
    assert hints("retry-after-ms") == {"retry-after-ms": "2500"}
    rate_limit = {"RateLimit-Policy": '"default";q=4;w=10', "RateLimit": '"default";r=0;t=3'}
    assert hints("RateLimit") == rate_limit
    reset = {"X-RateLimit-Limit": "4", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}
    assert hints("X-RateLimit-Reset") == reset
    assert hints("Retry-After", "RateLimit") == {"Retry-After": "3", **rate_limit}


@pytest.mark.parametrize(
    ("hint", "wait"), [("Retry-After", 3.0), ("retry-after-ms", 2.5), ("RateLimit", 3.0)]
)
def test_the_hints_are_those_that_the_client_reads(hint: Any, wait: float) -> None:
    bucket = TokenBucket(0.4, hints=(hint,))
    statuses(bucket, 0.0)
    assert parse_retry_after(refusal(bucket, 0.0)) == wait


def test_what_passes_and_what_does_not_are_for_the_script_to_say() -> None:
    refusing = Reply(503, json={"error": "slow down"}, headers={"X": "y"}, early=True)
    bucket = TokenBucket(1.0, then=Reply(201), refusal=refusing)
    assert bucket(request_at(0.0)) == Reply(201)
    assert bucket(request_at(0.0)) == Reply(
        503, json={"error": "slow down"}, headers={"X": "y", "Retry-After": "1"}, early=True
    )


def test_a_bucket_goes_on_where_its_pickle_was_made() -> None:
    bucket = TokenBucket(1.0, 2)
    statuses(bucket, 0.0)
    assert statuses(pickle.loads(pickle.dumps(bucket)), 0.0, 0.0) == [200, 429]


def test_a_client_that_heeds_the_hint_gets_through_run_in_virtual_time() -> None:
    async def main() -> tuple[float, int]:
        loop = asyncio.get_running_loop()

        async def call() -> None:
            while True:
                async with session.get(server.url) as response:
                    if response.status == 200:
                        return
                    wait = float(response.headers["Retry-After"])
                await asyncio.sleep(wait)

        limited = TokenBucket(300 / 60, 20)
        async with aiohttp.ClientSession() as session, FaultServer(then=limited) as server:
            await asyncio.gather(*(call() for _ in range(40)))
            return loop.time(), server.stats().statuses[200]

    took, passed = run_in_virtual_time(main())
    assert passed == 40
    assert took == 4.0  # 20 at once, then 5 a second


async def test_a_refusal_on_the_wire(session: aiohttp.ClientSession) -> None:
    async with FaultServer(then=TokenBucket(0.001)) as server:
        assert await post(session, server) == 200
        async with session.post(server.url) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "1000"
        assert server.stats().statuses == {200: 1, 429: 1}
