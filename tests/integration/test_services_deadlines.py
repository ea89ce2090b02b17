"""`Services` and deadlines: of the whole call under `wrap`, of each hop elsewhere."""

from __future__ import annotations

import pytest

from resilient import (
    DeadlineExceededError,
    RateLimitError,
    Service,
    Services,
)
from resilient.testing import FakeClock, Reply
from tests.integration.service_support import attempts, localhost, two
from tests.integration.support import (
    after,
    client,
    fault_server,
    redirect,
    status_of,
    wrapped,
)


@pytest.mark.parametrize(
    ("first", "second", "exceeded"),
    [
        (10, 100, 10),
        (100, 6, 6),
        (10, 12, 10),
        (100, 100, None),
        # A service that says so has no limit, even after one that has.
        (10, None, None),
        (None, 8, None),
        (None, 6, 6),
    ],
)
async def test_under_wrap_the_shortest_deadline_holds_across_the_hops(
    first: float | None, second: float | None, exceeded: float | None
) -> None:
    clock = FakeClock()
    async with fault_server() as here, fault_server() as there:
        here.route("/", then=after(clock, 4, redirect(localhost(there))))
        there.route("/", then=after(clock, 7, Reply(200)))
        services = two(
            here,
            there,
            attempts(1, total_timeout=first),
            attempts(1, total_timeout=second),
            clock=clock,
        )
        async with wrapped(services) as session:
            if exceeded is None:
                assert await status_of(session, here.url) == 200
            else:
                with pytest.raises(DeadlineExceededError) as caught:
                    await status_of(session, here.url)
                assert caught.value.timeout == exceeded
                assert [each.status for each in caught.value.attempts] == [302, None]
        assert (here.hits, there.hits) == (1, 1)


async def test_it_holds_over_a_hop_that_no_service_covers() -> None:
    clock = FakeClock()
    async with fault_server() as here, fault_server() as other:
        here.route("/1", then=after(clock, 4, redirect(other.url)))
        other.route("/", then=after(clock, 7, redirect(here.url / "2")))
        here.route("/2", then=Reply(200))
        services = Services(
            [Service("here", str(here.url), attempts(1, total_timeout=10))], clock=clock
        )
        async with wrapped(services) as session:
            with pytest.raises(DeadlineExceededError):
                await status_of(session, here.url / "1")
        assert [request.path for request in here.requests] == ["/1"]


async def test_without_wrap_each_hop_has_the_time_of_its_service() -> None:
    clock = FakeClock()
    async with fault_server() as here, fault_server() as there:
        here.route("/", then=after(clock, 4, redirect(localhost(there))))
        there.route("/", then=after(clock, 7, Reply(200)))
        services = two(
            here, there, attempts(1, total_timeout=5), attempts(1, total_timeout=8), clock=clock
        )
        async with client(services) as session:
            assert await status_of(session, here.url) == 200


async def test_a_wait_that_does_not_fit_what_is_left_of_the_first_deadline_is_refused() -> None:
    clock = FakeClock()
    async with fault_server() as here, fault_server() as there:
        here.route("/", then=after(clock, 4, redirect(localhost(there))))
        there.route("/", then=Reply(429, headers={"Retry-After": "8"}))
        services = two(here, there, attempts(1, total_timeout=10), attempts(3), clock=clock)
        async with wrapped(services) as session:
            with pytest.raises(RateLimitError) as caught:
                await status_of(session, here.url)
        assert there.hits == 1
    assert "does not fit the 6 s left" in str(caught.value.stop_reason)
