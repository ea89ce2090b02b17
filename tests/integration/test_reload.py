"""A reload under traffic: nothing that is under way ends, and who waits is asked anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import watchfiles

import resilient
from resilient import Bulkhead, Services, load_services, watch_services
from resilient.testing import EventLog, FaultServer, Reply, run_in_virtual_time

OFF: dict[str, Any] = {"retry": False, "breaker": False, "throttle": False, "total_timeout": 1000}


def document(server: FaultServer, **settings: Any) -> dict[str, Any]:
    return {
        "services": {"a": {"match": str(server.url), **OFF, "attempt_timeout": False, **settings}}
    }


Play = Callable[[FaultServer, Services, aiohttp.ClientSession], Awaitable[None]]


def play(settings: dict[str, Any], then: Any, scenario: Play) -> EventLog:
    """Run a scenario in virtual time, under services with these settings."""
    log = EventLog()

    async def run() -> None:
        async with FaultServer(then=then) as server, aiohttp.ClientSession(server.url) as plain:
            services = load_services(document(server, **settings), listeners=[log])
            await scenario(server, services, resilient.wrap(plain, services))

    run_in_virtual_time(run())
    return log


async def call(session: aiohttp.ClientSession) -> float:
    """The second at which a call has its answer."""
    async with session.get("/") as response:
        assert response.status == 200
    return asyncio.get_running_loop().time()


SLOW = Reply(200, delay=10)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        # One place, of which two others wait; then three.
        ({"bulkhead": {"max_concurrent": 1}}, {"bulkhead": {"max_concurrent": 3}}, [10, 11, 11]),
        # The new one has one, and does not count what the old one let through.
        ({"bulkhead": {"max_concurrent": 1}}, {"bulkhead": {"max_concurrent": 1, "max_wait": 90}},
         [10, 11, 21]),
        # None at all.
        ({"bulkhead": {"max_concurrent": 1}}, {"bulkhead": False}, [10, 11, 11]),
        # A declared limit that goes, or is wider.
        ({"throttle": {"limit": "1/min", "max_wait": 900}}, {"throttle": False}, [10, 11, 11]),
        ({"throttle": {"limit": "1/min", "max_wait": 900}},
         {"throttle": {"limit": "100/s", "burst": 9}}, [10, 11, 11]),
        # What did not change keeps its queue.
        ({"bulkhead": {"max_concurrent": 1}},
         {"bulkhead": {"max_concurrent": 1}, "max_waiting": 5}, [10, 20, 30]),
        # One guard of two: those that wait at the other keep their place.
        ({"throttle": {"limit": "100/s", "burst": 9}, "bulkhead": {"max_concurrent": 1}},
         {"throttle": {"limit": "99/s", "burst": 9}, "bulkhead": {"max_concurrent": 1}},
         [10, 20, 30]),
    ],
)  # fmt: skip
def test_who_waits_in_a_queue_that_goes_is_asked_anew(
    before: dict[str, Any], after: dict[str, Any], seconds: list[int]
) -> None:
    async def scenario(
        server: FaultServer, services: Services, session: aiohttp.ClientSession
    ) -> None:
        began = asyncio.get_running_loop().time()
        calls = [asyncio.create_task(call(session)) for _ in range(3)]
        await asyncio.sleep(1)
        assert server.hits == 1
        room = (services["a"].find(Bulkhead) or services["a"].throttle).room
        services.reload(document(server, **after))
        ended = [each - began for each in await asyncio.gather(*calls)]
        assert sorted(map(round, ended)) == seconds
        assert server.hits == 3
        assert room.taken == 0

    settings = {"total_timeout": False, **before}
    after["total_timeout"] = False
    play(settings, SLOW, scenario)


def test_who_waits_for_an_open_circuit_passes_when_the_breaker_goes() -> None:
    breaker = {"consecutive_failures": 1, "open_for": 50, "max_open_for": 50, "patience": 100}

    async def scenario(
        server: FaultServer, services: Services, session: aiohttp.ClientSession
    ) -> None:
        with pytest.raises(resilient.ServiceUnavailableError):
            await call(session)
        waiting = [asyncio.create_task(call(session)) for _ in range(3)]
        await asyncio.sleep(1)
        assert services["a"].breaker.circuits[0].waiting == 3
        began = asyncio.get_running_loop().time()
        services.reload(document(server))
        assert [each - began for each in await asyncio.gather(*waiting)] == [0, 0, 0]

    first = [Reply(503)]

    def then(*_: Any) -> Reply:
        return first.pop() if first else Reply(200)

    play({"breaker": breaker}, then, scenario)


@pytest.mark.parametrize(
    ("after", "holds_others"),
    [
        ({"throttle": {"max_wait": 50}}, True),
        ({"throttle": {"limit": "100/s"}, "retry": {"max_attempts": 3}}, True),
        ({"throttle": False}, False),
    ],
)
def test_nobody_calls_before_the_time_that_the_server_has_named(
    after: dict[str, Any], holds_others: bool
) -> None:
    async def scenario(
        server: FaultServer, services: Services, session: aiohttp.ClientSession
    ) -> None:
        began = asyncio.get_running_loop().time()
        refused = asyncio.create_task(call(session))
        await asyncio.sleep(1)
        others = [asyncio.create_task(call(session))]
        await asyncio.sleep(1)
        services.reload(document(server, **{"retry": {}, **after}))
        others.append(asyncio.create_task(call(session)))
        ended = [each - began for each in await asyncio.gather(refused, *others)]
        assert ended[0] >= 10
        assert ended[1] >= 10
        assert (ended[2] >= 10) == holds_others
        # Those who waited keep their order.
        assert ended[0] < ended[1] < 20
        if holds_others:
            assert services["a"].throttle.tally() == {"gates": 1}
            # The end of the gate is told when it comes, also if no call does.
            await asyncio.sleep(200)
            assert services["a"].throttle.tally() == {"gates": 0}

    answers = [Reply(429, headers={"Retry-After": "10"})]

    def then(*_: Any) -> Reply:
        return answers.pop() if answers else Reply(200)

    play({"retry": {}, "throttle": {}}, then, scenario)


async def test_another_thread_than_that_of_the_loop_is_refused() -> None:
    async with FaultServer(then=Reply(200)) as server, aiohttp.ClientSession(server.url) as plain:
        services = load_services(document(server))
        session = resilient.wrap(plain, services)
        # Nobody uses them yet.
        await asyncio.to_thread(services.reload, document(server, total_timeout=5))
        await call(session)
        changed = document(server, total_timeout=6)
        with pytest.raises(RuntimeError, match="in the event loop of another thread"):
            await asyncio.to_thread(services.reload, changed)
        assert services.services[0].policy.total_timeout == 5
        assert services.reload(changed)
        loop = asyncio.get_running_loop()
        after = document(server, total_timeout=7)
        await asyncio.to_thread(lambda: loop.call_soon_threadsafe(services.reload, after))
        await asyncio.sleep(0)
        assert services.services[0].policy.total_timeout == 7


def test_the_quick_way_sees_new_policies_at_once() -> None:
    async def scenario(
        server: FaultServer, services: Services, session: aiohttp.ClientSession
    ) -> None:
        for _ in range(5):
            await call(session)
        services.reload(document(server, throttle={}, breaker={}, attempt_timeout=2))
        for _ in range(5):
            await call(session)
        # From now on the server answers slowly.
        slow = asyncio.create_task(call(session))
        await asyncio.sleep(1)
        services.reload(document(server, throttle={}, breaker={}, attempt_timeout=3))
        began = asyncio.get_running_loop().time()
        with pytest.raises(resilient.AttemptTimeoutError):
            await slow
        # The call under way keeps the limit that it began with, and the next one has the new.
        assert asyncio.get_running_loop().time() - began == pytest.approx(1)
        began = asyncio.get_running_loop().time()
        with pytest.raises(resilient.AttemptTimeoutError):
            await call(session)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)
        # What was under way when the policy changed has been counted by the breaker that stayed.
        assert services["a"].breaker.circuits[0].counts.failures == 2

    answers: list[Any] = []

    def then(*_: Any) -> Reply:
        answers.append(1)
        return Reply(200) if len(answers) <= 10 else SLOW

    play({"throttle": {}, "breaker": {}}, then, scenario)


async def changed(log: EventLog, count: int) -> None:
    for _ in range(500):
        if len(log.reloads) >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(log.reloads)} reloads, not {count}")


async def test_a_watcher_reloads_on_change_and_survives_a_file_that_is_wrong(
    tmp_path: Path,
) -> None:
    log = EventLog()
    file, shared = tmp_path / "resilient.toml", tmp_path / "team" / "shared.toml"
    shared.parent.mkdir()
    async with FaultServer(then=Reply(200)) as server, aiohttp.ClientSession(server.url) as plain:

        def write(timeout: str) -> None:
            # As editors do it: another file takes its place.
            new = tmp_path / "new"
            new.write_text(
                "include = ['team/shared.toml']\n[services.a]\n"
                f"match = '{server.url}'\ntotal_timeout = {timeout}\n"
            )
            new.replace(file)

        shared.write_text("[default]\nretry = false\n")
        write("5")
        services = load_services(file, listeners=[log])
        session = resilient.wrap(plain, services)
        await call(session)
        async with watch_services(services, file):
            assert log.reloads == []
            write("6")
            await changed(log, 1)
            assert log.reloads[0].changed == ("a.total_timeout",)
            write("'x'")
            await changed(log, 2)
            assert ":4:17: services.a.total_timeout must be" in log.reloads[1].problems[0]
            await call(session)
            write("7")
            await changed(log, 3)
            # A file that is included, in another folder.
            shared.write_text("[default]\nretry = {}\n")
            await changed(log, 4)
            assert log.reloads[3].changed == ("default.retry",)
            await call(session)
        assert services.services[0].policy.total_timeout == 7
        write("8")
        await asyncio.sleep(0.3)
        assert len(log.reloads) == 4
    assert [each.get_name() for each in asyncio.all_tasks() if "resilient" in each.get_name()] == []


async def test_a_cancellation_while_a_watch_ends_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services.toml"
    file.write_text("[default]\n", encoding="utf-8")
    ends = asyncio.Event()

    async def slow(*_: Any, **__: Any) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
            yield
        finally:
            ends.set()
            await asyncio.sleep(0.05)

    async def watch() -> None:
        async with watch_services(load_services(file), file):
            await asyncio.sleep(0)

    monkeypatch.setattr(watchfiles, "awatch", slow)
    task = asyncio.create_task(watch())
    await ends.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The watch itself ends a moment later.
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
