"""Run another Python process that answers over a pipe in time, or is ended."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any, cast

__all__ = ["Worker"]

# Ctrl-C reaches the whole group of processes; the parent decides what comes of it. The path
# has to be known before anything of ours can be imported.
_PROGRAM = """
import importlib, pickle, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = pickle.load(sys.stdin.buffer)
importlib.import_module(sys.argv[1]).main()
"""


class Worker:
    """Run the `main` of a module in a process of its own, and exchange pickles with it.

    Commands and answers are pickles, each in a frame of its own (a pickle of bytes). An
    answer is a pair: whether the command failed, and a value or an exception. When this
    process ends, its end of the pipe is closed, and the worker has to end too.

    It is a new interpreter, and neither a fork, which would take the sockets of this process
    with it, nor multiprocessing, which would run the caller's script a second time.

    Args:
        module: The module, whose `main` uses `Pipe`.
        what: The name of the process in error messages.

    Attributes:
        pid: The number of the process.
    """

    def __init__(self, module: str, what: str = "the server's process") -> None:
        self._what = what
        self._process = subprocess.Popen(  # noqa: S603 (this Python, and a program of ours)
            [sys.executable, "-c", _PROGRAM, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        self._commands = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._lock = threading.Lock()
        self._told_path = False

    def exchange(self, command: bytes, timeout: float) -> Any:
        """Send a command, and return the answer.

        Args:
            command: The command as a pickle.
            timeout: Seconds to wait for the answer. A process that takes longer is ended.

        Raises:
            BaseException: The command has raised it over there.
            RuntimeError: The process has ended, has not answered in time, or has answered
                with what cannot be unpickled here.
        """
        with self._lock, self._limited(timeout):
            try:
                if not self._told_path:
                    self._told_path = True
                    pickle.dump(sys.path, self._commands)
                pickle.dump(command, self._commands)
                self._commands.flush()
                frame = pickle.load(self._answers)  # noqa: S301 (by a program of ours)
            except (EOFError, BrokenPipeError):
                code = self._process.wait()
                raise RuntimeError(
                    f"{self._what} has ended with code {code}; its standard error may say why"
                ) from None
            except BaseException:  # Ctrl-C, say: the pipe, with an answer in it, is of no use now
                self.kill()
                raise
        try:
            failed, value = pickle.loads(frame)  # noqa: S301 (the same)
        except Exception as error:  # whatever the user's objects raise
            raise RuntimeError(f"an answer of {self._what} cannot be read here: {error}") from error
        if failed:
            raise value
        return value

    @contextlib.contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        late = threading.Event()

        def end() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except RuntimeError as error:
            if late.is_set():
                raise RuntimeError(f"{self._what} gave no answer within {seconds:g} s") from error
            raise
        finally:
            timer.cancel()
            timer.join()  # Python warns of a fork while there are threads

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self, grace: float) -> None:
        """Close the pipe, so that the process ends; kill it after `grace` seconds."""
        with contextlib.suppress(BrokenPipeError):  # with unsent bytes, to a dead process
            self._commands.close()
        with self._process:
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
