"""`wrap`: a session that was wrapped may be wrapped again; what makes no sense is warned of."""

import pytest

from resilient import (
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    NormalizeErrors,
    Pipeline,
    PipelineWarning,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
    pipeline_of,
    wrap,
)
from resilient.testing import Hang, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    Teller,
    client,
    fault_server,
    passing,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)


async def test_a_wrapped_session_can_be_wrapped() -> None:
    inner, outer = Teller(), Teller()
    async with fault_server() as server, wrapped(Pipeline.of(inner)) as once:
        async with wrap(once, Pipeline.of(outer, CircuitBreaker())) as twice:
            assert await status_of(twice, server.url) == 200
            assert (len(inner.seen), len(outer.seen)) == (1, 1)
            assert pipeline_of(twice).find(CircuitBreaker) is not None
        assert await status_of(once, server.url) == 200
        assert (len(inner.seen), len(outer.seen)) == (2, 1)


async def test_wrapped_twice_both_stay_when_a_call_passes_its_own() -> None:
    inner, outer, given = Teller(), Teller(), Teller()
    async with (
        fault_server() as server,
        wrapped(Pipeline.of(inner)) as once,
        wrap(once, Pipeline.of(outer)) as twice,
    ):
        assert await status_of(twice, server.url, middlewares=[given]) == 200
    assert [len(each.seen) for each in (outer, inner, given)] == [1, 1, 1]


async def test_a_retry_inside_a_retry_is_warned_of() -> None:
    async with wrapped(Retry()) as once:
        with pytest.warns(PipelineWarning, match="Retry inside a Retry"):
            wrap(once, Retry())
    for already in (Retry(), Pipeline(policy())):
        async with client(already) as original:
            with pytest.warns(PipelineWarning) as caught:
                wrap(original)
            assert any("Retry inside a Retry" in str(each.message) for each in caught)
            assert {each.filename for each in caught} == {__file__}
    async with client(Teller()) as original, wrap(original, CircuitBreaker()) as session:
        wrap(session, Retry())  # nothing to warn of


async def test_a_retry_inside_a_retry_is_bounded_all_the_same() -> None:
    async with fault_server(then=Reply(503)) as server, client(Retry(retry_policy())) as original:
        with pytest.warns(PipelineWarning):
            session = wrap(original, Retry(retry_policy(max_attempts=2)))
        assert await status_of(session, server.url) == 503
        assert server.hits == 6
        await session.close()


async def test_an_order_that_makes_no_sense_is_said_once() -> None:
    async with client() as original, wrap(original, Deadline(5)) as session:
        with pytest.warns(PipelineWarning) as caught:
            twice = wrap(session, Retry(), Retry())
        said = [str(each.message) for each in caught]
        assert len(said) == len(set(said))
        await twice.close()


async def test_the_parts_may_be_put_under_one_by_one() -> None:
    """Each of the inner sessions begins a call of its own; limits and attempts add up to one."""
    clock = FakeClock()
    async with (
        fault_server() as server,
        wrapped(NormalizeErrors(clock=clock)) as first,
        wrap(first, CircuitBreaker(clock=clock)) as second,
        wrap(second, Retry(retry_policy(), clock=clock)) as third,
        wrap(third, Deadline(10, clock=clock)) as session,
        passing(clock, server),
    ):
        server.route("/a", Reply(503), redirect("/b"))
        server.route("/b", Reply(503), Reply(200))
        assert await status_of(session, server.url / "a") == 200
        server.route("/c", then=redirect("/d"))
        server.route("/d", Reply(503), then=Hang())
        with pytest.raises(DeadlineExceededError) as caught:
            await status_of(session, server.url / "c")
        assert [attempt.status for attempt in caught.value.attempts] == [302, 503, None]
        server.route("/e", then=Reply(503))
        with pytest.raises(ServiceUnavailableError):
            await status_of(third, server.url / "e")


async def test_the_same_pipeline_twice_is_bounded() -> None:
    pipeline = Pipeline(policy(retry=RetryPolicy(max_attempts=2), breaker=None), clock=FakeClock())
    async with fault_server(then=Reply(503)) as server, client(pipeline) as original:
        with pytest.warns(PipelineWarning):
            session = wrap(original, pipeline)
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
        assert 2 <= server.hits <= 4
        await session.close()
