"""A limit of the rate, as a server has it."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from collections.abc import Hashable
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from resilient.headers.retry_after import parse_retry_after
from resilient.testing import (
    Answer,
    Delayed,
    FaultServer,
    FaultServerProcess,
    Hang,
    Mixture,
    Received,
    Reply,
    run_in_virtual_time,
)
from resilient.testing.script.limit import Limit
from resilient.testing.script.script import choose
from tests.unit.testing.support import post, request_at


def statuses(limit: Limit, *times: float) -> list[int]:
    return [limit(request_at(time)).status for time in times]  # type: ignore[union-attr]  # they are replies here


def refusal(limit: Limit, time: float) -> dict[str, str]:
    reply: Any = limit(request_at(time))
    assert reply.status == 429
    return dict(reply.headers)


class TestBucket:
    def test_a_burst_passes_and_then_a_request_for_each_token(self) -> None:
        limit = Limit("2/s", burst=3)
        assert statuses(limit, *[100.0] * 5) == [200, 200, 200, 429, 429]
        assert statuses(limit, 100.4, 100.5, 100.5, 101.0, 101.4) == [429, 200, 429, 200, 429]

    def test_all_of_the_rate_passes_at_once_unless_the_burst_says_less(self) -> None:
        assert statuses(Limit("3/min"), *[5.0] * 4, 24.0, 25.0, 25.0) == [
            *[200] * 3,
            *[429] * 2,
            200,
            429,
        ]

    def test_tokens_do_not_pile_up_beyond_the_burst(self) -> None:
        limit = Limit("1/s", burst=2)
        assert statuses(limit, *[0.0] * 3, *[1000.0] * 3) == [200, 200, 429] * 2

    def test_thousands_of_tokens_a_second_are_not_one_more(self) -> None:
        assert statuses(Limit("5000/s", burst=20), *[5.0] * 40).count(200) == 20

    @pytest.mark.parametrize(
        ("rate", "time", "seconds"),
        [
            ("5/s", 0.0, "1"),
            ("1/s", 0.0, "1"),
            ("30/min", 0.0, "2"),
            ("2/5s", 0.0, "3"),
            ("1/2s", 0.9, "2"),
            ("1/2s", 1.1, "1"),
            ("60/h", 0.0, "60"),
        ],
    )
    def test_retry_after_is_the_time_until_a_token_is_there_rounded_up(
        self, rate: str, time: float, seconds: str
    ) -> None:
        limit = Limit(rate, burst=1)
        assert statuses(limit, 0.0) == [200]
        assert refusal(limit, time) == {"Retry-After": seconds}
        assert statuses(limit, time + int(seconds)) == [200]

    def test_a_client_that_comes_back_to_the_millisecond_is_not_too_early(self) -> None:
        limit = Limit("1/3s", hints=("retry-after-ms",))
        time = 0.1
        assert statuses(limit, time) == [200]
        for _ in range(50):
            time += float(refusal(limit, time)["retry-after-ms"]) / 1000 - 0.0005
            assert statuses(limit, time) == [200]


class TestWindow:
    @pytest.mark.parametrize(
        ("now", "status", "hint"),
        [
            (0.0, 429, "60"),
            (0.5, 429, "60"),
            (59.9, 429, "1"),
            (59.9995, 200, None),
            (60.0, 200, None),
            (130.0, 200, None),
        ],
    )
    def test_it_lets_its_rate_through_and_says_when_the_next_begins(
        self, now: float, status: int, hint: str | None
    ) -> None:
        limit = Limit("2/min", window=True)
        assert statuses(limit, 0.0, 0.0) == [200, 200]
        reply: Any = limit(request_at(now))
        assert (reply.status, dict(reply.headers).get("Retry-After")) == (status, hint)

    def test_the_whole_rate_is_there_again_in_the_next_one(self) -> None:
        limit = Limit("2/45s", window=True, hints=())
        assert statuses(limit, *[44.0] * 3, *[45.0] * 3) == [200, 200, 429] * 2

    def test_windows_begin_with_the_server(self) -> None:
        limit: Any = Limit("1/10s", window=True)
        assert limit(request_at(1007.0, since_start=7.0)).status == 200
        (hint,) = limit(request_at(1007.0, since_start=7.0)).headers
        assert hint == ("Retry-After", "3")


class TestHints:
    def test_every_form_of_a_refusal(self) -> None:
        def hints(*names: Any, **options: Any) -> dict[str, str]:
            limit = Limit("4/10s", hints=names, **options)
            assert statuses(limit, *[0.0] * 4) == [200] * 4
            return refusal(limit, 0.0)

        assert hints() == {}
        assert hints("retry-after-ms") == {"retry-after-ms": "2500"}
        rate_limit = {"RateLimit-Policy": '"default";q=4;w=10', "RateLimit": '"default";r=0;t=3'}
        assert hints("RateLimit") == rate_limit
        left = {"X-RateLimit-Limit": "4", "X-RateLimit-Remaining": "0"}
        assert hints("X-RateLimit") == {**left, "X-RateLimit-Reset": "3"}
        assert hints("X-RateLimit", window=True) == {**left, "X-RateLimit-Reset": "10"}
        assert hints("Retry-After", "RateLimit") == {"Retry-After": "3", **rate_limit}

    @pytest.mark.parametrize(
        ("hint", "wait"), [("Retry-After", 3.0), ("retry-after-ms", 2.5), ("RateLimit", 3.0)]
    )
    def test_they_are_those_that_the_client_reads(self, hint: Any, wait: float) -> None:
        limit = Limit("2/5s", burst=1, hints=(hint,))
        statuses(limit, 0.0)
        assert parse_retry_after(refusal(limit, 0.0)) == wait

    @pytest.mark.parametrize(
        ("window", "told"),
        [
            (False, ["r=2;t=4", "r=1;t=4", "r=0;t=4", "r=0;t=3"]),
            (True, ["r=2;t=12", "r=1;t=12", "r=0;t=12", "r=0;t=11"]),
        ],
    )
    def test_rate_limit_headers_are_on_each_answer(self, window: bool, told: list[str]) -> None:
        limit: Any = Limit("3/12s", window=window, hints=["RateLimit", "Retry-After"])
        answers = [limit(request_at(time)) for time in (0.0, 0.0, 0.0, 1.0)]
        assert [dict(answer.headers)["RateLimit"] for answer in answers] == [
            f'"default";{each}' for each in told
        ]
        assert ["Retry-After" in dict(answer.headers) for answer in answers] == [*[False] * 3, True]

    def test_also_on_those_that_are_found_later(self) -> None:
        then = Delayed(1.0, Mixture({}, otherwise=Delayed(0.5, Reply(201, headers={"X": "y"}))))
        seconds, reply = choose(
            Limit("5/s", hints=["X-RateLimit"], then=then)(request_at(0.0)), request_at(0.0)
        )
        assert (seconds, reply.status) == (1.5, 201)
        assert dict(reply.headers) == {
            "X": "y",
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "4",
            "X-RateLimit-Reset": "1",
        }

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_also_on_those_of_a_function(
        self, session: aiohttp.ClientSession, is_async: bool
    ) -> None:
        def plain(received: Received) -> Answer:
            return Reply(201, body=received.body)

        async def later(received: Received) -> Answer:
            return plain(received)

        limit = Limit("5/s", hints=["X-RateLimit"], then=later if is_async else plain)
        async with (
            FaultServer(then=limit) as server,
            session.post(server.url, data=b"abc") as response,
        ):
            assert (response.status, await response.read()) == (201, b"abc")
            assert response.headers["X-RateLimit-Remaining"] == "4"

    def test_what_is_no_reply_stays_what_it_is(self) -> None:
        limit = Limit("5/s", hints=["RateLimit"], then=Hang())
        assert limit(request_at(0.0)) == Hang()


def test_what_passes_and_what_does_not_are_for_the_script_to_say() -> None:
    refusing = Reply(503, json={"error": "slow down"}, headers={"X": "y"}, early=True)
    limit = Limit("1/s", then=Reply(201), refusal=refusing)
    assert limit(request_at(0.0)) == Reply(201)
    assert limit(request_at(0.0)) == Reply(
        503, json={"error": "slow down"}, headers={"X": "y", "Retry-After": "1"}, early=True
    )


# Whom it is for.


def account_of(credential: str) -> Hashable:
    """The letter of "Bearer a1", which is a credential of account a."""
    return credential[-2]


REQUESTS = [
    ("/meetings", "Bearer a1"),
    ("/meetings", "Bearer a2"),
    ("/users", "Bearer a1"),
    ("/users", "Bearer b1"),
    ("/meetings", None),
    ("/users", None),
    ("/meetings?page=2", "Bearer a1"),
]

ACCOUNTS = {"Bearer a1": "a", "Bearer a2": "a"}


def received(target: str, headers: dict[str, str]) -> Received:
    request = request_at(0.0)
    request.path = target.partition("?")[0]
    request.headers = CIMultiDictProxy(CIMultiDict(headers))
    return request


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({}, [0]),
        ({"per": "account"}, [0]),
        ({"per": "route"}, [0, 2]),
        ({"per": "credential"}, [0, 1, 3, 4]),
        ({"accounts": ACCOUNTS}, [0, 3, 4]),
        ({"accounts": account_of}, [0, 3, 4]),
        ({"accounts": {}}, [0, 1, 3, 4]),
        ({"per": "credential", "credential": "X-Api-Key"}, [0]),
        ({"per": "route", "window": True}, [0, 2]),
    ],
)
def test_each_route_credential_or_account_has_its_own(
    options: dict[str, Any], passed: list[int]
) -> None:
    limit: Any = Limit("1/min", **options)
    came = [
        limit(received(path, {} if credential is None else {"authorization": credential}))
        for path, credential in REQUESTS
    ]
    assert [number for number, answer in enumerate(came) if answer.status == 200] == passed


def test_the_credential_may_be_in_a_header_of_its_own() -> None:
    limit: Any = Limit("1/min", per="credential", credential="X-Api-Key")
    keys = ["one", "two", "one"]
    answers = [limit(received("/", {"x-api-key": key})) for key in keys]
    assert [answer.status for answer in answers] == [200, 200, 429]


def test_a_limit_within_a_limit() -> None:
    limit: Any = Limit("3/min", then=Limit("1/min", per="route"))
    paths = ["/a", "/a", "/b", "/c"]
    found = [choose(limit, received(path, {}))[1].status for path in paths]
    assert found == [200, 429, 200, 429]


# In servers.


def test_one_goes_on_where_its_pickle_was_made() -> None:
    limit = Limit("1/s", burst=2, accounts=account_of)
    statuses(limit, 0.0)
    assert statuses(pickle.loads(pickle.dumps(limit)), 0.0, 0.0) == [200, 429]


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

        limited = Limit("300/min", burst=20)
        async with aiohttp.ClientSession() as session, FaultServer(then=limited) as server:
            await asyncio.gather(*(call() for _ in range(40)))
            return loop.time(), server.stats().statuses[200]

    took, passed = run_in_virtual_time(main())
    assert passed == 40
    assert took == 4.0  # 20 at once, then 5 a second


async def test_a_refusal_on_the_wire(session: aiohttp.ClientSession) -> None:
    async with FaultServer(then=Limit("1/1000s")) as server:
        assert await post(session, server) == 200
        async with session.post(server.url) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "1000"
        assert server.stats().statuses == {200: 1, 429: 1}


async def test_accounts_in_a_process_of_its_own(session: aiohttp.ClientSession) -> None:
    limit = Limit("2/h", accounts=account_of)
    with FaultServerProcess(then=limit) as server:
        met: dict[str, Counter[int]] = {}
        for credential in ["Bearer a1", "Bearer a2", "Bearer b1"] * 3:
            status = await post(session, server, headers={"Authorization": credential})
            met.setdefault(credential[:-1], Counter())[status] += 1
        assert met == {"Bearer a": {200: 2, 429: 4}, "Bearer b": {200: 2, 429: 1}}
