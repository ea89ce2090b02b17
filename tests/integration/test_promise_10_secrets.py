"""Promise 10: secrets stay out of what we log, tell, print and pickle."""

import copy
import errno
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientTimeout,
    RequestInfo,
    TooManyRedirects,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from resilient import (
    Backoff,
    BreakerPolicy,
    CircuitBreaker,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    ResilientError,
    Retry,
    attempts_of,
    pipeline_of,
)
from resilient.testing import Disconnect, FaultServer, Hang, Malformed, Reply, Reset
from resilient.testing.event_log import EventLog
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    client,
    fault_server,
    passing,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)

SECRET = "s3cr3t"

# What a server does; with each, secrets are sent in all the places where there may be any.
STEPS: dict[str, Any] = {
    "an error": Reply(404, json={"message": "no"}),
    "a busy server": Reply(503),
    "a limit": Reply(429, headers={"Retry-After": "600"}),
    "a disconnect": Disconnect(),
    "a reset": Reset(),
    "no HTTP": Malformed(),
    "a hang": Hang(),
    "a cut body": Disconnect("body", reply=Reply(500, body=b"xx")),
    "a redirect": redirect(f"/?token={SECRET}"),
}


class Attentive(logging.Handler):
    """Keeps all that records of the logger hold, formatted with their tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.said.append(self.format(record))
        fields = {name: value for name, value in vars(record).items() if name != "exc_info"}
        self.said.append(repr(fields))


@pytest.fixture
def log() -> Iterator[Attentive]:
    logger, handler = logging.getLogger("resilient"), Attentive()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


def secretly(url: URL) -> tuple[URL, dict[str, Any]]:
    """A URL and options with a secret in every place."""
    return (url / "meetings").with_user("u").with_password(SECRET).with_query(
        api_key=SECRET
    ).with_fragment(SECRET), {
        "headers": {"X-Api-Key": SECRET, "Idempotency-Key": SECRET, "X-Auth": SECRET},
        "cookies": {"sid": SECRET},
        "data": {"password": SECRET},
    }


def said_of(error: BaseException) -> Iterator[str]:
    """All that an error of ours says, by itself."""
    yield str(error)
    yield repr(error)
    yield from getattr(error, "__notes__", ())
    yield "".join(traceback.format_exception_only(error))
    yield repr(error.args)
    if isinstance(error, ResilientError):
        yield repr(error.attempts)
        yield str(error.stop_reason)
        for copied in (pickle.dumps(error, 0), pickle.dumps(error)):
            yield copied.decode("latin-1")
        yield repr(vars(copy.copy(error)))
    info = getattr(error, "request_info", None)
    if info is not None:
        yield repr(info)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("under", [client, wrapped])
async def test_no_secret_is_in_errors_events_or_records(
    under: Any, name: str, log: Attentive
) -> None:
    events = EventLog()
    keyed = retry_policy(idempotency_header="Idempotency-Key")
    quick = policy(
        attempt_timeout=5, retry=keyed, breaker=BreakerPolicy(consecutive_failures=2, patience=0)
    )
    clock = FakeClock()
    said: list[str] = []
    async with (
        fault_server(then=STEPS[name]) as server,
        under(Pipeline(quick, listeners=[events], clock=clock)) as session,
        passing(clock, server),
    ):
        url, options = secretly(server.url)
        for method in ("GET", "POST", "PUT", "GET"):
            try:
                async with session.request(method, url, **options) as response:
                    said.append(repr(attempts_of(response)))
            except ResilientError as error:
                said += said_of(error)
            except TooManyRedirects:  # aiohttp's own
                pass
        assert SECRET in repr(server.requests[0].headers)
        said += [
            str(pipeline_of(session)),
            repr(pipeline_of(session)),
            *map(repr, pipeline_of(session)),
            *map(repr, pipeline_of(session).breaker.circuits),
        ]
    said += [text for event in events.events for text in (str(event), repr(event))]
    assert events.events
    assert log.said
    for text in (*said, *log.said):
        assert SECRET not in text
        assert "u:" not in text
        assert "api_key" not in text


async def test_a_key_that_we_made_is_not_shown_either(log: Attentive) -> None:
    events = EventLog()
    keyed = retry_policy(idempotency_header="Idempotency-Key")
    async with fault_server(then=Reply(503)) as server:
        async with wrapped(Pipeline(policy(retry=keyed), listeners=[events])) as session:
            with pytest.raises(ResilientError) as caught:
                await session.post(server.url)
        key = server.requests[0].headers["Idempotency-Key"]
        assert len(server.requests) == 3
    for text in (*said_of(caught.value), *log.said, repr(events.events)):
        assert key not in text


async def test_no_secret_is_in_the_error_of_a_middleware_inside(log: Attentive) -> None:
    async def raising(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        response.raise_for_status()
        return response

    async with (
        fault_server(then=Reply(500)) as server,
        client(Pipeline.of(Pipeline(policy()), raising)) as session,
    ):
        url, options = secretly(server.url)
        with pytest.raises(ResilientError) as caught:
            await session.get(url, **options)
    for text in (*said_of(caught.value), *log.said):
        assert SECRET not in text


async def test_a_cookie_that_a_server_sets_is_not_pickled() -> None:
    reply = Reply(403, headers={"Set-Cookie": f"sid={SECRET}", "X-A": "b"})
    async with fault_server(then=reply) as server, client(Pipeline(policy())) as session:
        with pytest.raises(ResilientError) as caught:
            await status_of(session, server.url)
    for text in said_of(caught.value):
        assert SECRET not in text


def broken(*_: object, **__: object) -> Any:
    raise LookupError("a hook of the user's")


def broken_within(*_: object, **__: object) -> Any:
    try:
        return [][0]
    except IndexError as error:
        raise LookupError("a hook of the user's") from error


def broken_by_aiohttp(*_: Any) -> Any:
    url = URL(f"https://user:{SECRET}@api.example/path?api_key={SECRET}#token={SECRET}")
    try:
        headers = CIMultiDictProxy[str](CIMultiDict())
        raise ClientResponseError(RequestInfo(url, "GET", headers, url), (), status=503)
    except ClientError as error:
        raise ValueError(f"cannot judge {url}") from error


@pytest.mark.parametrize("role", ["judge", "listener", "wait generator", "parser", "key"])
@pytest.mark.parametrize("hook", [broken, broken_within, broken_by_aiohttp])
@pytest.mark.parametrize("step", [Malformed(), Hang(), Reply(503)], ids=["no HTTP", "hang", "503"])
async def test_no_secret_is_in_the_complaint_about_a_hook(
    role: str, hook: Any, step: Any, log: Attentive
) -> None:
    """A hook is asked while an exception of aiohttp's is being handled, whose text has the URL."""

    async def raising(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        response.raise_for_status()
        return response

    changes: dict[str, Any] = {"judge": hook} if role == "judge" else {}
    if role == "wait generator":
        changes = {"backoff": Backoff(wait=hook)}
    listeners = [hook] if role == "listener" else []
    made: list[Any] = [Retry(retry_policy(**changes), listeners=listeners)]
    made += [CircuitBreaker(BreakerPolicy(key=hook))] if role == "key" else []
    if role == "parser":
        made.append(NormalizeErrors(ErrorPolicy(parsers=[hook])))
    async with fault_server(then=step) as server:
        timeout = ClientTimeout(sock_read=0.01)
        async with client(*made, raising, timeout=timeout) as session:
            url, options = secretly(server.url)
            with pytest.raises(ClientError):
                await session.get(url, **options)
    asked = role in ("judge", "listener", "wait generator", "key") or isinstance(step, Reply)
    assert any("said once" in text for text in log.said) == asked
    for text in log.said:
        assert SECRET not in text


async def test_no_secret_is_in_the_error_of_an_upload_that_fails(log: Attentive) -> None:
    """What aiohttp makes of an `OSError` of the body has the whole URL for its strerror."""

    async def from_a_bad_disk() -> AsyncIterator[bytes]:
        yield b"x"
        raise OSError(errno.EIO, "Input/output error")

    events = EventLog()
    async with (
        fault_server() as server,
        wrapped(Pipeline(policy(), listeners=[events])) as session,
    ):
        url, options = secretly(server.url)
        with pytest.raises(ResilientError) as caught:
            await session.put(url, headers=options["headers"], data=from_a_bad_disk())
    assert events.events
    for text in (*said_of(caught.value), *log.said, *map(repr, events.events)):
        assert SECRET not in text


async def test_the_record_of_a_server_that_is_not_there_has_no_secret(log: Attentive) -> None:
    async with FaultServer() as server:
        url, options = secretly(server.url)
    async with wrapped(Pipeline(policy())) as session:
        with pytest.raises(ResilientError) as caught:
            await session.get(url, **options)
    for text in (*said_of(caught.value), *log.said):
        assert SECRET not in text


TOKEN = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw" + "x" * 34


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/bot123456:{TOKEN}/sendMessage", "/bot123456:***/sendMessage"),
        (f"/file/bot123456:{TOKEN}/x.jpg", "/file/bot123456:***/x.jpg"),
        (f"/services/T00000000/B00000000/{TOKEN}", "/services/T00000000/B00000000/***"),
        (f"/api/webhooks/1234567890123/{TOKEN}", "/api/webhooks/1234567890123/***"),
    ],
)
async def test_no_token_that_is_known_to_stand_in_a_path_is_shown(
    path: str, shown: str, log: Attentive
) -> None:
    events = EventLog()
    keyed = policy(
        retry=retry_policy(max_attempts=2),
        breaker=BreakerPolicy(key="origin+path:4", failures=1),
    )
    limited = Reply(429, headers={"Retry-After": "600"})
    async with fault_server(Reply(502), limited, then=Reply(503)) as server:
        url = server.url.with_path(path)
        async with wrapped(Pipeline(keyed, listeners=[events], clock=FakeClock())) as session:
            said: list[str] = []
            for method in ("GET", "GET", "POST", "PUT"):
                with pytest.raises(ResilientError) as caught:
                    await session.request(method, url)
                said += said_of(caught.value)
            assert server.requests[0].path == path
            said += [str(pipeline_of(session).snapshot()), repr(pipeline_of(session))]
        said += [text for event in events.events for text in (str(event), repr(event))]
    for text in (*said, *log.said):
        assert TOKEN not in text
    assert any(shown in text for text in said)


async def test_two_bots_have_a_circuit_each() -> None:
    pipeline = Pipeline(policy(breaker=BreakerPolicy(key="origin+path:1")))
    async with fault_server() as server, client(pipeline) as session:
        for token in (TOKEN, TOKEN.lower(), TOKEN):
            await status_of(session, server.url.with_path(f"/bot123456:{token}/getMe"))
    assert len(pipeline.breaker.circuits) == 2
