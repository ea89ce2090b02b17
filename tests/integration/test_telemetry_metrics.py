"""Metrics: what is counted, under which few attributes, and as Prometheus has it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from typing import Any

import aiohttp
import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

import resilient
from resilient import (
    Backoff,
    BreakerPolicy,
    BulkheadPolicy,
    NotFoundError,
    Pipeline,
    RateLimitError,
    ResilientError,
    Service,
    Services,
    ServiceUnavailableError,
    Telemetry,
    TelemetryPolicy,
    Throttle,
    ThrottlePolicy,
)
from resilient.testing import Reply, make_response
from tests.integration.support import client, fault_server, retry_policy, status_of, wrapped
from tests.integration.telemetry_support import Recorder, of, traced_policy

SERVICE = "resilient.service"


async def test_what_a_call_that_was_repeated_leaves_in_the_metrics() -> None:
    to = Recorder()
    async with fault_server(Reply(503), Reply(503)) as server, client(to.pipeline()) as session:
        for _ in range(3):
            assert await status_of(session, server.url) == 200
        port = server.url.port
    attempts = to.points("http.client.request.duration")
    at = {"server.address": "127.0.0.1", "server.port": port, "http.request.method": "GET"}
    at["network.protocol.version"] = "1.1"
    assert [(attributes, point.count) for attributes, point in attempts] == [
        ({**at, "http.response.status_code": 503, "error.type": "503"}, 2),
        ({**at, "http.response.status_code": 200}, 3),
    ]
    bounds = attempts[0][1].explicit_bounds
    assert bounds[:3] == (0.005, 0.01, 0.025)
    assert bounds[-1] == 10
    ((attributes, calls),) = to.points("resilient.call.duration")
    assert (attributes, calls.count) == ({SERVICE: "mavio", "http.request.method": "GET"}, 3)
    assert calls.explicit_bounds[-1] == 100
    ((attributes, retries),) = to.points("resilient.call.retries")
    # Nothing is recorded of the calls that needed none.
    assert (attributes, retries.count, retries.sum) == ({SERVICE: "mavio"}, 1, 2)
    ((attributes, delay),) = to.points("resilient.call.retry_delay")
    assert (attributes, delay.count) == ({SERVICE: "mavio"}, 1)
    assert delay.sum == pytest.approx(0.003)
    assert to.points("resilient.refusals") == []


METRICS = ("http.client.request.duration", "resilient.call.duration", "resilient.call.retries")


@pytest.mark.parametrize("under", [client, wrapped])
async def test_the_quick_way_measures_what_the_general_one_does(
    under: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without spans calls that go well have a way of their own; the metrics are the same."""
    chosen = TelemetryPolicy(
        call_spans=False, attempt_spans=False, propagate=False, templates=["/m/{id}"]
    )

    async def measured() -> list[Any]:
        to = Recorder()
        async with fault_server() as server:
            made = to.pipeline(traced_policy(telemetry=chosen))
            async with under(made) as session:
                for path, *script in (
                    ("m/1",),
                    ("m/2",),
                    ("other",),
                    ("m/3", Reply(503)),
                    ("m/4", Reply(302, headers={"Location": "/m/5"})),
                    ("m/6",),
                ):
                    server.script(*script)
                    assert await status_of(session, server.url / path) == 200
                async with session.post(server.url / "m/7", data=b"x"):
                    pass
                server.script(Reply(404))
                with pytest.raises(NotFoundError):
                    await status_of(session, server.url / "m/8")
        keys = ("http.request.method", "http.response.status_code", "error.type", "url.template")
        return [to.counts(name, *keys) for name in METRICS]

    quick = await measured()
    monkeypatch.setattr("resilient.pipeline.pipeline.optimistic", lambda *_: None)
    assert await measured() == quick


async def test_refusals_are_counted_by_who_refuses_and_why() -> None:
    to = Recorder()
    made = traced_policy(
        retry=retry_policy(max_attempts=2),
        throttle=ThrottlePolicy(max_wait=0),
        bulkhead=BulkheadPolicy(max_concurrent=1, max_wait=0),
    )
    pipeline = to.pipeline(made)
    refused = Reply(429, headers={"Retry-After": "100"})
    async with fault_server() as server, client(pipeline) as session:

        async def fails(*steps: Reply, times: int = 1) -> None:
            server.script(*steps)
            for _ in range(times):
                with pytest.raises(ResilientError):
                    await status_of(session, server.url)

        await fails(Reply(503), Reply(503))
        server.route("/slow", then=Reply(delay=0.1))
        slow = asyncio.create_task(status_of(session, server.url / "slow"))
        await asyncio.sleep(0.03)
        await fails()
        await slow
        with resilient.override(total_timeout=0.03), pytest.raises(ResilientError):
            await status_of(session, server.url / "slow")
        await fails(refused, times=2)
        pipeline.breaker.circuit(server.url).isolate()
        await fails()
    found = to.counts("resilient.refusals", SERVICE, "resilient.refused_by", "resilient.reason")
    assert found == {
        ("mavio", "retry", "attempts"): 1,
        ("mavio", "bulkhead", "bulkhead_full"): 1,
        ("mavio", "deadline", "deadline"): 1,
        ("mavio", "retry", "retry_after_too_long"): 1,
        ("mavio", "throttle", "gate_closed"): 2,
    }


async def test_circuits_are_counted_by_state_and_transitions_by_reason() -> None:
    to = Recorder()
    trips = BreakerPolicy(consecutive_failures=2, open_for=60, max_open_for=60, patience=0)
    made = traced_policy(breaker=trips, retry=None)
    async with fault_server(then=Reply(503)) as server, client(to.pipeline(made)) as session:
        for _ in range(2):
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
        state = "resilient.breaker.state"
        assert to.counts("resilient.breaker.circuits", SERVICE, state) == {
            ("mavio", "closed"): 0,
            ("mavio", "open"): 1,
            ("mavio", "half_open"): 0,
        }
    found = to.counts("resilient.breaker.transitions", SERVICE, state, "resilient.reason")
    assert found == {("mavio", "open", "consecutive"): 1}


async def test_queues_and_permits_are_seen_while_calls_wait() -> None:
    to = Recorder()
    made = traced_policy(bulkhead=BulkheadPolicy(max_concurrent=2))
    async with fault_server(then=Reply(delay=0.1)) as server, client(to.pipeline(made)) as session:
        tasks = [asyncio.create_task(status_of(session, server.url)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert to.counts("resilient.bulkhead.permits", SERVICE) == {("mavio",): 2}
        assert to.counts("resilient.bulkhead.limit", SERVICE) == {("mavio",): 2}
        assert to.counts("resilient.waiting", SERVICE) == {("mavio",): 3}
        await asyncio.gather(*tasks)
        assert to.counts("resilient.bulkhead.permits", SERVICE) == {("mavio",): 0}
        assert to.counts("resilient.waiting", SERVICE) == {("mavio",): 0}
    ((attributes, waits),) = to.points("resilient.bulkhead.wait.duration")
    # Those who had a place at once are not in it.
    assert (attributes, waits.count) == ({SERVICE: "mavio"}, 3)
    assert waits.sum >= 3 * 0.04


async def test_a_gate_is_seen_while_it_is_in_force_and_who_waited_at_it() -> None:
    to = Recorder()
    refused = Reply(429, headers={"Retry-After": "0.1"})
    async with fault_server(refused) as server, client(to.pipeline()) as session:
        task = asyncio.create_task(status_of(session, server.url))
        await asyncio.sleep(0.05)
        assert to.counts("resilient.throttle.gates", SERVICE) == {("mavio",): 1}
        assert await task == 200
    ((attributes, waits),) = to.points("resilient.throttle.wait.duration")
    assert (attributes, waits.count) == ({SERVICE: "mavio"}, 1)


async def test_a_guard_that_services_share_is_counted_once_and_under_no_name() -> None:
    to = Recorder()
    services = Services(
        [
            Service("a", "http://a.example", traced_policy()),
            Service("b", "http://b.example", traced_policy()),
        ],
        throttle=Throttle(),
        telemetry=to.telemetry,
    )
    assert to.counts("resilient.throttle.gates", SERVICE) == {(None,): 0}
    circuits = to.counts("resilient.breaker.circuits", SERVICE)
    assert circuits == {("a",): 0, ("b",): 0}
    del services
    assert to.counts("resilient.breaker.circuits", SERVICE) == {}


async def test_pipelines_of_one_name_are_added_up() -> None:
    to = Recorder()
    async with fault_server() as server:
        pipelines = [to.pipeline(), to.pipeline()]
        # Instruments that are made once more are the same ones, what they look at included.
        again = Telemetry(meter_provider=to.meters, tracer_provider=to.tracers)
        pipelines.append(Pipeline(traced_policy(), telemetry=again))
        for each in pipelines:
            async with client(each) as session:
                assert await status_of(session, server.url) == 200
    assert to.counts("resilient.breaker.circuits", "resilient.breaker.state") == {
        ("closed",): 3,
        ("open",): 0,
        ("half_open",): 0,
    }
    assert to.counts("resilient.call.duration", SERVICE) == {("mavio",): 3}


@pytest.mark.slow
async def test_thousands_of_servers_paths_and_methods_are_few_series() -> None:
    to = Recorder()
    chosen = TelemetryPolicy(max_servers=50, templates=["/meetings/{id}"])
    pipeline = to.pipeline(traced_policy(telemetry=chosen))

    async def answer(request: Any, handler: Any) -> Any:
        return await make_response(request, Reply(200))

    async with aiohttp.ClientSession(middlewares=[pipeline, answer]) as session:
        for number in range(2_000):
            method = f"M{number}" if number % 3 == 1 else "GET"
            url = f"http://h{number}.example:{1000 + number}/meetings/{number}"
            async with session.request(method, url):
                pass
    points = to.points("http.client.request.duration")
    addresses = {attributes["server.address"] for attributes, _ in points}
    assert len(addresses) == 51
    assert "_OTHER" in addresses
    assert {attributes["http.request.method"] for attributes, _ in points} == {"GET", "_OTHER"}
    assert {attributes["url.template"] for attributes, _ in points} == {"/meetings/{id}"}
    assert len(points) <= 2 * 51
    assert sum(point.count for _, point in points) == 2_000
    assert len(to.points("resilient.call.duration")) == 2
    # Neither does it keep something for each of them.
    instruments = to.telemetry.instruments
    assert len(instruments._servers) <= 2 * 50
    # Spans have the true address.
    assert of(to.attempts[-1])["server.address"] == "h1999.example"


async def test_metrics_are_collected_on_another_thread_while_circuits_come_and_go() -> None:
    to = Recorder()
    made = traced_policy(
        breaker=BreakerPolicy(consecutive_failures=1, max_destinations=20, open_for=0.001),
        bulkhead=BulkheadPolicy(max_concurrent=1, max_destinations=20),
        retry=None,
    )
    pipeline = to.pipeline(made)
    failures: list[BaseException] = []
    collected = 0
    is_over = threading.Event()

    def collect() -> None:
        nonlocal collected
        try:
            while not is_over.is_set():
                to.counts("resilient.breaker.circuits")
                collected += 1
                time.sleep(0.001)
        except BaseException as error:
            failures.append(error)

    async def answer(request: Any, handler: Any) -> Any:
        await asyncio.sleep(0)
        status = 503 if int(request.url.host[1:4]) % 2 else 429
        return await make_response(request, Reply(status))

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        async with aiohttp.ClientSession(middlewares=[pipeline, answer]) as session:

            async def one(number: int) -> None:
                with contextlib.suppress(ResilientError):
                    async with session.get(f"http://h{number % 500:03}.example"):
                        pass

            for start in range(0, 500, 50):
                await asyncio.gather(*map(one, range(start, start + 50)))
                # Others are made and forgotten meanwhile.
                to.pipeline(made)
    finally:
        is_over.set()
        thread.join()
    assert failures == []
    assert collected > 0


async def test_prometheus_gets_the_names_and_values() -> None:
    """Through OpenTelemetry's own reader; there is no second way to Prometheus."""
    registry = CollectorRegistry()
    meters = MeterProvider([PrometheusMetricReader(registry=registry)])
    telemetry = Telemetry(meter_provider=meters)
    pipeline = Pipeline(traced_policy(), telemetry=telemetry)
    async with fault_server(Reply(503)) as server, client(pipeline) as session:
        for _ in range(4):
            assert await status_of(session, server.url) == 200
    text = generate_latest(registry).decode()
    lines = {re.sub(r'otel_scope_\w+="[^"]*",?', "", line) for line in text.splitlines()}
    values = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        values[name.replace(",}", "}")] = value
    service = '{resilient_service="mavio"}'
    assert values[f"resilient_call_retries_count{service}"] == "1.0"
    of_calls = '{http_request_method="GET",resilient_service="mavio"}'
    assert values[f"resilient_call_duration_seconds_count{of_calls}"] == "4.0"
    closed = '{resilient_breaker_state="closed",resilient_service="mavio"}'
    assert values[f"resilient_breaker_circuits{closed}"] == "1.0"
    assert any(
        name.startswith("http_client_request_duration_seconds_count{")
        and 'error_type="503"' in name
        and value == "1.0"
        for name, value in values.items()
    )


async def test_wrapped_and_plain_sessions_count_alike() -> None:
    found = []
    for under in (client, wrapped):
        to = Recorder()
        slow = retry_policy(backoff=Backoff(base=0.001, jitter="none"))
        made = traced_policy(retry=slow)
        async with fault_server(then=Reply(503)) as server, under(to.pipeline(made)) as session:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
        names = sorted(to.metric_names())
        found.append([to.counts(name, "error.type", "resilient.reason") for name in names])
    assert found[0] == found[1]


async def test_a_refusal_by_a_server_is_no_refusal_of_ours() -> None:
    to = Recorder()
    made = traced_policy(retry=None)
    async with fault_server(Reply(429)) as server, client(to.pipeline(made)) as session:
        with pytest.raises(RateLimitError):
            await status_of(session, server.url)
    assert to.points("resilient.refusals") == []


def test_loops_on_two_threads_may_share_a_telemetry() -> None:
    to = Recorder()

    async def calls() -> None:
        async def offline(request: Any, handler: Any) -> Any:
            return await make_response(request, Reply(200))

        async with aiohttp.ClientSession(middlewares=[to.pipeline(), offline]) as session:
            for _ in range(50):
                async with session.get("http://api.example/"):
                    pass

    threads = [threading.Thread(target=asyncio.run, args=[calls()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(to.calls) == len(to.attempts) == 200
    assert to.counts("resilient.call.duration") == {(): 200}
    calls_by_id = {each.context.span_id for each in to.calls}
    parents = {each.parent.span_id for each in to.attempts if each.parent}
    assert parents == calls_by_id
