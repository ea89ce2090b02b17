"""Telemetry must not hurt: what raises is said once, what is not sampled costs little."""

from __future__ import annotations

import asyncio
import logging
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
import attrs
import pytest
from opentelemetry import propagate
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind
from yarl import URL

import resilient
from resilient import (
    AttemptTelemetry,
    CallTelemetry,
    ConfigError,
    Pipeline,
    Service,
    Services,
    Telemetry,
    TelemetryPolicy,
    load_services,
)
from resilient.pipeline.fuse import fuse
from resilient.pipeline.optimistic import optimistic
from resilient.testing import Reply, make_response
from tests.integration.support import (
    UNDER,
    Hedge,
    client,
    fault_server,
    policy,
    redirect,
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
from tests.integration.test_wrap_websocket import echo_server


class BrokenProcessor(SpanProcessor):
    def __init__(self, *broken: str) -> None:
        self.broken = broken

    def on_start(self, *_: Any, **__: Any) -> None:
        if "start" in self.broken:
            raise RuntimeError("s3cret start")

    def on_end(self, *_: Any) -> None:
        if "end" in self.broken:
            raise RuntimeError("s3cret end")


class BrokenSampler(Sampler):
    def should_sample(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("s3cret sampler")

    def get_description(self) -> str:
        return "broken"


class BrokenInstrument:
    def record(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("s3cret instrument")

    add = record


def with_processor(*broken: str) -> Callable[[pytest.MonkeyPatch], Recorder]:
    def make(_: pytest.MonkeyPatch) -> Recorder:
        to = Recorder()
        to.tracers.add_span_processor(BrokenProcessor(*broken))
        return to

    return make


def with_instruments(_: pytest.MonkeyPatch) -> Recorder:
    to = Recorder()
    broken: Any = BrokenInstrument()
    instruments = to.telemetry.instruments
    instruments.attempts = instruments.calls = instruments.retries = broken
    instruments.delays = instruments._refusals = instruments._transitions = broken
    return to


def with_propagator(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("s3cret propagator")

    monkeypatch.setattr(propagate, "inject", broken)
    return Recorder()


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], Recorder]] = {
    "tracer": lambda _: Recorder(sampler=BrokenSampler()),
    "start": with_processor("start"),
    "end": with_processor("end"),
    "instrument": with_instruments,
    "propagator": with_propagator,
}


@UNDER
@pytest.mark.parametrize("what", BROKEN)
async def test_a_provider_that_raises_is_said_once_and_the_call_goes_on(
    under: Any, what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = BROKEN[what](monkeypatch)
    async with fault_server() as server, under(to.pipeline()) as session:
        with context_kept():
            for _ in range(3):
                server.script(Reply(503))
                assert await status_of(session, server.url) == 200
            server.script(*[Reply(503)] * 3)
            with pytest.raises(resilient.ServiceUnavailableError):
                await status_of(session, server.url)
    said = [each for each in caplog.records if "resilient" in each.name]
    assert [each.levelname for each in said] == ["ERROR"]
    assert "said once" in said[0].getMessage()


async def test_a_trace_that_is_not_sampled_goes_out_as_such_and_computes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resilient.telemetry.middleware.shown_url", forbidden)
    to = Recorder(sampler=ParentBased(ALWAYS_OFF))
    async with fault_server(Reply(503)) as server, client(to.pipeline()) as session:
        with context_kept():
            assert await status_of(session, server.url) == 200
        sent = [each.headers["traceparent"] for each in server.requests]
    assert len(sent) == 2
    assert all(each.split("-")[3] in ("00", "02") for each in sent)
    # One call is one trace.
    assert len({each.split("-")[1] for each in sent}) == 1
    assert to.spans == ()
    # Metrics do not depend on it.
    assert to.counts("http.client.request.duration") == {(): 2}


async def test_nor_if_its_parent_was_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resilient.telemetry.middleware.shown_url", forbidden)
    to = Recorder()
    off = Recorder(sampler=ALWAYS_OFF)
    attempts_only = traced_policy(telemetry=TelemetryPolicy(call_spans=False))
    async with fault_server() as server:
        for made in (traced_policy(), attempts_only):
            async with client(to.pipeline(made)) as session:
                with off.tracers.get_tracer("app").start_as_current_span("work") as work:
                    assert await status_of(session, server.url) == 200
                trace_id = f"{work.get_span_context().trace_id:032x}"
                assert trace_id in server.requests[-1].headers["traceparent"]
    assert to.spans == ()


def forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("nobody looks at it")


class ByUrl(Sampler):
    """Looks at what spans begin with."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def should_sample(
        self,
        parent_context: Any,
        trace_id: Any,
        name: Any,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        self.seen.append(dict(attributes or {}))
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "by url"


async def test_a_sampler_sees_what_the_conventions_say_it_should() -> None:
    sampler = ByUrl()
    to = Recorder(sampler=sampler)
    async with fault_server() as server, client(to.pipeline()) as session:
        assert await status_of(session, server.url) == 200
    of_call, of_attempt = sampler.seen
    assert of_call == {"resilient.service": "mavio", "resilient.call.attempts": 1}
    assert set(of_attempt) == {
        "http.request.method",
        "server.address",
        "server.port",
        "url.full",
    }


async def test_a_sampler_that_overrules_an_unsampled_parent_gets_the_rest_late() -> None:
    to = Recorder(sampler=ByUrl())
    off = Recorder(sampler=ALWAYS_OFF)
    made = traced_policy(telemetry=TelemetryPolicy(call_spans=False))
    async with fault_server() as server, client(to.pipeline(made)) as session:
        with off.tracers.get_tracer("app").start_as_current_span("work"):
            assert await status_of(session, server.url) == 200
    assert of(to.attempts[0])["url.full"] == f"{server.url}/"


async def test_of_a_trace_all_spans_are_there_or_none() -> None:
    to = Recorder(sampler=ParentBased(TraceIdRatioBased(0.5)))
    async with fault_server() as server, client(to.pipeline()) as session:
        for _ in range(60):
            assert await status_of(session, server.url) == 200
    assert len(to.calls) == len(to.attempts)
    assert 0 < len(to.calls) < 60


@UNDER
async def test_two_copies_of_a_request_have_a_span_each(under: Any) -> None:
    """A hedging middleware inside shares the attempt's span; outside, each copy has its own."""
    to = Recorder()
    async with fault_server(Reply(delay=0.3)) as server:
        async with under(Pipeline.of(Hedge(0.05), *to.pipeline())) as session:
            with context_kept():
                assert await status_of(session, server.url) == 200
        assert sorted(parents_of(server)) == sorted(each.context.span_id for each in to.attempts)
    assert len(to.attempts) == 2
    assert len(to.calls) == (2 if under is client else 1)
    assert all(each.end_time is not None for each in to.spans)
    for attempt in to.attempts:
        assert attempt.parent is not None
        assert attempt.parent.span_id in {each.context.span_id for each in to.calls}


@UNDER
async def test_a_generator_that_calls_keeps_the_context_of_who_iterates(under: Any) -> None:
    to = Recorder()
    tracer = to.tracers.get_tracer("app")
    async with fault_server() as server, under(to.pipeline()) as session:

        @resilient.override(max_attempts=1)
        async def pages() -> Any:
            for _ in range(3):
                yield await status_of(session, server.url)

        with tracer.start_as_current_span("work"), context_kept():
            async for status in pages():
                assert status == 200
            async for _ in pages():
                break
    work = next(each for each in to.spans if each.name == "work")
    calls = [each for each in to.calls if each.name == "call mavio"]
    assert len(calls) == 4
    assert {each.parent.span_id for each in calls if each.parent} == {work.context.span_id}


@UNDER
async def test_a_token_call_of_a_middleware_is_in_the_attempt_that_needs_it(under: Any) -> None:
    to = Recorder()
    async with fault_server() as server, client(to.pipeline(traced_policy(name="auth"))) as tokens:

        async def auth(request: Any, handler: Any) -> Any:
            request.headers["X-Token"] = str(await status_of(tokens, server.url / "token"))
            return await handler(request)

        async with under(Pipeline.of(*to.pipeline(), auth)) as session:
            with context_kept():
                assert await status_of(session, server.url) == 200
    outer = next(each for each in to.calls if each.name == "call mavio")
    inner = next(each for each in to.calls if each.name == "call auth")
    by_id = {each.context.span_id: each for each in to.spans}
    assert inner.parent is not None
    holder = by_id[inner.parent.span_id]
    assert holder.kind is SpanKind.CLIENT
    assert holder.parent is not None
    assert holder.parent.span_id == outer.context.span_id
    assert [of(each)["resilient.call.attempts"] for each in (outer, inner)] == [1, 1]


async def test_attempts_that_are_cut_off_at_any_turn_leave_nothing_open() -> None:
    """Cancelled after each number of turns of the loop that a call takes."""
    for turns in range(40):
        to = Recorder()
        async with fault_server(Reply(503)) as server, client(to.pipeline()) as session:
            with context_kept():
                task = asyncio.create_task(status_of(session, server.url))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert len(to.calls) == (1 if turns else 0)
        ids = {each.context.span_id for each in to.spans}
        for span in to.attempts:
            # Whoever has begun has ended: a child never comes without its parent.
            assert span.parent is not None
            assert span.parent.span_id in ids


# -- secrets


@UNDER
async def test_nothing_that_is_exported_has_a_secret(under: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    to = Recorder()
    body = {"error": {"code": "s3cret-body", "message": "s3cret-message"}}
    async with fault_server(Reply(503, json=body), Reply(400, json=body)) as server:
        there = Service("there", str(server.url), traced_policy())
        services = Services([there], telemetry=to.telemetry)
        async with under(services) as session:
            url = (server.url / "x").with_user("s3cret-user").with_password("s3cret-word")
            with pytest.raises(resilient.BadRequestError):
                await session.get(
                    url % {"token": "s3cret-query"},
                    headers={"X-Key": "s3cret-header", "Cookie": "a=s3cret-cookie"},
                )
            with pytest.raises(ValueError, match="s3cret"):
                await under_error(session, server.url)
            with pytest.raises(aiohttp.ClientError):
                await session.get("http://s3cret-user:s3cret-word@127.0.0.1:1/?k=s3cret-query")
    assert "s3cret" not in to.everything()
    assert len(to.spans) >= 4


async def under_error(session: aiohttp.ClientSession, url: URL) -> None:
    async def fails(request: Any, handler: Any) -> Any:
        raise ValueError("s3cret-exception")

    middlewares = [*(session._middlewares or ()), fails]
    if hasattr(session, "_resilient_pipelines"):
        middlewares = [fails]
    await session.get(url, middlewares=middlewares)


async def test_what_raises_in_a_provider_is_told_without_urls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Leaky(SpanProcessor):
        def on_end(self, *_: Any) -> None:
            raise RuntimeError("POST http://u:s3cret@collector/v1?k=s3cret failed")

    to = Recorder()
    to.tracers.add_span_processor(Leaky())
    async with fault_server() as server, client(to.pipeline()) as session:
        assert await status_of(session, server.url) == 200
    assert "collector" in caplog.text
    assert "s3cret" not in caplog.text


# -- strangers


class Odd:
    """A response of somebody else's, with what a middleware of aiohttp's has to have."""

    def __init__(self, status: Any, version: Any) -> None:
        self.status = status
        self.version = version
        self.headers: dict[str, str] = {}
        self.closed = True

    def close(self) -> None: ...


@pytest.mark.parametrize("version", [None, (1, 1), [1, 1], "s3cret", aiohttp.HttpVersion(9, 9)])
async def test_a_response_that_is_nobodys_is_handed_over_as_it_is(version: Any) -> None:
    to = Recorder()
    odd = Odd(200, version)

    async def stand_in(request: Any, handler: Any) -> Any:
        return odd

    pipeline: Any = to.pipeline()
    async with aiohttp.ClientSession() as session:
        request: Any = await a_request(session)
        assert await pipeline(request, lambda request: stand_in(request, None)) is odd
    protocols = {of(each).get("network.protocol.version") for each in to.attempts}
    assert protocols <= {None, "1.1"}
    assert len(to.spans) == 2


async def a_request(session: aiohttp.ClientSession) -> Any:
    """A request as a middleware is given it."""
    caught = []

    async def catch(request: Any, handler: Any) -> Any:
        caught.append(request)
        raise LookupError

    with pytest.raises(LookupError):
        await session.get("http://api.example/x", middlewares=[catch])
    return caught[0]


async def test_one_that_is_a_listener_too_counts_each_refusal_once() -> None:
    to = Recorder()
    pipeline = to.pipeline(listeners=[to.telemetry])
    async with fault_server() as server, client(pipeline) as session:
        pipeline.breaker.circuit(server.url).isolate()
        with pytest.raises(resilient.CircuitOpenError):
            await status_of(session, server.url)
    assert to.counts("resilient.refusals") == {(): 1}
    assert to.counts("resilient.breaker.transitions") == {(): 1}


async def test_a_hedge_inside_an_attempt_shares_its_span() -> None:
    to = Recorder()
    async with fault_server(Reply(delay=0.3)) as server:
        async with client(to.pipeline(), Hedge(0.05)) as session:
            with context_kept():
                assert await status_of(session, server.url) == 200
        assert len(set(parents_of(server))) == 1
        assert server.hits == 2
    assert len(to.attempts) == 1


@UNDER
async def test_redirects_that_aiohttp_ends_leave_nothing_open(under: Any) -> None:
    to = Recorder()
    async with fault_server(then=redirect("/")) as server, under(to.pipeline()) as session:
        with context_kept(), pytest.raises(aiohttp.TooManyRedirects):
            await session.get(server.url, max_redirects=3)
    if under is wrapped:
        (call,) = to.calls
        assert of(call)["error.type"].endswith("TooManyRedirects")
        assert of(call)["resilient.call.attempts"] == 3
    else:
        assert len(to.calls) == 3
    assert len(to.attempts) == 3


@UNDER
async def test_a_websocket_is_a_call_like_any_other(under: Any) -> None:
    to = Recorder()
    async with (
        echo_server() as url,
        under(to.pipeline()) as session,
        session.ws_connect(url.with_scheme("ws")) as socket,
    ):
        await socket.send_str("one")
        assert await socket.receive_str() == "echo one"
    (attempt,) = to.attempts
    assert of(attempt)["http.response.status_code"] == 101
    assert of(attempt)["url.full"].startswith("ws://")
    assert attempt.status.is_unset


async def test_an_address_of_version_six_and_a_name_in_another_script() -> None:
    to = Recorder()

    async def offline(request: Any, handler: Any) -> Any:
        return await make_response(request, Reply(200))

    async with aiohttp.ClientSession(middlewares=[to.pipeline(), offline]) as session:
        for url in ("http://[::1]:8080/x", "https://bücher.example/x", "http://u:s3cret@x/"):
            async with session.get(url):
                pass
    found = [(of(each)["server.address"], of(each)["server.port"]) for each in to.attempts]
    assert found == [("::1", 8080), ("xn--bcher-kva.example", 443), ("x", 80)]
    assert "s3cret" not in to.everything()


async def test_who_cancels_while_an_error_is_read_ends_both_spans() -> None:
    to = Recorder()
    slow = Reply(404, json={"message": "x" * 1000}, chunk_size=10, chunk_delay=1)
    async with fault_server(then=slow) as server, client(to.pipeline()) as session:
        with context_kept():
            task = asyncio.create_task(status_of(session, server.url))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert [each.name for each in to.spans] == ["GET", "call mavio"]
    assert all(each.status.is_unset for each in to.spans)


async def test_spans_of_a_crowd_that_is_cancelled_are_all_ended() -> None:
    """Each at a moment of its own: sending, waiting, queueing, reading."""
    to = Recorder()
    made = traced_policy(bulkhead=resilient.BulkheadPolicy(max_concurrent=5))
    dice = random.Random(7)

    async def answer(_: Any) -> Reply:
        return Reply(dice.choice([200, 503, 429, 404]), delay=dice.random() * 0.02)

    async with fault_server(then=answer) as server, client(to.pipeline(made)) as session:
        with context_kept():
            tasks = [asyncio.create_task(status_of(session, server.url)) for _ in range(200)]
            while any(not task.done() for task in tasks):
                await asyncio.sleep(0.002)
                dice.choice(tasks).cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert len(to.calls) == len(tasks)
    ids = {each.context.span_id for each in to.calls}
    assert all(each.parent is not None and each.parent.span_id in ids for each in to.attempts)
    durations = to.counts("resilient.call.duration")
    assert durations == {(): len(to.calls)}


@pytest.mark.parametrize("followed", ["spans", "events"])
async def test_who_follows_calls_leaves_their_deadline_over_all_hops(followed: str) -> None:
    listener = resilient.listens_to("call")(lambda event: None)
    if followed == "spans":
        pipeline = Recorder().pipeline(traced_policy(total_timeout=0.3))
    else:
        pipeline = Pipeline(policy(total_timeout=0.3), listeners=[listener])
    hop = attrs.evolve(redirect("/next"), delay=0.2)
    async with fault_server(hop, Reply(delay=0.2)) as server, wrapped(pipeline) as session:
        with pytest.raises(resilient.DeadlineExceededError):
            await status_of(session, server.url)


def test_a_policy_is_equal_when_it_was_pickled_and_evolved() -> None:
    made = traced_policy(telemetry=TelemetryPolicy(templates=["/a/{id}"], max_servers=5))
    assert pickle.loads(pickle.dumps(made)) == made
    assert attrs.evolve(made, name="other").telemetry == made.telemetry


# -- off, and not installed


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_without_telemetry_nothing_of_it_is_imported() -> None:
    code = "import sys, resilient; resilient.Pipeline(); resilient.TelemetryPolicy(); "
    code += "print([each for each in sys.modules if each.startswith('opentelemetry')])"
    assert run(code).strip() == "[]"


def test_without_telemetry_a_pipeline_is_composed_as_ever() -> None:
    made = Pipeline(policy())
    assert not any(isinstance(each, AttemptTelemetry | CallTelemetry) for each in made)
    # Retry, deadline, and one coroutine around the attempt; and a quick way for good calls.
    assert (len(fuse(made)), len(made)) == (3, 6)
    assert optimistic(made, made) is not None
    # Telemetry is one coroutine more, and takes the same quick way.
    told = Recorder().pipeline()
    assert (len(fuse(told)), len(told)) == (4, 8)
    assert optimistic(told, told) is not None


MISSING = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
import resilient
made = resilient.Policy(telemetry=resilient.TelemetryPolicy())
for make in (
    resilient.Telemetry,
    lambda: resilient.Pipeline(made),
    lambda: resilient.Services([resilient.Service("a", "http://a.example", made)]),
    lambda: resilient.load_services({"default": {"telemetry": {}}}),
):
    try:
        make()
    except ModuleNotFoundError as error:
        print(error)
"""


def test_an_extra_that_is_missing_is_one_line_with_the_command() -> None:
    said = "telemetry needs OpenTelemetry's API: pip install 'resilient-aiohttp[otel]'"
    assert run(MISSING).splitlines() == [said] * 4


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tracer_provider": "console"}, "Telemetry.tracer_provider must be None or has"),
        ({"meter_provider": 5}, "Telemetry.meter_provider must be None or has"),
    ],
)
def test_a_provider_that_is_none_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Telemetry(**wrong)
    assert words in str(caught.value)


def test_what_is_no_telemetry_is_refused() -> None:
    wrong: Any = "telemetry"
    for make in (
        lambda: Pipeline(telemetry=wrong),
        lambda: Services([], telemetry=wrong),
        lambda: CallTelemetry(wrong),
        lambda: AttemptTelemetry(wrong),
        lambda: AttemptTelemetry(Recorder().telemetry, wrong, wrong),
    ):
        with pytest.raises(ConfigError):
            make()


# -- files


def test_a_table_switches_it_on_and_false_leaves_it_out() -> None:
    to = Recorder()
    services = load_services(
        {
            "default": {"telemetry": {"call_spans": False}},
            "services": {
                "a": {"match": "http://a.example", "extends": "default"},
                "b": {"match": "http://b.example", "extends": "default", "telemetry": False},
                "c": {"match": "http://c.example", "telemetry": {"templates": ["/m/{id}"]}},
                "d": {"match": "http://d.example"},
            },
        },
        telemetry=to.telemetry,
    )
    found = {name: made.find(AttemptTelemetry) for name, made in services.items()}
    assert {name for name, part in found.items() if part is not None} == {"a", "c"}
    assert found["a"] is not None
    assert found["a"].policy == TelemetryPolicy(call_spans=False)
    assert found["a"].service == "a"
    assert found["a"].telemetry is to.telemetry
    assert found["c"] is not None
    assert found["c"].policy == TelemetryPolicy(templates=["/m/{id}"])
    assert services.default_pipeline is not None
    assert services.default_pipeline.find(AttemptTelemetry) is not None


def test_what_is_wrong_with_a_table_is_named() -> None:
    document = {
        "services": {
            "a": {
                "match": "http://a.example",
                "telemetry": {
                    "templates": ["/m/{id}", "/m/{x}", "m"],
                    "max_servers": 0,
                    "spans": 1,
                },
            }
        }
    }
    with pytest.raises(ConfigError) as caught:
        load_services(document)
    said = str(caught.value)
    for words in (
        "services.a.telemetry.templates",
        "services.a.telemetry.max_servers",
        "services.a.telemetry.spans",
    ):
        assert words in said
