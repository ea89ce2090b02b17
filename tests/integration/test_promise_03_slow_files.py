"""Promise 3, files: aiohttp reads them in threads, which nothing stops."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import Backoff, NormalizeErrors, Retry, RetryPolicy
from resilient.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, Held, OpenSession

# More than the sockets' buffers hold, so that it is still being read when the answer comes.
LONG = bytes(range(251)) * 25_000


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


class SlowFile(io.RawIOBase):
    """A file on a slow disk: its second read takes until `go_on` is set, in its thread.

    Like a raw file it has no lock that would make one reader wait for another.
    """

    def __init__(self, content: bytes, patience: float = 0.1) -> None:
        self.content = content
        self.position = 0
        self.reads = 0
        self.reading = 0
        self.overlapped = False
        self.late = False
        self.patience = patience
        self.go_on = threading.Event()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.overlapped |= self.reading > 0
        self.position = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        self.reading += 1
        if self.reads == 2:
            self.late = not self.go_on.wait(self.patience)
        part = self.content[self.position :][: size if size >= 0 else None]
        self.position += len(part)
        self.reading -= 1
        return part


class LockedFile(SlowFile):
    """One that lets a second reader wait for the first, as buffered files do."""

    def __init__(self, content: bytes, patience: float = 0.1) -> None:
        super().__init__(content, patience)
        self._lock = threading.Lock()

    def read(self, size: int = -1) -> bytes:
        with self._lock:
            return super().read(size)


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(max_attempts=3, backoff=backoff, budget=None), clock=clock)


@inner
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("body", [b"", b"x" * 5000], ids=["empty", "body"])
@pytest.mark.parametrize("part", [False, True], ids=["alone", "in a form"])
async def test_a_file_is_sent_again_when_no_thread_reads_it_any_more(
    part: bool,
    status: int,
    body: bytes,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(retry(clock), *inner)
    file = SlowFile(LONG)
    async with FaultServer(Reply(status, body=body, early=True, delay=0.02)) as server:
        data = {"file": file} if part else file
        assert await fetch(session, "PUT", server.url, data=data) == 200
        assert server.hits == 2
        last = server.requests[-1]
    assert file.late  # or the answer was so early that there was nothing to see
    assert not file.overlapped
    assert last.complete
    assert LONG in last.body if part else last.body == LONG


async def test_who_is_cancelled_while_a_thread_is_waited_for_is_free_at_once(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock, held: Held
) -> None:
    session = open_session(retry(clock), NormalizeErrors())
    file = SlowFile(LONG, patience=5)
    async with FaultServer(Reply(503, early=True, delay=0.02)) as server:
        task = asyncio.ensure_future(fetch(session, "PUT", server.url, data=file))
        while file.reads < 2 or not clock.sleeps:
            await asyncio.wait([task], timeout=0.01)
        task.cancel()
        _, waiting = await asyncio.wait([task], timeout=1)
        file.go_on.set()
        assert not waiting
        assert task.cancelled()
        assert held(session) == 0
        assert server.hits == 1


@inner
@pytest.mark.parametrize("body", [b"", b"x" * 5000], ids=["empty", "body"])
async def test_what_is_not_repeated_does_not_wait_for_a_thread_that_reads_a_file(
    body: bytes, inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    file = LockedFile(LONG, patience=2)
    clock.speed = 10
    session = open_session(retry(clock), *inner)
    async with FaultServer(Reply(404, body=body, early=True, delay=0.02)) as server:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await fetch(session, "PUT", server.url, data=file)
        took = loop.time() - started
        file.go_on.set()
        assert took < 1
        assert server.hits == 1
