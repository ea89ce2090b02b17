"""Beside OpenTelemetry's own instrumentation of aiohttp: no double spans, or a word about them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

import resilient
from resilient import Service, Services, TelemetryPolicy, TelemetryWarning
from resilient.testing import Reply
from tests.integration.support import client, fault_server, policy, status_of
from tests.integration.telemetry_support import Recorder, parents_of, traced_policy


@pytest.fixture
def theirs() -> Iterator[Recorder]:
    """The instrumentation at work, on providers of its own."""
    to = Recorder()
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=to.tracers, meter_provider=to.meters)
    yield to
    instrumentor.uninstrument()


async def test_a_plain_session_is_warned_of_once_and_goes_on(theirs: Recorder) -> None:
    to = Recorder()
    pipeline = to.pipeline()
    async with fault_server(Reply(503)) as server:
        async with aiohttp.ClientSession(middlewares=[pipeline]) as session:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                assert await status_of(session, server.url) == 200
                assert await status_of(session, server.url) == 200
            (warning,) = caught
            assert warning.category is TelemetryWarning
            assert "uninstrument_session" in str(warning.message)
        async with aiohttp.ClientSession(middlewares=[pipeline]) as another:
            with pytest.warns(TelemetryWarning):
                assert await status_of(another, server.url) == 200
        # What goes out is ours, whatever was in the headers.
        assert parents_of(server) == [each.context.span_id for each in to.attempts]
    assert len(theirs.attempts) == 3
    assert len(to.attempts) == 4


async def test_wrap_takes_it_off_the_copy_and_leaves_the_original(theirs: Recorder) -> None:
    to = Recorder()
    async with fault_server(Reply(503)) as server, aiohttp.ClientSession() as original:
        before = list(original.trace_configs)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            session = resilient.wrap(original, to.pipeline())
            assert await status_of(session, server.url) == 200
        assert (len(theirs.spans), len(to.attempts)) == (0, 2)
        assert original.trace_configs == before
        assert await status_of(original, server.url) == 200
        assert len(theirs.spans) == 1


async def test_other_trace_configs_stay_on_the_copy(theirs: Recorder) -> None:
    own = aiohttp.TraceConfig()
    started = []

    async def note(*_: Any) -> None:
        started.append(1)

    own.on_request_start.append(note)
    to = Recorder()
    async with fault_server() as server, aiohttp.ClientSession(trace_configs=[own]) as original:
        session = resilient.wrap(original, to.pipeline())
        assert session.trace_configs == [own]
        assert await status_of(session, server.url) == 200
    assert started == [1]


async def test_without_spans_of_ours_theirs_stay(theirs: Recorder) -> None:
    to = Recorder()
    metrics_only = traced_policy(telemetry=TelemetryPolicy(attempt_spans=False))
    async with fault_server() as server, aiohttp.ClientSession() as original:
        for pipeline in (to.pipeline(metrics_only), to.pipeline(policy())):
            session = resilient.wrap(original, pipeline)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert await status_of(session, server.url) == 200
    assert len(theirs.attempts) == 2


async def test_services_of_which_one_has_spans_are_without_theirs(theirs: Recorder) -> None:
    to = Recorder()
    async with fault_server() as server, aiohttp.ClientSession() as original:
        services = Services(
            [Service("a", "http://a.example"), Service("b", str(server.url), traced_policy())],
            telemetry=to.telemetry,
        )
        session = resilient.wrap(original, services)
        assert await status_of(session, server.url) == 200
    assert (len(theirs.spans), len(to.attempts)) == (0, 1)


async def test_a_session_that_was_uninstrumented_is_not_warned_of(theirs: Recorder) -> None:
    to = Recorder()
    async with fault_server() as server, client(to.pipeline()) as session:
        AioHttpClientInstrumentor.uninstrument_session(session)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert await status_of(session, server.url) == 200
    assert (len(theirs.spans), len(to.attempts)) == (0, 1)
