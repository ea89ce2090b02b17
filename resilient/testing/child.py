"""The far side of `FaultServerProcess`: a fault server that is told what to do over a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from ssl import SSLContext
from typing import IO, Any

from attrs import define, field, frozen

from resilient.errors import ConfigError, ResilientError
from resilient.testing.script import Answer
from resilient.testing.server import FaultServer

__all__ = ["Setup", "main"]

# Seconds between two looks whether the parent is still there. Its end of the pipe is not
# enough: what it has forked may hold that open.
_LOOK = 0.5

# Seconds to end in good order once the parent is gone.
_GRACE = 1.0


@frozen
class Setup:
    """What the server is made of, over there."""

    steps: tuple[Answer, ...]
    options: dict[str, Any]
    ssl: Callable[[], SSLContext] | None
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None

    def server(self) -> FaultServer:
        """Make it."""
        ssl = None if self.ssl is None else self.ssl()
        return FaultServer(*self.steps, **self.options, ssl=ssl)


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    # Ctrl-C reaches the whole group of processes; it is the parent's to say what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the script prints is no answer
    Child(sys.stdin.buffer, answers).run()
    # Not by way of the interpreter's own end, which may find the thread in the midst of a read.
    sys.stderr.flush()
    os._exit(0)


@define(eq=False)
class Child:
    """Reads commands, and answers each with whether it failed, and a value or an exception."""

    _commands: IO[bytes]
    _answers: IO[bytes]
    _parent: int = field(factory=os.getppid, init=False)
    _ended: asyncio.Event = field(factory=asyncio.Event, init=False)

    def run(self) -> None:
        """Serve, and answer the last command when that is over."""
        try:
            setup: Setup = self._read()
            with asyncio.Runner(loop_factory=setup.loop_factory) as runner:
                runner.run(self._serve(setup))
        except Exception as error:  # of the server, or of a callable of the user's
            self._answer(error, failed=True)
        else:
            self._answer(None)

    async def _serve(self, setup: Setup) -> None:
        async with setup.server() as server:
            self._answer(server.url)
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._obey, args=(server, loop), daemon=True).start()
            while not self._ended.is_set() and os.getppid() == self._parent:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), _LOOK)

    def _obey(self, server: FaultServer, loop: asyncio.AbstractEventLoop) -> None:
        """Carry commands out, in a thread: pipes do not go with every event loop."""
        while True:
            try:
                name, args, kwargs = self._read()
                if name == "aclose":
                    break
                asked = _call(getattr(server, name), args, kwargs)
                self._answer(asyncio.run_coroutine_threadsafe(asked, loop).result())
            except EOFError:
                threading.Thread(target=_give_up, daemon=True).start()
                break
            except Exception as error:
                self._answer(error, failed=True)
        loop.call_soon_threadsafe(self._ended.set)

    def _read(self) -> Any:
        # A frame in a frame: what cannot be imported here does not spoil what comes after it.
        frame = pickle.load(self._commands)  # noqa: S301 (by a process of ours)
        try:
            return pickle.loads(frame)  # noqa: S301 (the same)
        except Exception as error:
            raise ConfigError(
                "a callable of FaultServerProcess must stand in a module that its process can "
                f"import, so not in __main__: {error}"
            ) from None

    def _answer(self, value: Any, *, failed: bool = False) -> None:
        with contextlib.suppress(OSError):  # nobody is there any more
            self._answers.write(pickle.dumps((failed, _portable(value) if failed else value)))
            self._answers.flush()


async def _call(given: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = given(*args, **kwargs) if callable(given) else given
    return await result if inspect.isawaitable(result) else result


def _portable(error: Exception) -> Exception:
    """The exception with where it came from, or one that says the same and pickles."""
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    except Exception:  # whatever the user's exceptions do
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, OSError | ResilientError):  # those say all in a line
        where = "".join(traceback.format_exception(error))
        copy.add_note(f"In the server's process:\n{where}")
    return copy


def _give_up() -> None:
    time.sleep(_GRACE)
    os._exit(1)
