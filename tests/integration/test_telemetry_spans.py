"""Spans: one for each request on the wire, in one for the call, with what is said of each."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import warnings
from typing import Any

import aiohttp
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import resilient
from resilient import (
    AttemptTelemetry,
    AttemptTimeoutError,
    BreakerPolicy,
    BulkheadPolicy,
    CallTelemetry,
    CircuitOpenError,
    ConnectionFailedError,
    DeadlineExceededError,
    Pipeline,
    PipelineWarning,
    Retry,
    Service,
    Services,
    ServiceUnavailableError,
    TelemetryPolicy,
)
from resilient.testing import Disconnect, Malformed, Reply, Reset
from tests.integration.support import (
    UNDER,
    client,
    fault_server,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)
from tests.integration.telemetry_support import (
    Recorder,
    context_kept,
    of,
    parents_of,
    traced_policy,
)


@UNDER
async def test_three_attempts_are_three_client_spans_in_one_of_the_call(under: Any) -> None:
    to = Recorder()
    async with fault_server(Reply(503), Reply(503)) as server, under(to.pipeline()) as session:
        with context_kept():
            assert await status_of(session, server.url / "meetings") == 200
        sent = parents_of(server)
    (call,) = to.calls
    first, second, third = to.attempts
    assert (call.name, call.parent) == ("call mavio", None)
    assert {each.name for each in to.attempts} == {"GET"}
    assert {each.parent.span_id for each in to.attempts if each.parent} == {call.context.span_id}
    assert len({each.context.trace_id for each in to.spans}) == 1
    # Each request carries its own attempt.
    assert sent == [each.context.span_id for each in to.attempts]
    assert to.statuses() == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET]
    waited = 0.001
    assert of(first) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": server.url.port,
        "url.full": str(server.url / "meetings"),
        "http.response.status_code": 503,
        "network.protocol.version": "1.1",
        "error.type": "503",
    }
    assert of(second) == {
        **of(first),
        "http.request.resend_count": 1,
        "resilient.attempt.wait": waited,
        "resilient.attempt.reason": "status",
    }
    attributes = of(third)
    assert attributes["http.request.resend_count"] == 2
    assert attributes["http.response.status_code"] == 200
    assert "error.type" not in attributes
    # The errors that were retried are none of the call's.
    assert of(call) == {
        "resilient.service": "mavio",
        "resilient.call.attempts": 3,
        "resilient.call.wait": pytest.approx(3 * waited),
    }
    assert not any(each.events for each in to.spans)


async def test_a_call_that_goes_well_at_once_says_so_shortly() -> None:
    to = Recorder()
    async with fault_server() as server, client(to.pipeline()) as session:
        assert await status_of(session, server.url) == 200
    (call,), (attempt,) = to.calls, to.attempts
    assert of(call) == {
        "resilient.service": "mavio",
        "resilient.call.attempts": 1,
    }
    assert "http.request.resend_count" not in of(attempt)


async def test_the_span_of_a_call_is_in_the_one_around_it() -> None:
    to = Recorder()
    tracer = to.tracers.get_tracer("app")
    async with fault_server() as server, client(to.pipeline()) as session:
        with tracer.start_as_current_span("work") as work:
            assert await status_of(session, server.url) == 200
            assert trace.get_current_span() is work
    (call, _) = to.calls
    assert call.parent is not None
    assert call.parent.span_id == work.get_span_context().span_id


async def test_a_span_is_current_while_its_attempt_runs() -> None:
    to = Recorder()
    seen = []

    async def inner(request: Any, handler: Any) -> Any:
        seen.append(trace.get_current_span().get_span_context().span_id)
        return await handler(request)

    async with (
        fault_server(Reply(503)) as server,
        client(to.pipeline(), inner) as session,
    ):
        assert await status_of(session, server.url) == 200
    assert seen == [each.context.span_id for each in to.attempts]


@pytest.mark.parametrize(("under", "calls"), [(client, 2), (wrapped, 1)])
async def test_what_aiohttp_sends_again_by_itself_has_a_span_too(under: Any, calls: int) -> None:
    """Where no Retry counts attempts, aiohttp runs the whole chain once more."""
    to = Recorder()
    async with fault_server(Disconnect()) as server:
        async with under(to.pipeline(traced_policy(retry=None))) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == len(to.attempts) == 2
        assert parents_of(server) == [each.context.span_id for each in to.attempts]
    assert len(to.calls) == calls
    failed, well = to.attempts
    assert of(failed)["error.type"] == "connection"
    assert of(well).get("http.request.resend_count") == (1 if calls == 1 else None)


@UNDER
async def test_a_resend_after_a_stale_connection_is_a_request_and_no_retry(under: Any) -> None:
    to = Recorder()
    async with fault_server(Reply(200), Disconnect()) as server, under(to.pipeline()) as session:
        assert await status_of(session, server.url) == 200
        to.exporter.clear()
        assert await status_of(session, server.url) == 200
        assert server.hits == 3
    _, again = to.attempts
    assert of(again)["resilient.attempt.reason"] == "stale_connection"
    assert of(again)["http.request.resend_count"] == 1
    assert to.counts("resilient.call.retries") == {}


@pytest.mark.parametrize(("under", "calls"), [(client, 2), (wrapped, 1)])
async def test_under_wrap_the_hops_of_a_redirect_are_one_call(under: Any, calls: int) -> None:
    to = Recorder()
    async with fault_server() as here, fault_server(Reply(503)) as there:
        here.script(redirect(there.url / "new"))
        services = Services(
            [
                Service("here", str(here.url), traced_policy()),
                Service("there", str(there.url), traced_policy()),
            ],
            telemetry=to.telemetry,
        )
        async with under(services) as session:
            with context_kept():
                assert await status_of(session, here.url) == 200
    assert [each.name for each in to.calls] == ["call here", "call there"][:calls]
    counts = [of(each).get("http.request.resend_count") for each in to.attempts]
    assert counts == ([None, 1, 2] if calls == 1 else [None, None, 1])
    assert [of(each)["resilient.call.attempts"] for each in to.calls] == (
        [3] if calls == 1 else [1, 2]
    )
    for attempt in to.attempts:
        assert attempt.parent is not None
        assert attempt.parent.span_id in {each.context.span_id for each in to.calls}


async def test_a_refused_call_has_a_span_and_no_request() -> None:
    to = Recorder()
    pipeline = to.pipeline()
    async with fault_server() as server, client(pipeline) as session:
        pipeline.breaker.circuit(server.url).isolate()
        with pytest.raises(CircuitOpenError):
            await status_of(session, server.url)
        assert server.hits == 0
    (call,) = to.spans
    assert call.kind is SpanKind.INTERNAL
    assert of(call) == {
        "resilient.service": "mavio",
        "resilient.call.attempts": 0,
        "error.type": "circuit_open",
        "resilient.call.stop_reason": "circuit_isolated",
    }
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, None)
    assert to.counts("resilient.refusals", "resilient.refused_by", "resilient.reason") == {
        ("breaker", "circuit_isolated"): 1
    }


ENDINGS: dict[str, tuple[Any, Any, Any, str, str, str | None]] = {
    # What the server does, settings, the error, error.type of the attempt and of the call, why.
    "status": (Reply(503), {}, ServiceUnavailableError, "503", "503", "attempts"),
    "final status": (Reply(404), {}, resilient.NotFoundError, "404", "404", "not_retryable"),
    "reset": (Reset(), {}, ConnectionFailedError, "connection", "connection", "attempts"),
    "no HTTP": (
        Malformed(),
        {},
        ConnectionFailedError,
        "connection",
        "connection",
        "attempts",
    ),
    "attempt time-out": (
        Reply(delay=5),
        {"attempt_timeout": 0.05},
        AttemptTimeoutError,
        "timeout",
        "timeout",
        "attempts",
    ),
    "deadline": (
        Reply(delay=5),
        {"total_timeout": 0.05},
        DeadlineExceededError,
        "deadline",
        "deadline",
        "deadline",
    ),
}


@UNDER
@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_error_goes_by_its_type_and_its_reason(under: Any, ending: str) -> None:
    does, settings, error, of_attempt, of_call, stop = ENDINGS[ending]
    to = Recorder()
    pipeline = to.pipeline(traced_policy(**settings))
    async with fault_server(then=does) as server, under(pipeline) as session:
        with context_kept(), pytest.raises(error):
            await status_of(session, server.url)
    assert {of(each)["error.type"] for each in to.attempts} == {of_attempt}
    (call,) = to.calls
    assert of(call)["error.type"] == of_call
    assert of(call)["resilient.call.stop_reason"] == stop
    assert set(to.statuses()) == {StatusCode.ERROR}
    assert all(each.status.description is None for each in to.spans)


@UNDER
async def test_a_wait_that_a_deadline_cuts_off_is_the_calls_own(under: Any) -> None:
    to = Recorder()
    slow = retry_policy(backoff=resilient.Backoff(base=10, jitter="none"))
    made = traced_policy(retry=slow, total_timeout=5.0)
    async with fault_server(then=Reply(503)) as server, under(to.pipeline(made)) as session:
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
    (call,) = to.calls
    assert of(call)["resilient.call.stop_reason"] == "deadline"
    assert of(call)["error.type"] == "503"


@UNDER
async def test_the_sessions_own_time_out_is_a_deadline(under: Any) -> None:
    to = Recorder()
    limit = aiohttp.ClientTimeout(total=0.05)
    pipeline = to.pipeline()
    async with (
        fault_server(then=Reply(delay=5)) as server,
        under(pipeline, timeout=limit) as session,
    ):
        with context_kept(), pytest.raises(TimeoutError):
            await status_of(session, server.url)
    (call,), (attempt,) = to.calls, to.attempts
    assert of(attempt)["error.type"] == "deadline"
    assert of(call)["error.type"] == "deadline"
    assert of(call)["resilient.call.stop_reason"] == "session_timeout"


@UNDER
@pytest.mark.parametrize("ending", ["sending", "waiting", "queueing"])
async def test_a_call_that_its_caller_cancels_is_no_error(under: Any, ending: str) -> None:
    to = Recorder()
    slow = retry_policy(backoff=resilient.Backoff(base=5, jitter="none"))
    made = traced_policy(retry=slow, bulkhead=BulkheadPolicy(max_concurrent=1))
    does = Reply(503) if ending == "waiting" else Reply(delay=5)
    async with fault_server(then=does) as server, under(to.pipeline(made)) as session:
        tasks = [asyncio.create_task(status_of(session, server.url))]
        await asyncio.sleep(0.05)
        if ending == "queueing":
            tasks.append(asyncio.create_task(status_of(session, server.url)))
            await asyncio.sleep(0.02)
        with context_kept():
            for task in reversed(tasks):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
    assert len(to.calls) == len(tasks)
    for call in to.calls:
        assert call.status.status_code is StatusCode.UNSET
        assert "error.type" not in of(call)
        assert "resilient.call.stop_reason" not in of(call)
    assert len(to.attempts) == 1
    if ending != "waiting":
        assert to.attempts[0].status.status_code is StatusCode.UNSET
    if ending == "queueing":
        never_left = to.calls[0]
        assert of(never_left)["resilient.call.attempts"] == 0
        assert of(never_left)["resilient.bulkhead.wait"] >= 0.01


@UNDER
async def test_a_call_that_is_thrown_away_leaves_no_span_open(
    under: Any, caplog: pytest.LogCaptureFixture
) -> None:
    to = Recorder()

    async def hang(request: Any, handler: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    async with under(Pipeline.of(*to.pipeline(), hang)) as session:
        for _ in range(2):
            coroutine: Any = session._request("GET", "http://api.example")
            contextvars.copy_context().run(coroutine.send, None)
            # In another context than the one in which it ran, as the collector of garbage does.
            with context_kept():
                coroutine.close()
    assert [each.name for each in to.spans] == ["GET", "call mavio"] * 2
    assert set(to.statuses()) == {StatusCode.UNSET}
    assert not caplog.records


async def test_throttle_and_breaker_put_their_queues_on_the_attempt_that_followed() -> None:
    to = Recorder()
    breaker = BreakerPolicy(consecutive_failures=1, open_for=0.05, patience=2)
    made = traced_policy(breaker=breaker, retry=retry_policy(max_attempts=2))
    async with fault_server(Reply(503)) as server, client(to.pipeline(made)) as session:
        assert await status_of(session, server.url) == 200
    _, second = to.attempts
    (call,) = to.calls
    queued = of(second)["resilient.attempt.queued"]
    assert isinstance(queued, float)
    assert queued >= 0.04
    assert of(call)["resilient.breaker.wait"] == pytest.approx(queued, abs=0.02)


async def test_a_template_names_spans_and_a_path_never_does() -> None:
    to = Recorder()
    made = traced_policy(telemetry=TelemetryPolicy(templates=["/meetings/{id}"]))
    async with fault_server() as server, client(to.pipeline(made)) as session:
        await status_of(session, server.url / "meetings/7")
        await status_of(session, server.url / "meetings/7/notes")
        with resilient.override(url_template="/meetings/{id}/notes"):
            await status_of(session, server.url / "meetings/7/notes")
        async with session.request("PURGE", server.url / "meetings/7"):
            pass
    names = ["GET /meetings/{id}", "GET", "GET /meetings/{id}/notes", "HTTP /meetings/{id}"]
    assert [each.name for each in to.attempts] == names
    templates = [of(each).get("url.template") for each in to.attempts]
    assert templates == ["/meetings/{id}", None, "/meetings/{id}/notes", "/meetings/{id}"]
    odd = of(to.attempts[-1])
    assert odd["http.request.method"] == "_OTHER"
    assert odd["http.request.method_original"] == "PURGE"
    # A template of one call may be anything, and metrics have a series for each.
    found = to.counts("http.client.request.duration", "http.request.method", "url.template")
    assert found == {
        ("GET", "/meetings/{id}"): 1,
        ("GET", None): 2,
        ("_OTHER", "/meetings/{id}"): 1,
    }


async def test_each_part_can_be_left_out() -> None:
    async with fault_server() as server:
        for chosen, spans, metrics, carried in (
            (TelemetryPolicy(call_spans=False), ["GET"], 2, True),
            (TelemetryPolicy(attempt_spans=False), ["call mavio"], 2, True),
            (TelemetryPolicy(metrics=False), ["GET", "call mavio"], 0, True),
            (TelemetryPolicy(propagate=False), ["GET", "call mavio"], 2, False),
        ):
            to = Recorder()
            server.clear()
            async with client(to.pipeline(traced_policy(telemetry=chosen))) as session:
                assert await status_of(session, server.url) == 200
            assert [each.name for each in to.spans] == spans
            durations = {"http.client.request.duration", "resilient.call.duration"}
            assert len(to.metric_names() & durations) == metrics
            assert ("traceparent" in server.requests[0].headers) is carried
            if carried:
                # Of the attempt, or else of the call.
                assert parents_of(server) == [to.spans[0].context.span_id]


async def test_the_parts_work_in_an_order_of_ones_own() -> None:
    to = Recorder()
    pipeline = Pipeline.of(
        CallTelemetry(to.telemetry, "mavio"),
        Retry(retry_policy(), listeners=[to.telemetry]),
        AttemptTelemetry(to.telemetry, "mavio"),
    )
    async with fault_server(then=Reply(503)) as server, client(pipeline) as session:
        assert await status_of(session, server.url) == 503
    assert [each.name for each in to.spans] == ["GET"] * 3 + ["call mavio"]
    (call,) = to.calls
    assert of(call)["error.type"] == "503"
    assert to.counts("resilient.refusals", "resilient.reason") == {("attempts",): 1}


async def test_a_part_alone_does_its_own() -> None:
    to = Recorder()
    async with fault_server(Reply(503)) as server:
        async with client(AttemptTelemetry(to.telemetry)) as session:
            assert await status_of(session, server.url) == 503
        async with client(CallTelemetry(to.telemetry, "mavio")) as session:
            assert await status_of(session, server.url) == 200
    attempt, call = to.spans
    assert (attempt.kind, call.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert of(attempt)["error.type"] == "503"


async def test_a_thousand_calls_of_two_services_at_once_are_kept_apart() -> None:
    to = Recorder()

    async def answer(request: Any) -> Reply:
        number = int(request.path.rpartition("/")[2])
        return Reply(200 if number % 2 else 404)

    async with fault_server(then=answer) as here, fault_server(then=answer) as there:
        services = Services(
            [
                Service("here", str(here.url), traced_policy(max_waiting=100_000)),
                Service("there", str(there.url), traced_policy(max_waiting=100_000)),
            ],
            telemetry=to.telemetry,
        )
        async with client(services, connector=aiohttp.TCPConnector(limit=50)) as session:

            async def one(number: int) -> None:
                url = (here if number % 4 < 2 else there).url / str(number)
                try:
                    await status_of(session, url)
                except resilient.NotFoundError:
                    assert number % 2 == 0

            await asyncio.gather(*map(one, range(1000)))
    calls = {each.context.span_id: each for each in to.calls}
    assert len(calls) == len(to.attempts) == 1000
    parents = set()
    for attempt in to.attempts:
        attributes = of(attempt)
        assert attempt.parent is not None
        call = calls[attempt.parent.span_id]
        parents.add(call.context.span_id)
        number = int(str(attributes["url.full"]).rpartition("/")[2])
        assert attributes["http.response.status_code"] == (200 if number % 2 else 404)
        assert (attributes.get("error.type") == "404") is (number % 2 == 0)
        assert of(call).get("error.type") == attributes.get("error.type")
        service = "here" if number % 4 < 2 else "there"
        assert call.name == f"call {service}"
        port = (here if service == "here" else there).url.port
        assert attributes["server.port"] == port
    assert len(parents) == 1000
    assert to.counts("http.client.request.duration", "http.response.status_code") == {
        (200,): 500,
        (404,): 500,
    }


async def test_a_user_who_raises_no_errors_gets_its_status_on_the_call() -> None:
    to = Recorder()
    async with fault_server(then=Reply(404)) as server, client(to.pipeline()) as session:
        with resilient.override(raise_errors=False):
            assert await status_of(session, server.url) == 404
    (call,) = to.calls
    assert of(call)["error.type"] == "404"


async def test_nested_pipelines_with_the_same_telemetry_make_one_span_of_a_call() -> None:
    to = Recorder()
    inner = to.pipeline(traced_policy(retry=None, total_timeout=None))
    outer = Pipeline.of(CallTelemetry(to.telemetry, "outer"), Retry(retry_policy()))
    async with fault_server(Reply(503)) as server:
        session = aiohttp.ClientSession(middlewares=[inner])
        async with resilient.wrap(session, outer, close_original=True) as both:
            assert await status_of(both, server.url) == 200
    assert [each.name for each in to.spans] == ["GET", "GET", "call outer"]


async def test_a_policy_without_telemetry_leaves_it_out() -> None:
    to = Recorder()
    assert len(Pipeline(policy(), telemetry=to.telemetry)) == len(Pipeline(policy()))
    # Without a policy, what else could be meant?
    assert Pipeline(telemetry=to.telemetry).find(CallTelemetry) is not None


@pytest.mark.parametrize("traced", ["inner", "outer"])
async def test_a_session_that_is_wrapped_twice_makes_one_call_of_redirects(traced: str) -> None:
    to = Recorder()
    plain, told = Pipeline(policy()), to.pipeline(traced_policy(retry=None))
    pipelines = [told, plain] if traced == "inner" else [plain, told]
    async with fault_server() as server, aiohttp.ClientSession() as existing:
        with warnings.catch_warnings():
            # Two of each part make little sense, and are possible.
            warnings.simplefilter("ignore", PipelineWarning)
            session = resilient.wrap(resilient.wrap(existing, pipelines[0]), pipelines[1])
        for call in (session.get, functools.partial(session.request, "GET")):
            to.exporter.clear()
            server.script(redirect("/new"))
            async with call(server.url) as response:
                assert response.status == 200
            assert len(to.calls) == 1
            assert len(to.attempts) == 2
        await session.close()
