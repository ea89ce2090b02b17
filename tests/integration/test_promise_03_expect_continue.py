"""Promise 3, `Expect: 100-continue`: each attempt waits to be asked for the body anew."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from resilient import Backoff, NormalizeErrors, Retry, RetryPolicy
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

LONG = bytes(range(250)) * 4000


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(backoff=backoff, budget=None), clock=clock)


inner = pytest.mark.parametrize("inner", [(), (NormalizeErrors(),)], ids=["raw", "normalised"])


@pytest.mark.parametrize(
    ("make", "content"),
    [(lambda: LONG, LONG), (lambda: io.BytesIO(LONG), LONG), (lambda: b"", b"")],
    ids=["bytes", "BytesIO", "empty"],
)
@pytest.mark.parametrize(
    "fault",
    [Reply(503), Reply(503, early=True), Disconnect(), Disconnect("accept"), Reset()],
    ids=str,
)
@inner
async def test_a_client_that_waits_for_100_waits_for_it_again(
    make: Callable[[], Any],
    content: bytes,
    fault: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(retry(clock), *inner)
    async with FaultServer(fault, fault) as server:
        request = fetch(session, "PUT", server.url, data=make(), expect100=True)
        assert await asyncio.wait_for(request, 5) == 200
        assert server.hits == 3
        last = server.requests[-1]
        assert last.expects_continue
        assert last.body == content
