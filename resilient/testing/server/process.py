"""Run a fault server in a process of its own, for load tests.

In the event loop of the client, a server takes time away from the client, and a measurement
is of the two of them. So this is a `FaultServer` in another process:

    with FaultServerProcess(then=Mixture({Reply(503): 0.1})) as server:
        asyncio.run(load(server.url))
        print(server.stats())

Its arguments cross as a pickle. Steps and choosers do; a callable does by its name, so it
must stand in a module that the process can import, which a script's own `__main__` is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, cast

from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.script.outage import Period
from resilient.testing.script.script import OK, Answer
from resilient.testing.server.child import Setup
from resilient.testing.server.failures import raise_failure
from resilient.testing.server.fault_server import FaultServer
from resilient.testing.server.pipe import dumps
from resilient.testing.server.received import Received
from resilient.testing.server.records import Stats
from resilient.testing.server.worker import Worker

__all__ = ["FaultServerProcess"]


class FaultServerProcess:
    """A `FaultServer` in a process of its own, as a context manager.

    It ends with its context, and at the latest with the process that has started it,
    however that one ends. Output of its callables goes to the standard error. Each method
    blocks until the process has answered; `asyncio.to_thread` keeps that from an event loop.

    An exception that a callable raises comes out of the `with` block, as described at
    `FaultServer`, with a note of where it came from. One that does not pickle becomes a
    RuntimeError with its words, or a BaseException if it is no `Exception`.

    Args:
        *steps: As for `FaultServer`.
        then: As for `FaultServer`.
        host: As for `FaultServer`.
        port: As for `FaultServer`.
        ssl: A function that makes the context for TLS, as contexts do not pickle; None for
            plain HTTP.
        offline: As for `FaultServer`.
        record: Whether to keep requests, for `requests`; by default not.
        loop_factory: A function that makes the event loop, `uvloop.new_event_loop` for
            example; None for asyncio's own.
        timeout: Seconds that the process may take to start, or to answer a question; 30.

    Raises:
        ConfigError: An argument makes no sense, or does not pickle.
        BaseException: A callable or a chooser has raised it.
    """

    def __init__(
        self,
        *steps: Answer,
        then: Answer = OK,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: Callable[[], SSLContext] | None = None,
        offline: Iterable[Period] = (),
        record: bool = False,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        timeout: float = 30.0,
    ) -> None:
        # Arguments that make no sense are refused here, and not over there.
        options: dict[str, Any] = {
            "then": then,
            "host": host,
            "port": port,
            "offline": offline,
            "record": record,
        }
        FaultServer(*steps, **options)
        _check(ssl=ssl, loop_factory=loop_factory, timeout=timeout)
        self._timeout = timeout
        self._setup = _pickled(Setup(steps, options, ssl, loop_factory))
        self._url: URL | None = None
        self._worker: Worker | None = None

    # The script and the records.

    @property
    def url(self) -> URL:
        """Return the address of the server.

        Raises:
            RuntimeError: The server was not started.
        """
        if self._url is None:
            raise RuntimeError("the server has no port before it is started")
        return self._url

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._running().pid

    def script(self, *steps: Answer) -> None:
        """Append to the script, as `FaultServer.script`."""
        self._ask("script", *steps)

    def route(self, path: str, *steps: Answer, then: Answer = OK) -> None:
        """Give a path a script of its own, as `FaultServer.route`."""
        self._ask("route", path, *steps, then=then)

    def stats(self) -> Stats:
        """Return all counts of this moment, as `FaultServer.stats`."""
        return cast("Stats", self._ask("stats"))

    def requests(self) -> list[Received]:
        """Return the requests, if `record` is set; times are of the process's event loop."""
        return cast("list[Received]", self._ask("requests"))

    def clear(self) -> None:
        """Forget the records, as `FaultServer.clear`."""
        self._ask("clear")

    def stop_listening(self) -> None:
        """Begin an outage, as `FaultServer.stop_listening`."""
        self._ask("stop_listening")

    def resume_listening(self) -> None:
        """End an outage, as `FaultServer.resume_listening`."""
        self._ask("resume_listening")

    # Start and end.

    def start(self) -> None:
        """Start the process, and wait until it listens.

        Raises:
            OSError: The port cannot be had.
            ConfigError: The process cannot import a callable.
            RuntimeError: The process has ended, or has not answered in time.
            BaseException: `ssl` or `loop_factory` has raised it.
        """
        if self._worker is not None or self._url is not None:
            raise RuntimeError("the server can be started once")
        self._worker = Worker("resilient.testing.server.child")
        try:
            self._url = cast("URL", self._worker.exchange(self._setup, self._timeout))
        except BaseException:
            self._worker.kill()
            self._end()
            raise

    def close(self) -> None:
        """End the process; harmless when done twice.

        Raises:
            BaseException: A callable or a chooser has raised it.
            RuntimeError: The process has ended, or has not answered in time.
        """
        if self._worker is None:
            return
        try:
            self._ask("aclose")
        finally:
            self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except BaseException as failure:
            raise_failure(failure, error, "FaultServerProcess failed")

    def _running(self) -> Worker:
        if self._worker is None:
            raise RuntimeError(f"the server is {'new' if self._url is None else 'closed'}")
        return self._worker

    def _ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._running().exchange(_pickled((name, args, kwargs)), self._timeout)

    def _end(self) -> None:
        worker, self._worker = self._running(), None
        worker.end(self._timeout)


def _pickled(value: object) -> bytes:
    try:
        return dumps(value)
    except Exception as error:  # whatever the user's objects raise
        raise ConfigError(
            f"FaultServerProcess takes what pickles, so no lambda and no local function: {error}"
        ) from error


def _check(*, ssl: object, loop_factory: object, timeout: Any) -> None:
    for name, given in (("ssl", ssl), ("loop_factory", loop_factory)):
        if given is not None and not callable(given):
            raise ConfigError.of(f"FaultServerProcess.{name}", given, "None or what makes one")
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not timeout > 0:
        raise ConfigError.of("FaultServerProcess.timeout", timeout, "a positive number of seconds")
