"""`explain` tells the truth: what it says of a request is what a session does with it.

Each policy is explained, and then carried out against a server that fails in each of the ways
that the explanation speaks of.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from yarl import URL

import resilient
from resilient import ResilientError, WaitEvent, load_services, override
from resilient.cli.explain.explanation import Explanation, Target, explain_request
from resilient.cli.explain.failures import Failure
from resilient.services.config.configuration import read_configuration
from resilient.testing import (
    Answer,
    Disconnect,
    EventLog,
    FakeClock,
    FaultServer,
    Hang,
    Malformed,
    Reply,
    Reset,
)
from tests.integration.support import Teller, client

Settings = Mapping[str, Any]

METHODS = ("GET", "HEAD", "PUT", "POST")
BREAKER = {"breaker": {"failures": 1000}}


def no_waits() -> Iterator[float]:
    yield from ()


def broken() -> Iterator[float]:
    yield from ()
    raise ValueError


def one_wait() -> Generator[float | None]:
    yield None
    yield 2


HERE = "tests.integration.test_explain"
RULES = [
    {"code": "limit", "status": 406},
    {"code": "gone", "status": 410, "message": "is gone"},
    {"code": "again", "message": "once more"},
    {"code": "down", "status": 503, "message": "for good"},
    {"code": "over", "status": 504},
    # The words of the status itself, where a body says none.
    {"code": "teapot", "status": 418, "message": "teapot"},
]

# Bodies whose code says more than the status.
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
USED_UP = {"error": {"code": "insufficient_quota", "message": "You exceeded your quota."}}

# What happens to every attempt.
LASTING = ("status", "code", "throttling_code", "quota_code", "disconnected", "not_http")

POLICIES: dict[str, Settings] = {
    "standard": {},
    "mavio": {"extends": "mavio"},
    "meetergo": {"extends": "meetergo"},
    "keyed": {"extends": "mavio", "retry": {"idempotency_header": "Idempotency-Key"}},
    "responses": {"errors": False, "retry": {"codes": ["again"], "fatal_codes": ["never"]}},
    "some responses": {
        "errors": {"ignore": [404, 429, 503]},
        "retry": {"codes": ["again"], "fatal_codes": ["never"], "statuses": [202, 429, 503]},
    },
    "other methods": {
        "retry": {"methods": ["POST", "GET"], "codes": ["again"], "fatal_codes": ["never"]}
    },
    "other methods, keyed": {
        "retry": {"methods": ["POST", "PUT"], "idempotency_header": "X-Once", "statuses": [500]}
    },
    "rules": {
        "errors": {"code_rules": RULES},
        "retry": {
            "codes": ["limit", "again", "teapot"],
            "fatal_codes": ["down", "over"],
            "statuses": [418, 503, 504],
        },
    },
    "exceptions": {"retry": {"exceptions": ["resilient:NotFoundError", "aiohttp:ClientSSLError"]}},
    "exceptions, responses": {"errors": False, "retry": {"exceptions": ["resilient:APIError"]}},
    "bodies": {"retry": {"read_body_up_to": 1000}},
    "once": {"retry": {"max_attempts": 1, "codes": ["again"]}},
    "no retry": {"retry": False},
    "nothing": {"retry": False, "errors": False, "breaker": False, "attempt_timeout": False},
    "no waits": {"retry": {"backoff": {"wait": f"{HERE}:no_waits"}}},
    "broken waits": {"retry": {"backoff": {"wait": f"{HERE}:broken"}}},
    "observed": {"breaker": {"observe": True}},
    "deaf": {"retry": {"heed_should_retry": False}},
}


def configured(url: URL, settings: Settings) -> dict[str, Any]:
    quiet = {} if "breaker" in settings else BREAKER
    origin = str(url.origin()).replace("ws", "http", 1)
    return {"services": {"it": {"match": origin, "attempt_timeout": 3, **quiet, **settings}}}


def explained(url: URL, settings: Settings, method: str) -> Explanation:
    return explain_request(
        read_configuration(configured(url, settings), code=True), Target(url, method)
    )


async def attempts(
    url: URL,
    settings: Settings,
    method: str,
    clock: FakeClock,
    listeners: tuple[EventLog, ...] = (),
    **options: Any,
) -> int:
    """How many times a request goes to the innermost handler."""
    services = load_services(configured(url, settings), code=True, clock=clock, listeners=listeners)
    wire = Teller()
    if options.pop("is_isolated", False):
        services["it"].breaker.circuit(str(url)).isolate()
    async with client(services, wire) as session:
        with suppress(aiohttp.ClientError):
            async with session.request(method, url, **options) as response:
                await response.read()
    return len(wire.seen)


def bodies(failure: Failure, settings: Settings) -> Iterator[dict[str, Any]]:
    """Error bodies that come to the code of a failure."""
    errors = (
        read_configuration(configured(URL("http://x"), settings), code=True)
        .services[0]
        .policy.errors
    )
    assert errors is not None
    for rule in errors.code_rules:
        # Of a code that counts whatever the status, any status must do.
        if rule.code == failure.code and rule.status == failure.status:
            message = rule.message or "whatever"
            yield {"statusCode": rule.status, "message": message, "error": "Whatever"}
            yield {"error": {"code": "other", "message": message}}
    if failure.status is None:
        yield {"error": {"code": failure.code, "message": "whatever"}}
        yield {"code": failure.code, "message": "whatever"}


def faults(failure: Failure, settings: Settings) -> Iterator[tuple[Answer, bool]]:
    """Answers that make a request fail so, and whether each is to be repeated."""
    repeated = failure.is_repeated
    match failure.kind:
        case "status":
            assert failure.status is not None
            yield Reply(failure.status), repeated
        case "code":
            usual = (400, 404, 503) if failure.status is None else (failure.status,)
            unread = (settings.get("errors") or {}).get("ignore", ())
            for body in bodies(failure, settings):
                for status in (each for each in usual if each not in unread):
                    yield Reply(status, json=body), repeated
                if "but not with 425 or 429" in failure.reason:
                    for status in (425, 429):
                        yield Reply(status, json=body), not repeated
        case "throttling_code":
            yield Reply(400, body=SLOW_DOWN), repeated
        case "quota_code":
            yield Reply(429, json=USED_UP), repeated
        case "disconnected":
            yield Disconnect(), repeated
            yield Reset(), repeated
        case "not_http":
            yield Malformed(), repeated
        case "body_cut_short":
            yield Reply(200, body=b"x" * 100, truncate=50), repeated
        case _:
            raise AssertionError(failure)


async def is_as_said(
    server: FaultServer, failure: Failure, answer: Answer, settings: Settings, method: str
) -> bool:
    """Whether a request that fails so is repeated."""
    clock = FakeClock()
    server.script(answer)
    made = await attempts(server.url / "x", settings, method, clock, data=b"sent")
    server.clear()
    assert made in (1, 2), (failure, answer)
    return made == 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", POLICIES)
async def test_what_is_said_to_be_repeated_is_and_nothing_else(name: str, method: str) -> None:
    settings = POLICIES[name]
    async with FaultServer() as server:
        explanation = explained(server.url / "x", settings, method)
        for failure in explanation.failures:
            if failure.kind in (
                "no_connection",
                "attempt_timeout",
                "throttled",
                "circuit_open",
                "bulkhead_full",
            ):
                continue  # below
            for answer, repeated in faults(failure, settings):
                found = await is_as_said(server, failure, answer, settings, method)
                assert found == repeated, (failure, answer)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["standard", "some responses", "rules", "once", "no retry"])
async def test_what_a_failure_does_to_others_is_as_said(name: str, method: str) -> None:
    settings = POLICIES[name]
    async with FaultServer() as server:
        url = server.url / "x"
        for failure in explained(url, settings, method).failures:
            if failure.kind not in LASTING:
                continue
            for answer, _ in faults(failure, settings):
                server.clear()
                server.route("/x", then=answer)
                state = await state_after(url, settings, method, max_attempts=1)
                said = failure.effects
                circuits = state.get("circuits", {"": {"score": 0}})
                (circuit,) = circuits.values() or ({"score": 0},)
                if said.circuit is not None:
                    assert (circuit["score"] > 0) == (said.circuit == "failure"), failure
                if failure.kind != "code":
                    assert bool(state["gates"]) == said.closes_gate, (failure, answer)
                most = (settings.get("retry") or {}).get("max_attempts", 2)
                state = await state_after(url, settings, method, max_attempts=most)
                if failure.kind == "code":
                    continue
                assert bool(state.get("budgets")) == bool(said.charged), (failure, answer)


async def state_after(
    url: URL, settings: Settings, method: str, *, max_attempts: int
) -> dict[str, Any]:
    """The state of the guards and the budget after a call that failed with all its attempts."""
    file = configured(url, {"retry": {}, **settings})
    services = load_services(file, code=True, clock=FakeClock())
    async with client(services) as session:
        with suppress(aiohttp.ClientError), override(max_attempts=max_attempts):
            async with session.request(method, url, data=b"sent") as response:
                await response.read()
    state: dict[str, Any] = json.loads(json.dumps(services["it"].snapshot(), allow_nan=False))
    return state


def the(kind: str, explanation: Explanation) -> Failure | None:
    return next((each for each in explanation.failures if each.kind == kind), None)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", POLICIES)
async def test_what_never_reached_a_server(name: str, method: str) -> None:
    settings = POLICIES[name]
    async with FaultServer() as server:
        url = server.url / "x"
    refused = the("no_connection", explained(url, settings, method))
    assert refused is not None
    assert (await attempts(url, settings, method, FakeClock()) > 1) == refused.is_repeated


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", POLICIES)
async def test_tls_with_a_server_that_knows_none(name: str, method: str) -> None:
    settings = POLICIES[name]
    async with FaultServer() as server:
        url = (server.url / "x").with_scheme("https")
        failed = the("tls", explained(url, settings, method))
        assert failed is not None
        assert (await attempts(url, settings, method, FakeClock()) > 1) == failed.is_repeated
        assert the("tls", explained(server.url, settings, method)) is None


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", POLICIES)
async def test_an_attempt_that_takes_too_long(name: str, method: str) -> None:
    settings = POLICIES[name]
    clock = FakeClock()
    async with FaultServer(Hang()) as server:
        url = server.url / "x"
        late = the("attempt_timeout", explained(url, settings, method))
        if settings.get("attempt_timeout") is False:
            assert late is None
            return
        assert late is not None
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(attempts(url, settings, method, clock))
            await server.wait_for(waiting=1)
            clock.advance(3)
        assert (calling.result() > 1) == late.is_repeated


@pytest.mark.parametrize("name", POLICIES)
async def test_a_circuit_that_is_open(name: str) -> None:
    settings = POLICIES[name]
    async with FaultServer() as server:
        url = server.url / "x"
        refused = the("circuit_open", explained(url, settings, "GET"))
        if refused is None:
            assert settings["breaker"] in (False, {"observe": True})
            return
        assert not refused.is_repeated
        assert await attempts(url, settings, "GET", FakeClock(), is_isolated=True) == 0


@pytest.mark.parametrize("name", POLICIES)
async def test_a_gate_that_would_hold_it_for_too_long(name: str) -> None:
    settings = POLICIES[name]
    answer = Reply(429, headers={"Retry-After": "3600"})
    async with FaultServer(then=answer) as server:
        url = server.url / "x"
        assert the("throttled", explained(url, settings, "GET")) is not None
        services = load_services(configured(url, settings), code=True, clock=FakeClock())
        async with client(services) as session:
            for _ in range(2):
                with suppress(aiohttp.ClientError):
                    await session.get(url)
        assert server.hits == 1


@pytest.mark.parametrize("status", [200, 404, 429, 503])
@pytest.mark.parametrize("name", ["standard", "mavio", "rules", "no retry"])
async def test_the_handshake_of_a_websocket(name: str, status: int) -> None:
    settings = POLICIES[name]
    body = {"error": {"code": "bad_request", "message": "once more"}}
    async with FaultServer(Reply(status, json=body), then=Reply(404)) as server:
        url = (server.url / "x").with_scheme("ws")
        explanation = explained(url, settings, "GET")
        said = [each.is_repeated for each in explanation.failures if each.status == status]
        services = load_services(configured(server.url, settings), code=True, clock=FakeClock())
        async with client(services) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(url)
        assert server.hits == 1 + (said == [True])
    assert not [each for each in explanation.failures if each.kind in ("code", "body_cut_short")]


# What the notes say.


def says(explanation: Explanation, words: str) -> bool:
    return any(words in note for note in explanation.notes)


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("told", ["true", "false"])
@pytest.mark.parametrize("name", ["standard", "deaf", "responses", "no retry"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_says_whether_to_try_again(
    method: str, name: str, told: str, status: int
) -> None:
    settings = POLICIES[name]
    async with FaultServer(Reply(status, headers={"x-should-retry": told})) as server:
        url = server.url / "x"
        heeded = says(explained(url, settings, method), "x-should-retry")
        made = await attempts(url, settings, method, FakeClock())
    assert heeded == (name in ("standard", "responses"))
    anyhow = name == "deaf" and status == 503
    worth = told == "true" if heeded else anyhow
    # No header makes a POST repeatable.
    assert made == (2 if worth and method == "GET" else 1)


@pytest.mark.parametrize("name", ["standard", "mavio", "keyed", "other methods", "no retry"])
@pytest.mark.parametrize("way", ["header", "override"])
async def test_a_caller_who_says_that_twice_is_harmless(name: str, way: str) -> None:
    settings = POLICIES[name]
    async with FaultServer(Reply(503)) as server:
        url = server.url / "x"
        explanation = explained(url, settings, "POST")
        assert says(explanation, "Idempotency-Key of its own") == (name in ("standard", "mavio"))
        if says(explanation, "Idempotency-Key of its own"):
            headers = {"Idempotency-Key": "mine"} if way == "header" else {}
            with override(idempotent=True if way == "override" else None):
                made = await attempts(url, settings, "POST", FakeClock(), headers=headers)
            assert made == 2


@pytest.mark.parametrize("name", ["standard", "keyed", "no waits", "no retry", "once"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_pooled_connection_that_was_closed_before(name: str, method: str) -> None:
    settings = POLICIES[name]
    clock = FakeClock()
    async with FaultServer() as server:
        url = server.url / "x"
        explanation = explained(url, settings, method)
        services = load_services(configured(url, settings), code=True, clock=clock)
        async with client(services) as session:
            async with session.request(method, url) as response:
                await response.read()
            server.script(Disconnect("accept"))
            with suppress(ResilientError, aiohttp.ServerDisconnectedError):
                async with session.request(method, url) as response:
                    await response.read()
        hits = server.hits
    at_once = says(explanation, "pooled connection")
    assert at_once == (
        (name, method)
        in [
            ("standard", "GET"),
            ("keyed", "GET"),
            ("keyed", "POST"),
            ("no waits", "GET"),
            ("once", "GET"),
        ]
    )
    aiohttps_own = (name, method) == ("no retry", "GET")
    assert hits == 2 + (at_once or aiohttps_own)
    assert clock.sleeps == []


# Waits.

BACKOFFS: dict[str, Settings] = {
    f"{wait}, {jitter}": {"wait": wait, "jitter": jitter, "base": 0.5, "cap": 3}
    for wait in ("expo", "fibo", "constant", f"{HERE}:one_wait")
    for jitter in ("none", "full", "equal", "decorrelated")
}


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize("backoff", BACKOFFS)
async def test_the_waits_are_within_their_bounds(backoff: str, drawn: float) -> None:
    settings = {"retry": {"max_attempts": 7, "backoff": BACKOFFS[backoff]}}
    recorder = EventLog()
    async with FaultServer(then=Reply(503)) as server:
        times = explained(server.url, settings, "GET").times
        url, clock = server.url / "x", FakeClock(draw=drawn)
        made = await attempts(url, settings, "GET", clock, (recorder,))
    waited = [each.seconds for each in recorder.events if isinstance(each, WaitEvent)]
    assert times is not None
    assert times.waits is not None
    bounds = times.waits.bounds
    assert len(waited) == len(bounds) == times.waits.count == made - 1
    for place, (seconds, wait) in enumerate(zip(waited, bounds, strict=True), 1):
        assert wait.after_attempt == place
        assert wait.least - 1e-9 <= seconds <= wait.most + 1e-9
        if drawn != 0.5:
            assert seconds == pytest.approx(wait.most if drawn else wait.least)
    assert made <= times.attempts <= made + 1
    assert sum(waited) <= times.waits.longest


@pytest.mark.parametrize("asked", [0.5, 5, 7.5, 8])
@pytest.mark.parametrize("drawn", [0.0, 1 - 2**-53])
async def test_what_a_server_asks_for_is_within_its_bound(asked: float, drawn: float) -> None:
    # A throttle has waits of its own.
    settings = {
        "throttle": False,
        "retry": {"max_retry_after": 7.5, "backoff": {"base": 1, "cap": 2}},
    }
    clock = FakeClock(draw=drawn)
    answer = Reply(429, headers={"Retry-After": str(asked)})
    async with FaultServer(then=answer) as server:
        explanation = explained(server.url, settings, "POST")
        made = await attempts(server.url / "x", settings, "POST", clock)
    assert says(explanation, "Retry-After is obeyed up to 7.5 s")
    assert (made == 3) == (asked <= 7.5)
    assert explanation.times is not None
    assert explanation.times.waits is not None
    longest = explanation.times.waits.longest
    assert sum(clock.sleeps) <= longest
    if (asked, drawn) == (7.5, 1 - 2**-53):
        assert sum(clock.sleeps) == pytest.approx(longest)


# The worst case.


class Running(FakeClock):
    """A clock on which a limit on the reading of a body runs out as soon as it is set."""

    def __init__(self, *limits: float) -> None:
        super().__init__(draw=1 - 2**-53)
        self.limits = limits

    def call_at(self, when: float, callback: Callable[[], object]) -> Any:
        timer = super().call_at(when, callback)
        if round(when - self.time(), 6) in self.limits:
            asyncio.get_running_loop().call_soon(lambda: self.advance(max(0.0, when - self.time())))
        return timer


# How much of its time an attempt leaves.
SPARED = 0.5

WORST: dict[str, Settings] = {
    "standard": {"total_timeout": False},
    "many": {"total_timeout": False, "retry": {"max_attempts": 9, "budget": False}},
    "short waits": {
        "total_timeout": False,
        "retry": {"max_retry_after": 0.5, "backoff": {"cap": 2, "base": 2}},
    },
    "two waits": {
        "total_timeout": False,
        "retry": {"max_attempts": 9, "backoff": {"wait": f"{HERE}:one_wait"}},
    },
    "responses": {"total_timeout": False, "errors": False},
    "long reading": {"total_timeout": False, "errors": {"read_timeout": 60}},
    "short reading": {"total_timeout": False, "errors": {"read_timeout": 0.125}},
    "some responses": {
        "total_timeout": False,
        "errors": {"read_timeout": 0.125, "ignore": [503]},
    },
    "once": {"total_timeout": False, "retry": {"max_attempts": 1}},
    "no retry": {"total_timeout": False, "retry": False},
    "deadline": {"total_timeout": 20, "retry": {"max_retry_after": 9}},
    "long deadline": {"total_timeout": 1000},
    "deadline of an attempt": {"total_timeout": 5, "attempt_timeout": 5},
    "no limit of attempts": {"total_timeout": 50, "attempt_timeout": False},
    "no retry, deadline": {"total_timeout": 2.5, "attempt_timeout": 2.5, "retry": False},
}


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
@pytest.mark.parametrize("name", WORST)
async def test_nothing_takes_longer_than_the_worst_case(name: str, wrapped: bool) -> None:
    settings = WORST[name]
    reading = settings.get("errors", {}) or {}
    clock = Running(0.25, reading.get("read_timeout", 1.0))
    taken = settings.get("attempt_timeout", 3) or 10
    asked = settings.get("retry") or {}
    pause = asked.get("max_retry_after", 60)

    async def late(_: object) -> Reply:
        """The head in the last moment, and never the body."""
        clock.advance(taken - SPARED)
        return Reply(503, headers={"Retry-After": str(pause)}, body=b"stalls", body_delay=3600)

    def cut_late(_: object) -> Disconnect:
        clock.advance(taken - SPARED)
        return Disconnect()

    steps = [cut_late] if settings.get("retry") is False else []
    async with FaultServer(*steps, then=late) as server:
        url = server.url / "x"
        times = explained(url, settings, "GET").times
        services = load_services(configured(url, settings), code=True, clock=clock)
        async with aiohttp.ClientSession(middlewares=[] if wrapped else [services]) as session:
            calling = resilient.wrap(session, services) if wrapped else session
            with suppress(ResilientError):
                (await calling.get(url)).close()
            took = clock.time()
            if wrapped:
                await calling.close()
        made = server.hits
    assert times is not None
    assert took <= times.worst
    assert made <= times.attempts
    if times.limited_by == "attempts":
        # And no more is said than can happen, but for what reading a body takes that is not.
        slack = made * SPARED + made * 0.25 + (times.attempts - made) * (times.attempt + 70)
        assert times.worst - took <= slack + 1e-6


async def test_facts_for_a_program_are_json() -> None:
    from resilient.cli.explain.report import as_json

    for method in ("GET", "POST"):
        for settings in POLICIES.values():
            told = as_json(explained(URL("https://x.example"), settings, method), "file")
            assert json.loads(json.dumps(told, allow_nan=False)) == told
