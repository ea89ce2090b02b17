"""Run the server of a `FaultServerProcess`, in its process, by commands from a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from attrs import define, field, frozen

from resilient.testing.script.script import Answer
from resilient.testing.server.fault_server import FaultServer
from resilient.testing.server.pipe import Pipe

__all__ = ["Setup", "main"]

# Seconds between two looks whether the parent is still there. Its end of the pipe does not
# tell: processes that it has forked may hold that open.
_LOOK = 0.5

# Seconds to end in good order once the parent is gone.
_GRACE = 1.0


@frozen
class Setup:
    """Hold the arguments of the server on their way to its process."""

    steps: tuple[Answer, ...]
    options: dict[str, Any]
    ssl: Callable[[], SSLContext] | None
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None

    def server(self) -> FaultServer:
        """Make the server."""
        ssl = None if self.ssl is None else self.ssl()
        return FaultServer(*self.steps, **self.options, ssl=ssl)


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    Child(Pipe.of_this_process("FaultServerProcess")).run()
    # Not by way of the interpreter's own end, which may find the thread in the midst of a read.
    sys.stderr.flush()
    os._exit(0)


@define(eq=False)
class Child:
    """Carry commands out, and answer each."""

    _pipe: Pipe
    _parent: int = field(factory=os.getppid, init=False)
    _ended: asyncio.Event = field(factory=asyncio.Event, init=False)

    def run(self) -> None:
        """Serve, and answer the last command when that is over."""
        try:
            setup: Setup = self._pipe.read()
            with asyncio.Runner(loop_factory=setup.loop_factory) as runner:
                runner.run(self._serve(setup))
        except BaseException as error:  # of the server, or of the user's code
            self._pipe.answer(error, failed=True)
        else:
            self._pipe.answer(None)

    async def _serve(self, setup: Setup) -> None:
        async with setup.server() as server:
            self._pipe.answer(server.url)
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._obey, args=(server, loop), daemon=True).start()
            while not self._ended.is_set() and os.getppid() == self._parent:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), _LOOK)

    def _obey(self, server: FaultServer, loop: asyncio.AbstractEventLoop) -> None:
        """Carry commands out, in a thread, as not every event loop can read from pipes."""
        while True:
            try:
                name, args, kwargs = self._pipe.read()
                if name == "aclose":
                    break
                asked = _call(getattr(server, name), args, kwargs)
                self._pipe.answer(asyncio.run_coroutine_threadsafe(asked, loop).result())
            except EOFError:
                threading.Thread(target=_give_up, daemon=True).start()
                break
            except BaseException as error:
                self._pipe.answer(error, failed=True)
        loop.call_soon_threadsafe(self._ended.set)


async def _call(given: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = given(*args, **kwargs) if callable(given) else given
    return await result if inspect.isawaitable(result) else result


def _give_up() -> None:
    time.sleep(_GRACE)
    os._exit(1)
