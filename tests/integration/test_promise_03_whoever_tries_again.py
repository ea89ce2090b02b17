"""Promise 3, "whoever handles the error": an upload is over before somebody else tries again."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    APIError,
    AttemptTimeout,
    AttemptTimeoutError,
    CircuitBreaker,
    ConnectionFailedError,
    NormalizeErrors,
)
from resilient.testing import Answer, FaultServer, Hang, Reply
from resilient.wire.bodies import prepare_upload, stop_upload

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

# More than the sockets' buffers hold, so that it is still being read when the answer comes.
LONG = bytes(range(251)) * 25_000


class SlowFile(io.BytesIO):
    """A file on a slow disk: a read takes until `go_on` is set, but for the first one."""

    def __init__(self, content: bytes, patience: float = 0.05) -> None:
        super().__init__(content)
        self.patience = patience
        self.go_on = threading.Event()
        self.reads = 0
        self.reading = 0
        self.overlapped = False

    def seek(self, offset: int, whence: int = 0) -> int:
        self.overlapped |= self.reading > 0
        return super().seek(offset, whence)

    def tell(self) -> int:
        return super().tell()

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        self.reading += 1
        try:
            if self.reads == 2:
                self.go_on.wait(self.patience)
            return super().read(size)
        finally:
            self.reading -= 1


async def again(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """Another's middleware, which tries again at once whatever failed."""
    while True:
        try:
            response: aiohttp.ClientResponse = await handler(request)
        except (APIError, AttemptTimeoutError):
            continue
        return response


def slow_file(folder: Path) -> Any:
    return aiohttp.payload.IOBasePayload(SlowFile(LONG))


def file(folder: Path) -> Any:
    (folder / "file").write_bytes(LONG)
    return (folder / "file").open("rb")


def slow_form(folder: Path) -> Any:
    with aiohttp.MultipartWriter("mixed", boundary="b") as writer:
        writer.append_payload(slow_file(folder))
    return writer


EARLY: dict[str, Answer] = {
    "413": Reply(413, early=True, delay=0.02),
    "503": Reply(503, body=b"x" * 5000, early=True, delay=0.02),
    "503 and closes": Reply(503, early=True, delay=0.02, keep_alive=False),
    "503 too long to drain": Reply(503, body=b"x" * 500_000, early=True, delay=0.02),
}
BODIES: dict[str, Callable[[Path], Any]] = {
    "slow file": slow_file,
    "slow file in a multipart": slow_form,
    "file": file,
    "BytesIO": lambda _: io.BytesIO(LONG),
}
ours = pytest.mark.parametrize(
    "ours",
    [
        lambda: (NormalizeErrors(),),
        lambda: (CircuitBreaker(), NormalizeErrors(), AttemptTimeout(30)),
    ],
    ids=["alone", "with others"],
)


@ours
@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("early", EARLY.values(), ids=EARLY)
async def test_an_outer_middleware_that_tries_again_sends_the_whole_body(
    early: Answer,
    make: Callable[[Path], Any],
    ours: Any,
    open_session: OpenSession,
    fetch: Fetch,
    tmp_path: Path,
) -> None:
    data = make(tmp_path)
    session = open_session(again, *ours())
    async with FaultServer(early, early) as server:
        assert await fetch(session, "PUT", server.url, data=data) == 200
        assert server.hits == 3
        last = server.requests[-1]
    if hasattr(data, "name"):
        data.close()
    assert last.complete
    assert LONG in last.body
    assert not getattr(getattr(data, "_value", None), "overlapped", False)


async def test_so_does_one_that_tries_again_after_a_time_out(
    open_session: OpenSession, fetch: Fetch, tmp_path: Path
) -> None:
    data = slow_file(tmp_path)
    session = open_session(again, AttemptTimeout(0.05))
    async with FaultServer(Hang(after="accept")) as server:
        assert await fetch(session, "PUT", server.url, data=data) == 200
        assert server.requests[-1].body == LONG
    assert data._value.reads > 2
    assert not data._value.overlapped


async def test_one_that_tries_again_what_is_gone_gets_an_error(
    open_session: OpenSession, fetch: Fetch
) -> None:
    async def generate() -> Any:
        for start in range(0, len(LONG), 1 << 16):
            yield LONG[start : start + (1 << 16)]

    session = open_session(again, NormalizeErrors())
    async with FaultServer(EARLY["503"]) as server:
        outcome = await fetch(session, "PUT", server.url, data=generate())
        assert type(outcome) is ConnectionFailedError
        assert str(outcome).endswith("its body was read before and is gone")
        assert server.hits == 1


async def test_one_that_waits_for_100_waits_for_it_again(
    open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(again, NormalizeErrors())
    async with FaultServer(Reply(503, early=True), Reply(503)) as server:
        upload = fetch(session, "PUT", server.url, data=LONG[:1000], expect100=True)
        assert await asyncio.wait_for(upload, 5) == 200
        assert server.requests[-1].body == LONG[:1000]


@pytest.mark.parametrize("ends", ["error", "cancellation"])
async def test_no_thread_begins_to_read_a_file_whose_upload_is_over(
    ends: str, open_session: OpenSession, fetch: Fetch
) -> None:
    """All threads are busy, so that the next read waits in their queue."""
    loop = asyncio.get_running_loop()
    busy = threading.Event()
    begun = asyncio.Event()

    class File(io.BytesIO):
        reads = 0

        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(offset, whence)

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            loop.call_soon_threadsafe(begun.set)
            return super().read(size)

    data = File(LONG)
    requests: list[aiohttp.ClientRequest] = []

    async def note(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        requests.append(request)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    session = open_session(NormalizeErrors(), note)
    async with FaultServer(Reply(503, early=True, delay=0.05)) as server:
        upload = fetch(session, "PUT", server.url, data=aiohttp.payload.IOBasePayload(data))
        task = asyncio.ensure_future(upload)
        await begun.wait()
        blocked = [loop.run_in_executor(None, busy.wait, 5) for _ in range(64)]
        if ends == "cancellation":
            await asyncio.sleep(0.02)
            task.cancel()
        await asyncio.wait([task])
        reads = data.reads
        (request,) = requests
        late: Any = request.body
        turn = late._resilient_turn
        with pytest.raises(OSError, match="is over"):
            turn._read("_read", 1)
        busy.set()
        await asyncio.gather(*blocked)
        assert data.reads == reads


async def test_a_good_early_answer_leaves_the_upload_alone(
    open_session: OpenSession,
) -> None:
    sent = 0

    async def generate() -> Any:
        nonlocal sent
        for start in range(0, len(LONG), 1 << 16):
            yield LONG[start : start + (1 << 16)]
            sent += 1

    session = open_session(CircuitBreaker(), NormalizeErrors(), AttemptTimeout(30))
    answer = Reply(body=b"x" * 1000, early=True, chunk_delay=0.0001, chunk_size=1)
    async with FaultServer(answer) as server:
        async with session.put(server.url, data=generate()) as response:
            before = sent
            while sent == before:
                assert await response.content.readexactly(1)
        assert response.status == 200


async def test_it_may_be_stopped_at_any_time_and_by_several(
    open_session: OpenSession, fetch: Fetch
) -> None:
    async def stops(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        await stop_upload(request)
        await prepare_upload(request)
        await prepare_upload(request)
        response: aiohttp.ClientResponse = await handler(request)
        await asyncio.gather(stop_upload(request), stop_upload(request))
        return response

    session = open_session(NormalizeErrors(), stops)
    async with FaultServer() as server:
        for data in (None, b"abc", io.BytesIO(b"abc"), slow_file(Path())):
            assert await fetch(session, "PUT", server.url, data=data) == 200
        assert [len(request.body) for request in server.requests] == [0, 3, 3, len(LONG)]
