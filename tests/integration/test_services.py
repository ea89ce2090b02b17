"""`Services` over real sockets: each request under the policy of its own service."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from resilient import (
    BreakerPolicy,
    CircuitOpenError,
    NotFoundError,
    PipelineWarning,
    Retry,
    Service,
    Services,
    ServiceUnavailableError,
    attempts_of,
    load_services,
    override,
    pipeline_of,
    wrap,
)
from resilient.testing import Disconnect, EventLog, Hang, Reply
from tests.integration.service_support import attempts, localhost, two
from tests.integration.support import (
    UNDER,
    Teller,
    client,
    fault_server,
    policy,
    status_of,
    wrapped,
)
from tests.integration.test_wrap_websocket import echo_server


@UNDER
async def test_each_request_is_under_the_policy_of_its_service(under: Any) -> None:
    async with (
        fault_server(then=Reply(503)) as here,
        fault_server(then=Reply(503)) as there,
        under(two(here, there)) as session,
    ):
        for server, url, most in ((here, here.url, 2), (there, localhost(there), 4)):
            with pytest.raises(ServiceUnavailableError) as caught:
                await status_of(session, url / "v4")
            assert server.hits == len(caught.value.attempts) == most
            assert caught.value.stop_reason == f"no attempt is left of {most}"


@UNDER
async def test_one_server_by_two_names_and_by_two_paths_is_several_services(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server:
        services = Services(
            [
                Service("v3", f"{server.url}/v3", attempts(1)),
                Service("v4", f"{server.url}/v4", attempts(2)),
                Service("rest", str(server.url), attempts(3)),
                Service("other", str(localhost(server)), attempts(4)),
            ]
        )
        asked = [
            (server.url / "v3/x", 1),
            (server.url / "v4", 2),
            (server.url / "v40", 3),
            (localhost(server) / "v3", 4),
        ]
        async with under(services) as session:
            for url, most in asked:
                server.clear()
                with pytest.raises(ServiceUnavailableError):
                    await status_of(session, url)
                assert server.hits == most


@UNDER
async def test_a_call_that_passes_services_of_its_own_is_under_those(under: Any) -> None:
    theirs = Teller()
    async with fault_server(then=Reply(503)) as server:
        given = Services([Service("given", str(server.url), attempts(4))])
        async with under(theirs) as session:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url, middlewares=[given])
        assert server.hits == 4
    # What was put under the session stays, what was given to it is replaced.
    assert len(theirs.seen) == (1 if under is wrapped else 0)


@UNDER
async def test_overrides_hold_in_every_service(under: Any) -> None:
    async with (
        fault_server(then=Reply(503)) as here,
        fault_server(then=Reply(503)) as there,
        under(two(here, there)) as session,
    ):
        with override(max_attempts=3, raise_errors=False):
            for server, url in ((here, here.url), (there, localhost(there))):
                async with session.get(url) as response:
                    assert response.status == 503
                    assert len(attempts_of(response)) == 3
                assert server.hits == 3


@UNDER
async def test_a_session_with_a_base_url_is_served_by_the_whole_of_it(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server:
        services = Services(
            [
                Service("v4", f"{server.url}/v4", attempts(2)),
                Service("rest", str(server.url), attempts(3)),
            ]
        )
        async with under(services, base_url=server.url / "v4/") as session:
            for url, most in (("users", 2), ("/users", 3)):
                server.clear()
                with pytest.raises(ServiceUnavailableError):
                    await status_of(session, url)
                assert server.hits == most


@UNDER
@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_websocket_goes_through_the_pipeline_of_its_service(
    under: Any, scheme: str
) -> None:
    told = EventLog()
    async with echo_server() as url:
        services = Services([Service("live", str(url), attempts(2))], listeners=[told])
        async with (
            under(services) as session,
            session.ws_connect(url.with_scheme(scheme)) as socket,
        ):
            await socket.send_str("one")
            assert await socket.receive_str() == "echo one"
    told_of = [(event.name, event.kind) for event in told.events]
    assert told_of == [("live", "attempt"), ("live", "call")]
    async with fault_server(then=Reply(503)) as server:
        services = Services([Service("live", str(server.url), attempts(2))])
        async with under(services) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(server.url.with_scheme(scheme))
        assert server.hits == 2


@UNDER
async def test_the_breaker_of_one_service_refuses_and_no_other(under: Any) -> None:
    fragile = attempts(1, breaker=BreakerPolicy(consecutive_failures=2, patience=0))
    async with fault_server(then=Reply(503)) as server:
        services = Services(
            [
                Service("v3", f"{server.url}/v3", fragile),
                Service("v4", f"{server.url}/v4", fragile),
            ]
        )
        async with under(services) as session:
            for _ in range(2):
                with pytest.raises(ServiceUnavailableError):
                    await status_of(session, server.url / "v3")
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url / "v3")
            assert server.hits == 2
            assert services["v3"].breaker.circuit(str(server.url)).state == "open"
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url / "v4")
            services["v3"].breaker.circuit(str(server.url)).reset()
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url / "v3")


@UNDER
async def test_calls_at_once_to_many_services_leave_nothing_behind(under: Any) -> None:
    """Answers, errors, time-outs and cancellations, side by side."""
    async with fault_server() as server:
        steps: list[Any] = [Reply(503), Reply(404, body=b"x" * 100_000), Hang(), Disconnect()]
        for number, step in enumerate(steps):
            server.route(f"/{number}", then=step)
        services = Services(
            [
                Service(f"s{number}", f"{server.url}/{number}", attempts(2, attempt_timeout=most))
                for number, most in enumerate((30, 30, 0.02))
            ]
        )
        async with under(services, connector=aiohttp.TCPConnector(limit=4)) as session:

            async def one(number: int) -> str:
                try:
                    return str(await status_of(session, server.url / str(number % 5)))
                except Exception as error:
                    return type(error).__name__

            tasks = [asyncio.create_task(one(number)) for number in range(40)]
            cancelled = asyncio.create_task(status_of(session, server.url / "2"))
            await server.wait_for(hits=3)
            cancelled.cancel()
            came = {number: await task for number, task in enumerate(tasks[:5])}
            await asyncio.gather(*tasks)
            with pytest.raises(asyncio.CancelledError):
                await cancelled
    assert came == {
        0: "ServiceUnavailableError",
        1: "NotFoundError",
        2: "AttemptTimeoutError",
        3: "ServerDisconnectedError",
        4: "200",
    }


async def test_services_from_a_file_go_under_a_session_that_exists(tmp_path: Path) -> None:
    async with fault_server(then=Reply(503)) as server, fault_server() as other:
        file = tmp_path / "resilient.toml"
        file.write_text(
            f"""
            [services.mavio]
            extends = "mavio"
            match = "{server.url}"
            retry = {{ max_attempts = 2, backoff = {{ base = "1ms" }} }}
            """
        )
        services = load_services(file)
        async with client() as original, wrap(original, services) as session:
            assert pipeline_of(session)[0] is services
            assert "mavio" in str(pipeline_of(session))
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
            assert await status_of(session, other.url) == 200
        assert server.hits == 2
        counts = services["mavio"].breaker.circuit(str(server.url)).counts
        assert (counts.calls, counts.failures) == (2, 2)


async def test_services_around_or_inside_a_retry_are_warned_about_by_wrap() -> None:
    services = Services([Service("a", "http://a.example")])
    for inside, outside in ((Retry(), services), (services, Retry())):
        async with client(inside) as original:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                wrap(original, outside)
        assert any("a Retry inside a Retry" in str(each.message) for each in caught)
        assert {each.category for each in caught} == {PipelineWarning}
        assert {each.filename for each in caught} == {__file__}


@UNDER
async def test_errors_of_a_service_are_typed_by_its_own_policy(under: Any) -> None:
    async with fault_server(then=Reply(404)) as server:
        services = Services(
            [
                Service("raw", f"{server.url}/raw", policy(errors=None)),
                Service("typed", str(server.url), policy()),
            ]
        )
        async with under(services) as session:
            assert await status_of(session, server.url / "raw") == 404
            with pytest.raises(NotFoundError):
                await status_of(session, server.url / "typed")
