"""What the middlewares cost: `python -m benchmarks.overhead`.

Everything is a ratio against a baseline of the same run: medians of interleaved rounds,
with the spread (the quartiles) beside them. "do nothing" is one pass-through middleware,
in a chain that aiohttp builds for each call, around a handler that returns at once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, web
from aiohttp.client_middlewares import build_client_middlewares
from attrs import frozen
from yarl import URL

import resilient
from resilient.breaker.machine import Machine
from resilient.outcome import Verdict

Call = Callable[[], Awaitable[object]]


@frozen
class Row:
    """One measured figure, and what it is to be."""

    what: str
    value: float
    low: float
    high: float
    unit: str
    target: str


async def pass_through(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


async def rounds(calls: dict[str, Call], count: int, repeat: int) -> dict[str, list[float]]:
    """Seconds per call of each, by round; the rounds are interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            gc.collect()
            gc.disable()
            began = time.perf_counter()
            for _ in range(count):
                await call()
            taken[name].append((time.perf_counter() - began) / count)
            gc.enable()
    return taken


def ratio(taken: dict[str, list[float]], what: str, base: str, target: str, label: str = "") -> Row:
    values = sorted(a / b for a, b in zip(taken[what], taken[base], strict=True))
    low, middle, high = statistics.quantiles(values, n=4)
    return Row(label or what, middle, low, high, "x", target)


def difference(taken: dict[str, list[float]], what: str, base: str, target: str) -> Row:
    values = sorted((a - b) * 1e6 for a, b in zip(taken[what], taken[base], strict=True))
    low, middle, high = statistics.quantiles(values, n=4)
    return Row(what, middle, low, high, "us", target)


async def in_process(session: aiohttp.ClientSession, count: int, repeat: int) -> list[Row]:
    """The chain alone, with no socket."""
    url = URL("http://api.example/meetings")
    loop = asyncio.get_running_loop()
    request = ClientRequest("GET", url, loop=loop, session=session)
    async with session.get(session_url(session)) as response:
        await response.read()

    async def at_once(_: ClientRequest) -> ClientResponse:
        return response

    async def suspends(_: ClientRequest) -> ClientResponse:
        await asyncio.sleep(0)
        return response

    def chain(handler: ClientHandlerType, *middlewares: aiohttp.ClientMiddlewareType) -> Call:
        def call() -> Awaitable[object]:
            return build_client_middlewares(handler, middlewares)(request)

        return call

    parts: dict[str, aiohttp.ClientMiddlewareType] = {
        "Deadline": resilient.Deadline(100),
        "Retry": resilient.Retry(),
        "CircuitBreaker": resilient.CircuitBreaker(),
        "NormalizeErrors": resilient.NormalizeErrors(),
        "AttemptTimeout": resilient.AttemptTimeout(30),
        "whole pipeline": resilient.Pipeline(),
    }
    calls = {"do nothing": chain(at_once, pass_through)}
    calls |= {name: chain(at_once, part) for name, part in parts.items()}
    calls |= {
        "do nothing, suspending": chain(suspends, pass_through),
        "whole pipeline, suspending": chain(suspends, resilient.Pipeline()),
    }

    class Refused(Exception):
        def __init__(self, key: object, seconds: float) -> None:
            self.key = key
            self.seconds = seconds

    async def raising(_: ClientRequest) -> ClientResponse:
        raise Refused("key", 1.0)

    async def raise_and_catch() -> None:
        try:
            await raising(request)
        except Refused:
            return

    def refused(middleware: aiohttp.ClientMiddlewareType) -> Call:
        async def call() -> None:
            try:
                await middleware(request, at_once)
            except resilient.CircuitOpenError:
                return

        return call

    breaker, pipeline = resilient.CircuitBreaker(), resilient.Pipeline()
    breaker.circuit(url).isolate()
    pipeline.breaker.circuit(url).isolate()
    calls |= {
        "raise and catch": raise_and_catch,
        "refused by a breaker": refused(breaker),
        "refused in the pipeline": refused(pipeline),
    }
    taken = await rounds(calls, count, repeat)
    return [
        *(ratio(taken, name, "do nothing", "") for name in parts if name != "whole pipeline"),
        ratio(taken, "whole pipeline", "do nothing", "at most 10"),
        difference(taken, "whole pipeline, suspending", "do nothing, suspending", "at most 4"),
        ratio(taken, "refused by a breaker", "raise and catch", "at most 3"),
        ratio(taken, "refused in the pipeline", "raise and catch", "at most 8"),
    ]


def session_url(session: aiohttp.ClientSession) -> URL:
    base = session._base_url
    assert base is not None
    return base


async def on_a_socket(session: aiohttp.ClientSession, callers: int, repeat: int) -> Row:
    """Requests per second on a real socket, against bare aiohttp."""
    wrapped = resilient.wrap(session)
    each = 2_000 // callers

    async def caller(client: aiohttp.ClientSession) -> None:
        for _ in range(each):
            async with client.get("ok") as response:
                await response.read()

    values = []
    for _ in range(repeat):
        speed = []
        for client in (session, wrapped):
            began = time.perf_counter()
            await asyncio.gather(*(caller(client) for _ in range(callers)))
            speed.append(each * callers / (time.perf_counter() - began))
        values.append(speed[1] / speed[0])
    await wrapped.close()
    low, middle, high = statistics.quantiles(values, n=4)
    what = f"requests/s, {callers} at once, against bare aiohttp"
    return Row(what, middle, low, high, "x", "at least 0.95" if callers > 1 else "")


def memory(busy: bool) -> Row:
    """Bytes of one circuit."""
    policy = resilient.BreakerPolicy()
    kept = []
    number = 2_000
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for index in range(number):
        machine = Machine(policy)
        if busy:
            for step in range(30):
                now = 1000.0 + index + step
                permit, _change = machine.admit(now)
                machine.record(permit, Verdict.TRANSIENT if step % 4 == 0 else Verdict.SUCCESS, now)
        kept.append(machine)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = (after - before) / number
    what = f"a {'busy' if busy else 'idle'} circuit"
    return Row(what, size, size, size, "bytes", f"at most {600 if busy else 200}")


def import_time(repeat: int) -> Row:
    """What `import resilient` adds to `import aiohttp`, by the interpreter's own count."""

    def measure(code: str) -> float:
        code = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        return float(subprocess.check_output([sys.executable, "-c", code]))

    measure("import aiohttp, resilient")
    values = []
    for _ in range(repeat):
        bare = measure("import aiohttp")
        values.append((measure("import aiohttp, resilient") / bare - 1) * 100)
    low, middle, high = statistics.quantiles(values, n=4)
    return Row("import, added to aiohttp's", middle, low, high, "%", "at most 8")


async def dead_server(calls: int, *, breaker: bool) -> Row:
    """Requests that reach a server that only says 503, with three attempts each."""
    hits = 0

    async def handle(_: web.BaseRequest) -> web.Response:
        nonlocal hits
        hits += 1
        return web.Response(status=503)

    policy = resilient.Policy(
        retry=resilient.RetryPolicy(backoff=resilient.Backoff(base=0.001, cap=0.002)),
        breaker=resilient.BreakerPolicy() if breaker else None,
    )
    async with serving(handle) as url, aiohttp.ClientSession() as session:
        client = resilient.wrap(session, resilient.Pipeline(policy))

        async def call() -> None:
            try:
                async with client.get(url):
                    pass
            except resilient.ResilientError:
                pass

        for _ in range(calls // 20):
            await asyncio.gather(*(call() for _ in range(20)))
    value = hits / calls
    if breaker:
        return Row("requests in all, dead server, breaker", hits, hits, hits, "", "at most 43")
    return Row("requests per call, dead server", value, value, value, "", "at most 1.1")


class serving:  # noqa: N801 (used as a function)
    """A server in this process."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._runner = web.ServerRunner(web.Server(handle))

    async def __aenter__(self) -> URL:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return URL.build(scheme="http", host=host, port=port, path="/")

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def measure(quick: bool) -> list[Row]:
    count, repeat = (2_000, 5) if quick else (20_000, 15)

    async def ok(_: web.BaseRequest) -> web.Response:
        return web.Response(text="ok")

    rows = []
    async with serving(ok) as url, aiohttp.ClientSession(url) as session:
        rows += await in_process(session, count, repeat)
        rows.append(await on_a_socket(session, 1, repeat))
        rows.append(await on_a_socket(session, 64, repeat))
    rows += [memory(busy=False), memory(busy=True), import_time(repeat)]
    rows.append(await dead_server(400, breaker=False))
    rows.append(await dead_server(400, breaker=True))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.overhead")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    print(f"CPython {platform.python_version()}, aiohttp {aiohttp.__version__}")
    for row in asyncio.run(measure(quick)):
        spread = f"({row.low:.2f} to {row.high:.2f})"
        print(f"{row.what:48} {row.value:8.2f} {row.unit:5} {spread:22} {row.target}")


if __name__ == "__main__":
    main()
