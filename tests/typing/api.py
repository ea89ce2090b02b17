"""Every public name as a user would use it, for type checkers: it is checked and never run.

`tests/unit/test_typing.py` holds that no name is missing here, and that mistakes are seen.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import warnings
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, assert_never, assert_type

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from multidict import CIMultiDictProxy, MultiMapping
from yarl import URL

import resilient
import resilient.testing
from resilient.breaker import Counts
from resilient.bulkhead import Places
from resilient.core.keys import Key
from resilient.core.queues import Room
from resilient.envelopes import json_object, text


async def auth(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """A middleware of the user's own."""
    request.headers["Authorization"] = "Bearer token"
    return await handler(request)


# -- Policies: what their fields take, and what they hold.


def policies() -> resilient.Policy:
    backoff = resilient.Backoff(wait="fibo", base=1, factor=2, cap=20, jitter="equal")
    assert_type(backoff.base, float)
    assert_type(list(backoff.waits(lambda: 0.5)), list[float])
    assert_type(next(backoff.bounds()), tuple[float, float])
    resilient.Backoff(wait=own_waits, options={"step": 2})

    budget = resilient.BudgetPolicy(ratio=0.2, capacity=10, min_per_second=1, key="origin+path:1")
    assert_type(budget.ratio, float)

    retry = resilient.RetryPolicy(
        max_attempts=4,
        statuses=[429, 503],
        methods={"GET", "POST"},
        exceptions=[ConnectionError, OSError],
        codes={"slot_unavailable"},
        fatal_codes=["quota"],
        backoff=backoff,
        max_retry_after=30,
        budget=budget,
        judge=judge,
        heed_should_retry=False,
        idempotency_header="Idempotency-Key",
        read_body_up_to=65_536,
    )
    assert_type(retry.statuses, frozenset[int])
    assert_type(retry.methods, frozenset[str])
    assert_type(retry.exceptions, tuple[type[Exception], ...])
    assert_type(retry.codes, frozenset[str])
    assert_type(retry.budget, resilient.BudgetPolicy | None)
    assert_type(retry.read_body_up_to, int | None)
    resilient.RetryPolicy(exceptions=ValueError, budget=None, judge=lambda _, outcome: None)

    breaker = resilient.BreakerPolicy(
        failures=20,
        failure_rate=0.5,
        window=30,
        consecutive_failures=None,
        slow_call=2.5,
        slow_rate=0.8,
        open_for=5,
        open_factor=2,
        max_open_for=60,
        max_open_retry_after=30,
        probes=3,
        probe_lease=60,
        recovery=5,
        patience=0,
        patience_horizon=60,
        abandoned_after=5,
        statuses=range(500, 505),
        key="origin+path:1",
        observe=True,
        max_destinations=16,
    )
    resilient.BreakerPolicy(key=tenant)
    assert_type(breaker.slow_call, float | None)
    throttle = resilient.ThrottlePolicy(
        limit="300/min",
        burst=15,
        learn=True,
        classes=False,
        headers=["RateLimit", "X-RateLimit"],
        max_wait=30,
        pace="even",
        key="origin+path:1",
    )
    assert_type(throttle.limit, str | None)
    assert_type(throttle.headers, tuple[str, ...])
    assert_type(breaker.statuses, frozenset[int])

    adaptive = resilient.Aimd(
        initial=20, minimum=2, maximum=50, decrease=0.9, increase=1, statuses=[429, 503]
    )
    assert_type(adaptive.statuses, frozenset[int])
    bulkhead = resilient.BulkheadPolicy(
        max_concurrent=20, max_wait=5, key="origin+path:1", max_destinations=16
    )
    assert_type(bulkhead.max_concurrent, int)
    assert_type(bulkhead.adaptive, resilient.Aimd | None)
    resilient.BulkheadPolicy(adaptive=adaptive, key=tenant)

    rule = resilient.CodeRule("slot_unavailable", status=400, message="no longer available")
    assert_type(rule.matches(400, "The slot is no longer available"), bool)
    errors = resilient.ErrorPolicy(
        parsers=[read_acme, Acme(), "problem", "any"],
        success_parsers=["graphql", read_acme],
        code_rules=[rule],
        request_id_headers=["X-Request-Id"],
        ignore={404},
        max_body=1024,
        read_timeout=0.5,
    )
    assert_type(errors.parsers, tuple[resilient.EnvelopeParser | str, ...])
    assert_type(errors.code_rules, tuple[resilient.CodeRule, ...])
    assert_type(errors.ignore, frozenset[int])
    resilient.ErrorPolicy(parsers=read_acme)

    reset = resilient.ResetHeader("X-RateLimit-Reset", "timestamp", limit=600)
    assert_type(reset.form, Literal["seconds", "timestamp"])

    policy = resilient.Policy(
        name="mavio",
        errors=errors,
        total_timeout=20,
        retry=retry,
        throttle=throttle,
        breaker=breaker,
        bulkhead=bulkhead,
        attempt_timeout=5,
        reset_headers=[reset],
    )
    assert_type(policy.total_timeout, float | None)
    assert_type(policy.retry, resilient.RetryPolicy | None)
    assert_type(policy.throttle, resilient.ThrottlePolicy | None)
    assert_type(policy.breaker, resilient.BreakerPolicy | None)
    assert_type(policy.bulkhead, resilient.BulkheadPolicy | None)
    assert_type(policy.errors, resilient.ErrorPolicy | None)
    assert_type(policy.reset_headers, tuple[resilient.ResetHeader, ...])
    assert_type(policy.effective_attempt_timeout, float | None)
    resilient.Policy(retry=None, breaker=None, errors=None, total_timeout=None)
    return policy


def own_waits(step: float) -> Iterator[float | None]:
    """A wait generator, written as most people annotate one."""
    yield None
    while True:
        yield step


def judge(request: ClientRequest, outcome: ClientResponse | Exception) -> bool | None:
    if isinstance(outcome, Exception):
        return None
    return outcome.status == 409 and request.method == "PUT"


def read_acme(status: int, headers: Mapping[str, str], body: bytes) -> resilient.Envelope | None:
    """A parser of error bodies that is a plain function, with names of its own."""
    document = json_object(body)
    if document is None or "acmeError" not in document:
        return None
    return resilient.Envelope(
        message=text(document["acmeError"]),
        code=text(document.get("nr")),
        request_id=headers.get("X-Acme-Id"),
        details=[resilient.FieldError("email", "Invalid email format")],
    )


class Acme:
    """The same as an object."""

    def __call__(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> resilient.Envelope | None:
        return read_acme(status, headers, body)


def envelopes(headers: CIMultiDictProxy[str], body: bytes) -> None:
    parsers: list[resilient.EnvelopeParser] = [read_acme, Acme()]
    envelope = resilient.parse_error(400, headers, body, parsers=parsers)
    assert_type(envelope, resilient.Envelope)
    assert_type(envelope.message, str | None)
    assert_type(envelope.code, str | None)
    assert_type(envelope.request_id, str | None)
    assert_type(envelope.retry_after, float | None)
    assert_type((envelope.docs, envelope.format), tuple[str | None, str | None])
    assert_type(envelope.details, tuple[resilient.FieldError, ...])
    for detail in envelope.details:
        assert_type((detail.field, detail.message), tuple[str, str])
    resilient.parse_error(400, {"Content-Type": "application/json"}, b"{}")


def waits_that_a_server_asks_for(response: ClientResponse) -> None:
    seconds = resilient.parse_retry_after(
        response.headers,
        now=datetime.now(UTC),
        reset_headers=[resilient.ResetHeader("X-Reset", "seconds")],
    )
    assert_type(seconds, float | None)
    assert_type(resilient.parse_retry_after({"Retry-After": "120"}), float | None)


# -- Middlewares and pipelines.


class SlowClock:
    """A clock of the user's own: it inherits from nothing of ours."""

    def time(self) -> float:
        return asyncio.get_running_loop().time() / 10

    def now(self) -> datetime:
        return datetime.now(UTC)

    def random(self) -> float:
        return 0.5

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_at(when * 10, callback)

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds * 10, callback)


def tenant(request: ClientRequest) -> Hashable | None:
    """A key function."""
    return request.url.origin(), request.headers.get("X-Tenant")


def keys() -> list[Key]:
    return [tenant, lambda request: None]


def middlewares() -> tuple[ClientMiddlewareType, ...]:
    clock: resilient.Clock = SlowClock()
    budget = resilient.RetryBudget(resilient.BudgetPolicy())
    reset_headers = [resilient.ResetHeader("X-Reset", "seconds")]
    retry = resilient.Retry(
        resilient.RetryPolicy(),
        budget=budget,
        listeners=[listener],
        reset_headers=reset_headers,
        clock=clock,
    )
    assert_type(retry.policy, resilient.RetryPolicy)
    breaker = resilient.CircuitBreaker(
        resilient.BreakerPolicy(),
        listeners=[listener],
        reset_headers=reset_headers,
        clock=clock,
    )
    assert_type(breaker.policy, resilient.BreakerPolicy)
    bulkhead = resilient.Bulkhead(
        resilient.BulkheadPolicy(), listeners=[listener], room=Room(100), clock=clock
    )
    assert_type(bulkhead.policy, resilient.BulkheadPolicy)
    errors = resilient.NormalizeErrors(
        resilient.ErrorPolicy(), reset_headers=reset_headers, clock=clock
    )
    assert_type(errors.policy, resilient.ErrorPolicy)
    deadline = resilient.Deadline(20, clock=clock)
    assert_type(deadline.seconds, float)
    attempt_timeout = resilient.AttemptTimeout(5, clock=clock)
    assert_type(attempt_timeout.seconds, float)
    # Each of them is a middleware of aiohttp's, alone and among others.
    return deadline, retry, auth, breaker, bulkhead, errors, attempt_timeout


def pipelines(policy: resilient.Policy, clock: resilient.Clock) -> None:
    pipeline = resilient.Pipeline(
        policy,
        listeners=(listener, print, resilient.testing.EventLog()),
        budget=resilient.RetryBudget(resilient.BudgetPolicy()),
        bulkhead=resilient.Bulkhead(),
        clock=clock,
    )
    middleware: ClientMiddlewareType = pipeline
    assert_type(pipeline.policy, resilient.Policy | None)
    assert_type(resilient.Pipeline.of(resilient.Retry(), auth, pipeline), resilient.Pipeline)

    sequence: Sequence[ClientMiddlewareType] = pipeline
    assert_type(pipeline[0], ClientMiddlewareType)
    assert_type(pipeline[1:], tuple[ClientMiddlewareType, ...])
    assert_type(list(pipeline), list[ClientMiddlewareType])
    assert_type(len(sequence), int)

    assert_type(pipeline.find(resilient.Deadline), resilient.Deadline | None)
    assert_type(pipeline.retry, resilient.Retry)
    assert_type(pipeline.breaker, resilient.CircuitBreaker)
    assert_type(pipeline.bulkhead, resilient.Bulkhead)
    assert_type(pipeline.describe(), str)
    aiohttp.ClientSession(middlewares=[middleware, *pipeline])


def places(bulkhead: resilient.Bulkhead) -> None:
    for each in bulkhead.places:
        assert_type(each, Places)
        assert_type(each.key, Hashable)
        assert_type((each.limit, each.in_use, each.waiting), tuple[int, int, int])


def snapshots(pipeline: resilient.Pipeline, services: resilient.Services) -> None:
    assert_type(pipeline.bulkhead.snapshot(), dict[str, Any])
    assert_type(pipeline.throttle.snapshot(), dict[str, Any])
    assert_type(pipeline.breaker.snapshot(), dict[str, Any])
    assert_type(pipeline.retry.snapshot(), dict[str, Any])
    assert_type(pipeline.snapshot(), dict[str, Any])
    assert_type(services.snapshot(), dict[str, Any])


def throttles(pipeline: resilient.Pipeline) -> None:
    throttle = resilient.Throttle(resilient.ThrottlePolicy(), max_retry_after=30)
    assert_type(throttle.policy, resilient.ThrottlePolicy)
    assert_type(pipeline.throttle, resilient.Throttle)
    resilient.Pipeline(throttle=throttle)
    resilient.Services([], throttle=throttle)
    for gate in throttle.gates:
        assert_type(gate, resilient.GateView)
        assert_type(gate.key, Hashable)
        assert_type(gate.part, str | None)
        assert_type(gate.rate, float)
        assert_type(gate.seconds, float)
        assert_type(gate.waiting, int)
        assert_type(gate.server_seconds, float)


def circuits(breaker: resilient.CircuitBreaker) -> None:
    circuit = breaker.circuit("https://api.mavio.example")
    assert_type(circuit, resilient.Circuit)
    assert_type(breaker.circuit(URL("https://api.mavio.example")), resilient.Circuit)
    assert_type(breaker.circuits, tuple[resilient.Circuit, ...])
    assert_type(circuit.key, Hashable)
    assert_type(circuit.state, str)
    assert_type(circuit.isolated, bool)
    assert_type(circuit.retry_after, float | None)
    assert_type(circuit.waiting, int)
    assert_type(circuit.counts, Counts)
    assert_type(circuit.counts.score, float)
    assert_type(circuit.counts.slow_score, float)
    assert_type(circuit.counts.failures, int)
    assert_type(circuit.counts.calls, int)
    assert_type(circuit.counts.consecutive_failures, int)
    circuit.isolate()
    circuit.reset()


def telemetry(policy: resilient.Policy) -> None:
    told = resilient.Telemetry(tracer_provider=None, meter_provider=None)
    chosen = resilient.TelemetryPolicy(templates=["/meetings/{id}"], call_spans=False)
    assert_type(chosen.templates, tuple[str, ...])
    assert_type(chosen.max_servers, int)
    resilient.Policy(telemetry=chosen)
    resilient.Pipeline(policy, telemetry=told)
    resilient.Services([], telemetry=told)
    resilient.load_services("resilient.toml", telemetry=told)
    call = resilient.CallTelemetry(told, "mavio", chosen, clock=SlowClock())
    attempt = resilient.AttemptTelemetry(told, "mavio", chosen, clock=SlowClock())
    resilient.Pipeline.of(call, resilient.Retry(listeners=[told]), attempt)
    assert_type(call.policy, resilient.TelemetryPolicy)
    assert_type(attempt.service, str)
    warnings.simplefilter("ignore", resilient.TelemetryWarning)
    resilient.override(url_template="/meetings/{id}")


def services(policy: resilient.Policy, clock: resilient.Clock) -> None:
    service = resilient.Service("mavio", ["https://*.mavio.example"], policy, facts={"limit": 5})
    assert_type(service.match, tuple[str, ...])
    assert_type(service.policy, resilient.Policy)
    resilient.Service("other", "https://other.example")
    chosen = resilient.Services(
        [service],
        default=policy,
        listeners=[listener],
        throttle=resilient.Throttle(),
        bulkhead=resilient.Bulkhead(),
        clock=clock,
    )
    middleware: ClientMiddlewareType = chosen
    mapping: Mapping[str, resilient.Pipeline] = chosen
    assert_type(chosen["mavio"], resilient.Pipeline)
    assert_type(chosen.get("mavio"), resilient.Pipeline | None)
    assert_type(dict(mapping), dict[str, resilient.Pipeline])
    assert_type(chosen.services, tuple[resilient.Service, ...])
    route = chosen.route("https://api.mavio.example/v4")
    if route is not None:
        assert_type(route.target, resilient.Service)
    aiohttp.ClientSession(middlewares=[middleware])

    assert_type(resilient.load_services("resilient.toml"), resilient.Services)
    resilient.load_services(Path("resilient.toml"), listeners=[listener], clock=clock)
    resilient.load_services({"services": {"mavio": {"extends": "mavio"}}})
    resilient.load_services("resilient.toml", environ={"RESILIENT__DEFAULT__RETRY": "false"})

    changes = chosen.reload("resilient.toml", code=["rules"], environ=True)
    assert_type(changes, resilient.Changes)
    assert_type((changes.added, changes.removed), tuple[tuple[str, ...], tuple[str, ...]])
    assert_type(changes.changed, Mapping[str, tuple[str, ...]])
    assert_type((changes.default, changes.keys), tuple[tuple[str, ...], tuple[str, ...]])
    assert_type(chosen.replace([], default=resilient.Policy()), resilient.Changes)


async def watching(chosen: resilient.Services) -> None:
    async with resilient.watch_services(chosen, Path("resilient.toml"), environ=True):
        pass


# -- Sessions.


class OwnSession(aiohttp.ClientSession):
    def account(self) -> str:
        return "acc_1"


async def sessions(
    session: aiohttp.ClientSession, own: OwnSession, chosen: resilient.Services
) -> None:
    assert_type(resilient.wrap(session), aiohttp.ClientSession)
    assert_type(resilient.wrap(own, resilient.Pipeline()), OwnSession)
    assert_type(resilient.wrap(own, chosen, auth, close_original=True).account(), str)
    async with resilient.wrap(own) as wrapped:
        assert_type(wrapped, aiohttp.ClientSession)  # as aiohttp's own `__aenter__` says
        async with wrapped.get("/meetings") as response:
            assert_type(response, ClientResponse)
            assert_type(resilient.attempts_of(response), tuple[resilient.Attempt, ...])
    assert_type(resilient.pipeline_of(session), resilient.Pipeline)


def attempts(response: ClientResponse) -> None:
    for attempt in resilient.attempts_of(response):
        assert_type(attempt.number, int)
        assert_type((attempt.method, attempt.url), tuple[str, str])
        assert_type((attempt.started, attempt.duration, attempt.queued), tuple[float, float, float])
        assert_type(attempt.status, int | None)
        assert_type(attempt.error, str | None)
        assert_type(attempt.waited, float | None)
        assert_type(attempt.reason, str | None)
        assert_type(attempt.code, resilient.Reason | None)


async def overrides(session: aiohttp.ClientSession) -> None:
    with resilient.override(max_attempts=1, raise_errors=False) as nothing:
        assert_type(nothing, None)
    with resilient.override(total_timeout=float("inf"), attempt_timeout=5, idempotent=True):
        await session.get("/")

    # A decorated function keeps its signature.
    assert_type(fetch, Callable[[int], str])
    assert_type(fetch(1), str)
    assert_type(await book(1, at="10:00"), bytes)
    assert_type(list(pages(3)), list[int])
    async for page in all_pages(3):
        assert_type(page, bytes)
    assert_type(await Client().book(1, at="10:00"), bytes)
    assert_type(all_pages(3), AsyncIterator[bytes])
    booking: Coroutine[Any, Any, bytes] = Client.book(Client(), 1, at="10:00")
    await booking


@resilient.override(max_attempts=1)
def fetch(number: int, /) -> str:
    return str(number)


@resilient.override(idempotent=True)
async def book(number: int, *, at: str) -> bytes:
    return f"{number} {at}".encode()


@resilient.override(attempt_timeout=2)
def pages(count: int) -> Iterator[int]:
    yield from range(count)


@resilient.override(attempt_timeout=2)
async def all_pages(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b""


class Client:
    @resilient.override(idempotent=True)
    async def book(self, number: int, *, at: str) -> bytes:
        return await book(number, at=at)


# -- Events.


def listener(event: resilient.Event) -> None:
    """Tell the events apart by their class, and all of them."""
    assert_type((event.name, event.level), tuple[str, int])
    if isinstance(event, resilient.AttemptEvent):
        assert_type((event.call, event.method, event.url), tuple[int, str, str])
        assert_type((event.number, event.duration, event.queued), tuple[int, float, float])
        assert_type((event.status, event.error), tuple[int | None, str | None])
    elif isinstance(event, resilient.WaitEvent):
        assert_type((event.number, event.seconds), tuple[int, float])
        assert_type((event.code, event.reason), tuple[resilient.Reason, str])
    elif isinstance(event, resilient.HoldEvent):
        assert_type((event.by, event.seconds), tuple[str, float | None])
        assert_type((event.code, event.reason), tuple[resilient.Reason, str])
    elif isinstance(event, resilient.TurnEvent):
        assert_type((event.by, event.seconds), tuple[str, float])
    elif isinstance(event, resilient.ThrottleEvent):
        assert_type((event.key, event.part), tuple[Hashable, str | None])
        assert_type((event.closed, event.rate, event.seconds), tuple[bool, float | None, float])
        assert_type((event.queued, event.is_news), tuple[int, bool])
        assert_type((event.code, event.reason), tuple[resilient.Reason, str])
    elif isinstance(event, resilient.RefusalEvent):
        assert_type((event.by, event.code, event.reason), tuple[str, resilient.Reason, str])
    elif isinstance(event, resilient.TransitionEvent):
        assert_type(event.key, Hashable)
        assert_type((event.before, event.after), tuple[str, str])
        assert_type((event.code, event.reason), tuple[resilient.Reason, str])
        assert_type((event.seconds, event.held), tuple[float | None, int])
    elif isinstance(event, resilient.CallEvent):
        assert_type((event.attempts, event.duration), tuple[int, float])
        assert_type((event.waited, event.queued), tuple[float, float])
        assert_type((event.status, event.error), tuple[int | None, str | None])
        assert_type(event.code, resilient.Reason | None)
    elif isinstance(event, resilient.ReloadEvent):
        assert_type((event.source, event.problems), tuple[str | None, tuple[str, ...]])
        assert_type((event.added, event.removed), tuple[tuple[str, ...], tuple[str, ...]])
        assert_type(event.changed, tuple[str, ...])
    else:
        assert_never(event)


def by_kind(event: resilient.Event) -> None:
    """The same by what they are called."""
    if event.kind == "attempt":
        assert_type(event, resilient.AttemptEvent)
    elif event.kind == "wait":
        assert_type(event, resilient.WaitEvent)
    elif event.kind == "refusal":
        assert_type(event, resilient.RefusalEvent)
    elif event.kind == "hold":
        assert_type(event, resilient.HoldEvent)
    elif event.kind == "turn":
        assert_type(event, resilient.TurnEvent)
    elif event.kind == "throttle":
        assert_type(event, resilient.ThrottleEvent)
    elif event.kind == "call":
        assert_type(event, resilient.CallEvent)
    elif event.kind == "reload":
        assert_type(event, resilient.ReloadEvent)
    else:
        assert_type(event.kind, Literal["transition"])
        assert_type(event, resilient.TransitionEvent)


@resilient.listens_to("transition", "throttle")
def page(event: resilient.TransitionEvent | resilient.ThrottleEvent) -> None: ...


def add(event: resilient.CallEvent) -> None: ...


def listeners(seen: list[resilient.Event]) -> list[resilient.Listener]:
    calls = resilient.listens_to("call")(add)
    resilient.Pipeline.of(resilient.CallEvents([calls], clock=SlowClock()), resilient.Retry())
    return [listener, by_kind, print, seen.append, lambda event: None, page, calls]


def reasons(reason: resilient.Reason) -> bool:
    assert_type(resilient.Reason("budget"), resilient.Reason)
    return reason is resilient.Reason.BUDGET or reason.value == "deadline"


# -- Errors.


async def catch_every_error(session: aiohttp.ClientSession) -> None:
    try:
        await session.get("/meetings")
    except resilient.ValidationError as error:
        assert_type(error.field_errors, Mapping[str, str])
        assert_type(error.details, tuple[resilient.FieldError, ...])
    except (
        resilient.BadRequestError,
        resilient.AuthenticationError,
        resilient.PermissionDeniedError,
        resilient.NotFoundError,
        resilient.GoneError,
        resilient.PaymentRequiredError,
        resilient.MethodNotAllowedError,
        resilient.NotAcceptableError,
        resilient.RequestTimeoutError,
        resilient.ConflictError,
        resilient.PreconditionFailedError,
        resilient.ContentTooLargeError,
        resilient.UnsupportedMediaTypeError,
        resilient.UnprocessableEntityError,
        resilient.LockedError,
        resilient.TooEarlyError,
        resilient.UnavailableForLegalReasonsError,
        resilient.RateLimitError,
    ) as error:
        client_error: resilient.APIError = error
        api_error(client_error)
    except (
        resilient.InternalServerError,
        resilient.NotImplementedServerError,
        resilient.BadGatewayError,
        resilient.OriginError,
        resilient.ServiceUnavailableError,
        resilient.OverloadedError,
        resilient.GatewayTimeoutError,
        resilient.OriginTimeoutError,
        resilient.HTTPVersionNotSupportedError,
        resilient.InsufficientStorageError,
    ) as error:
        server_error: resilient.ServerError = error
        api_error(server_error)
    except resilient.ServerError as error:
        api_error(error)
    except resilient.APIError as error:
        api_error(error)
    except resilient.BulkheadFullError as error:
        assert_type(error.key, Hashable)
    except resilient.ThrottledError as error:
        assert_type((error.key, error.retry_after), tuple[Hashable, float | None])
        refusal: resilient.RefusedError = error
        assert_type(refusal.queued, float)
    except resilient.CircuitOpenError as error:
        connection: aiohttp.ClientConnectionError = error
        assert_type(error.key, Hashable)
        assert_type(error.retry_after, float | None)
        assert_type(error.isolated, bool)
        assert_type(error.state, str)
        every_error(error, connection)
    except resilient.ConnectionFailedError as error:
        connection = error
        assert_type(error.message, str)
        every_error(error, connection)
    except resilient.AttemptTimeoutError as error:
        slow: aiohttp.ServerTimeoutError = error
        assert_type(error.timeout, float | None)
        assert_type((error.method, error.url), tuple[str | None, str | None])
        assert_type(error.while_connecting, bool)
        every_error(error, slow)
    except resilient.DeadlineExceededError as error:
        late: TimeoutError = error
        assert_type(error.timeout, float | None)
        assert_type((error.method, error.url), tuple[str | None, str | None])
        every_error(error, late)
    except resilient.SessionClosedError as error:
        closed: RuntimeError = error
        every_error(error, closed)
    except resilient.ResilientError as error:
        every_error(error, error)


def api_error(error: resilient.APIError) -> None:
    aiohttps: aiohttp.ClientResponseError = error
    assert_type((error.status, error.status_code), tuple[int, int])
    assert_type(error.message, str)
    assert_type(error.code, str | None)
    assert_type(error.request_id, str | None)
    assert_type(error.details, tuple[resilient.FieldError, ...])
    assert_type(error.retry_after, float | None)
    assert_type(error.body, bytes)
    assert_type(error.headers, MultiMapping[str] | None)
    assert_type(error.request_info, aiohttp.RequestInfo)
    every_error(error, aiohttps)


def every_error(error: resilient.ResilientError, same: Exception) -> None:
    assert_type(error.attempts, tuple[resilient.Attempt, ...])
    assert_type(error.stop_reason, str | None)
    assert_type(error.stop_code, resilient.Reason | None)


def configuration() -> None:
    try:
        resilient.Policy(total_timeout=-1)
    except resilient.ConfigError as error:
        value_error: ValueError = error
        assert_type((error.where, error.given), tuple[str | None, str | None])
        assert_type((error.allowed, error.file), tuple[str | None, str | None])
        assert_type(error.problems, tuple[resilient.ConfigError, ...])
        every_error(error, value_error)
    warning: UserWarning = resilient.PipelineWarning("an order that makes no sense")
    warnings.warn(warning, stacklevel=2)


# -- resilient.testing: servers.


def by_path(received: resilient.testing.Received) -> resilient.testing.Answer:
    return resilient.testing.Reply(404) if received.path == "/" else resilient.testing.Hang()


async def late(received: resilient.testing.Received) -> resilient.testing.Answer:
    return resilient.testing.Delayed(1, by_path(received))


class EveryOther(resilient.testing.Chooser):
    """A chooser of the user's own."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, received: resilient.testing.Received) -> resilient.testing.Answer:
        self.count += 1
        return resilient.testing.Reply(503 if self.count % 2 else 200)


def steps() -> list[resilient.testing.Step]:
    reply = resilient.testing.Reply(503, json={"error": "busy"}, headers={"Retry-After": "1"})
    assert_type(reply.status, int)
    assert_type(reply.headers, tuple[tuple[str, str], ...])
    return [
        reply,
        resilient.testing.Reply(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
        resilient.testing.Reset("accept"),
        resilient.testing.Disconnect("body", reply=reply),
        resilient.testing.Hang(5, after="head"),
        resilient.testing.Malformed(b"not HTTP"),
    ]


def answers() -> list[resilient.testing.Answer]:
    resilient.testing.Limit("10/s", per="account", accounts={"Bearer a": "acme"})
    resilient.testing.Limit("10/s", per="account", accounts=lambda credential: credential[-1])
    resilient.testing.Limit("1000/h", per="credential", credential="X-Api-Key", window=True)
    bucket = resilient.testing.Limit(
        "300/min", per="route", burst=20, hints=["Retry-After", "RateLimit"]
    )
    assert_type((bucket.rate, bucket.burst, bucket.window), tuple[str, int | None, bool])
    mixture = resilient.testing.Mixture(
        {resilient.testing.Reply(503): 0.1}, otherwise=bucket, seed=1
    )
    assert_type(mixture.drawn, list[int])
    period = resilient.testing.Period(5, 10, since="first_request")
    assert_type(period.covers(7), bool)
    outage = resilient.testing.Outage(period, during=resilient.testing.Reset(), then=mixture)
    brown_out = resilient.testing.BrownOut(0.02, workers=4, capacity=100, then=outage)
    return [*steps(), by_path, late, EveryOther(), bucket, mixture, outage, brown_out]


async def servers(context: ssl.SSLContext) -> None:
    async with resilient.testing.FaultServer(
        *answers(),
        then=resilient.testing.Reply(),
        port=8080,
        ssl=context,
        offline=[resilient.testing.Period(1, 2)],
    ) as server:
        assert_type(server, resilient.testing.FaultServer)
        assert_type(server.url, URL)
        server.script(resilient.testing.Reply(503), by_path)
        server.route("/meetings", late, then=resilient.testing.Reply(404))
        await server.wait_for(hits=2)
        assert_type(server.hits, int)
        assert_type(server.requests, Sequence[resilient.testing.Received])
        assert_type(server.malformed, Sequence[resilient.testing.Unparsable])
        assert_type(server.malformed[0].reason, str)
        assert_type(server.stats(), resilient.testing.Stats)
        assert_type(server.stats().statuses, Mapping[int, int])
        received = server.requests[0]
        assert_type((received.method, received.path), tuple[str, str])
        assert_type(received.headers, CIMultiDictProxy[str])
        assert_type((received.body, received.complete), tuple[bytes, bool])
        await server.stop_listening()
        await server.resume_listening()


def make_context() -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def server_processes() -> None:
    with resilient.testing.FaultServerProcess(
        *answers(), ssl=make_context, record=True, loop_factory=asyncio.new_event_loop
    ) as server:
        assert_type(server, resilient.testing.FaultServerProcess)
        assert_type((server.url, server.pid), tuple[URL, int])
        assert_type(server.requests(), list[resilient.testing.Received])
        assert_type(server.stats(), resilient.testing.Stats)


# -- resilient.testing: handlers and mocks.


async def offline(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """A middleware in the place of the network."""
    reply = resilient.testing.Reply(503)
    return await resilient.testing.make_response(request, reply, clock=SlowClock())


async def handlers() -> None:
    handler = resilient.testing.ScriptedHandler(resilient.testing.FakeClock())
    handler.expect("GET", "https://api.example/meetings").reply(503, headers={"Retry-After": "1"})
    handler.expect(url=URL("/meetings")).reply(resilient.testing.Reply())
    handler.expect().fail(aiohttp.ServerDisconnectedError)
    handler.expect().call(lambda received: resilient.testing.Reply(json=received.path))
    handler.expect().hang()
    one = await handler.run(resilient.Retry(), "GET", "https://api.example/meetings")
    several = await handler.run([resilient.Pipeline(), auth], "POST", "https://a.example", json={})
    assert_type((one, several), tuple[ClientResponse, ClientResponse])
    assert_type(handler.requests, list[resilient.testing.Received])
    handler.assert_done()
    innermost: ClientMiddlewareType = handler
    aiohttp.ClientSession(middlewares=[resilient.Pipeline(), innermost, offline])


def mocks() -> None:
    with resilient.testing.aioresponses(passthrough=["http://127.0.0.1"]) as mock:
        assert_type(mock, resilient.testing.aioresponses)
        mock.get("https://api.example/meetings", status=503)
        mock.post(re.compile(r"^https://api\.example/.*$"), callback=callback, repeat=True)
        assert_type(mock.received, list[resilient.testing.Received])
        mock.assert_called_once()
    assert_type(mocked(), str)


def callback(url: URL, **options: object) -> resilient.testing.CallbackResult:
    return resilient.testing.CallbackResult(status=200, payload={"url": str(url), **options})


@resilient.testing.aioresponses()
def mocked(mock: resilient.testing.aioresponses) -> str:
    mock.get("https://api.example/meetings")
    return "done"


# -- resilient.testing: time, and what happened.


def clocks() -> list[resilient.Clock]:
    fake = resilient.testing.FakeClock(
        100, draw=0.25, today=datetime(2026, 1, 1, tzinfo=UTC), auto_advance=False
    )
    fake.advance(30)
    assert_type(fake.sleeps, list[float])
    assert_type((fake.sleepers, fake.timers), tuple[int, int])
    return [fake, resilient.testing.LoopClock(draw=lambda: 0.0), SlowClock()]


async def scenario() -> float:
    clock = resilient.testing.FakeClock()
    await clock.wait_for_sleepers(2)
    return asyncio.get_running_loop().time()


def virtual_time() -> None:
    assert_type(resilient.testing.run_in_virtual_time(scenario()), float)
    with asyncio.Runner(loop_factory=resilient.testing.VirtualTimeLoop) as runner:
        try:
            assert_type(runner.run(scenario()), float)
        except resilient.testing.DeadlockError as error:
            assert_type(error, resilient.testing.DeadlockError)


def event_logs() -> None:
    log = resilient.testing.EventLog()
    resilient.Pipeline(listeners=[log])
    log.assert_outcomes(503, "ServerDisconnectedError", 200)
    log.assert_waited(0.5, 1)
    log.assert_refused(by="breaker")
    log.assert_opened("https://api.example")
    log.assert_states("open", "half_open", "closed")
    log.assert_held(by="throttle", reason="the server asks")
    log.assert_no_holds(by="bulkhead")
    log.assert_turns(50, by="throttle")
    log.assert_no_refusals()
    log.assert_gate_closed("https://api.example", part="GET /meetings")
    log.assert_gates("closed", "open", key="https://api.example")
    assert_type(list(log), list[resilient.Event])
    assert_type(log.attempts, list[resilient.AttemptEvent])
    assert_type(log.waits, list[resilient.WaitEvent])
    assert_type(log.refusals, list[resilient.RefusalEvent])
    assert_type(log.transitions, list[resilient.TransitionEvent])
    assert_type(log.holds, list[resilient.HoldEvent])
    assert_type(log.turns, list[resilient.TurnEvent])
    assert_type(log.gates, list[resilient.ThrottleEvent])
