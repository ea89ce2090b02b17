"""Promise 3, uploads that end early: two writers never share a body, none is cut short unseen."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    Backoff,
    ConnectionFailedError,
    NormalizeErrors,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
)
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

# More than the sockets' buffers hold, so that it is still being written when the answer comes.
LONG = bytes(range(251)) * 25_000


def long_bytes() -> aiohttp.BytesPayload:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # that they are long
        return aiohttp.BytesPayload(LONG)


EARLY: dict[str, Answer] = {
    "at once": Reply(503, early=True),
    "with a body": Reply(503, body=b"x" * 5000, early=True),
    "with a body that comes late": Reply(503, body=b"x" * 5000, early=True, body_delay=0.01),
    "with a body too long to drain": Reply(503, body=b"x" * 500_000, early=True),
    "and closes": Reply(503, early=True, keep_alive=False),
    "429": Reply(429, early=True),
    "reset": Reset("accept"),
    "disconnect": Disconnect("accept"),
}


async def pausing(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """Another's middleware, which does something else before it hands the answer on."""
    response: aiohttp.ClientResponse = await handler(request)
    for _ in range(3):
        await asyncio.sleep(0)
    return response


INNER: dict[str, tuple[Any, ...]] = {
    "raw": (),
    "normalised": (NormalizeErrors(),),
    "raw, others inside": (pausing,),
    "normalised, others inside": (NormalizeErrors(), pausing),
    "normalised, others outside": (pausing, NormalizeErrors()),
}
inner = pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
early = pytest.mark.parametrize("early", EARLY.values(), ids=EARLY)
in_memory = pytest.mark.parametrize(
    "make", [long_bytes, lambda: io.BytesIO(LONG)], ids=["bytes", "BytesIO"]
)


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(max_attempts=3, backoff=backoff, budget=None), clock=clock)


@inner
@early
@in_memory
async def test_a_body_in_memory_is_sent_again_from_its_start(
    make: Callable[[], Any],
    early: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(retry(clock), *inner)
    async with FaultServer(early, early) as server:
        assert await fetch(session, "PUT", server.url, data=make()) == 200
        assert server.hits == 3
        last = server.requests[-1]
        assert last.complete
        assert last.body == LONG
        assert all(request.body == LONG for request in server.requests if request.complete)


@inner
@early
async def test_a_file_is_sent_again_whole(
    early: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(LONG)
    session = open_session(retry(clock), *inner)
    async with FaultServer(early, early) as server:
        with (tmp_path / "file").open("rb") as file:
            assert await fetch(session, "PUT", server.url, data=file) == 200
        assert server.hits == 3
        assert server.requests[-1].complete
        assert all(request.body == LONG for request in server.requests if request.complete)


@inner
@early
async def test_an_async_generator_that_was_cut_off_is_not_sent_again(
    early: Answer, inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    async def generate() -> Any:
        for start in range(0, len(LONG), 1 << 16):
            yield LONG[start : start + (1 << 16)]

    session = open_session(retry(clock), *inner)
    async with FaultServer(early) as server:
        outcome = await fetch(session, "PUT", server.url, data=generate())
        assert server.hits == 1
    if isinstance(outcome, Exception):
        assert getattr(outcome, "stop_reason", None) == "its body can be read only once"
    else:
        assert isinstance(early, Reply)
        assert outcome == early.status


@inner
async def test_the_upload_of_one_attempt_is_over_before_the_next_begins(
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = aiohttp.BytesIOPayload.write_with_length
    writers: list[object] = []
    most = 0

    async def watched(self: Any, writer: Any, content_length: int | None) -> None:
        nonlocal most
        writers.append(writer)
        most = max(most, len(writers))
        try:
            await write(self, writer, content_length)
        finally:
            writers.remove(writer)

    monkeypatch.setattr(aiohttp.BytesIOPayload, "write_with_length", watched)
    body = io.BytesIO(LONG)
    clock.draw = 0.0  # no wait at all
    session = open_session(Retry(RetryPolicy(budget=None), clock=clock), *inner)
    async with FaultServer(Reply(delay=0.01), Reply(delay=0.01)) as server:
        # A connection is there for the next attempt to begin within the same turn of the loop.
        await asyncio.gather(*(fetch(session, "GET", server.url) for _ in range(2)))
        server.script(EARLY["at once"])
        assert await fetch(session, "PUT", server.url, data=body) == 200
        assert server.total_connections == 2
        assert clock.sleeps == []
    assert most == 1


@in_memory
@inner
async def test_a_call_in_the_clean_up_of_a_cancelled_task_may_be_repeated(
    make: Callable[[], Any], inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    """There the task stays marked as being cancelled, which is no reason to stop."""
    session = open_session(retry(clock), *inner)
    async with FaultServer(EARLY["at once"]) as server:
        outcomes: list[int | Exception] = []

        async def clean_up() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                outcomes.append(await fetch(session, "PUT", server.url, data=make()))

        task = asyncio.create_task(clean_up())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert outcomes == [200]
        assert server.hits == 2


async def test_after_a_redirect_an_early_answer_is_no_danger_either(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), NormalizeErrors(), wrapped=True)
    there = Reply(307, headers={"Location": "/there"})
    async with FaultServer(there, EARLY["at once"], Reset("accept")) as server:
        assert await fetch(session, "PUT", server.url, data=io.BytesIO(LONG)) == 200
        assert server.requests[-1].body == LONG
        assert server.hits == 4


@inner
async def test_when_attempts_run_out_the_last_outcome_comes_out(
    inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), *inner)
    async with FaultServer(then=EARLY["at once"]) as server:
        outcome = await fetch(session, "PUT", server.url, data=io.BytesIO(LONG))
        assert outcome == 503 or type(outcome) is ServiceUnavailableError
        assert server.hits == 3
    async with FaultServer(then=EARLY["reset"]) as server:
        outcome = await fetch(session, "PUT", server.url, data=io.BytesIO(LONG))
        assert type(outcome) is ConnectionFailedError
        assert server.hits == 3
