"""The far side of `Worker`: commands that come over a pipe, and their answers."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
from io import FileIO
from typing import IO, Any, Self

from attrs import define

from resilient.errors import ConfigError, ResilientError

__all__ = ["Pipe"]


@define(eq=False)
class Pipe:
    """Reads commands, and answers each with whether it failed, and a value or an exception."""

    _commands: IO[bytes]
    _answers: FileIO
    # Whose callables cross it, for when one does not.
    _what: str

    @classmethod
    def of_this_process(cls, what: str) -> Self:
        """The pipe that `Worker` has made; the standard output is for answers alone from now on."""
        # Without a buffer, which would complain at its end if nobody is there any more.
        answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        # What callables print is no answer; where there is no standard error, it goes nowhere.
        elsewhere = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else sys.stderr.fileno()
        os.dup2(elsewhere, sys.stdout.fileno())
        return cls(sys.stdin.buffer, answers, what)

    def read(self) -> Any:
        """The next command.

        Raises:
            EOFError: There will be none: the parent is gone, or wants no more.
            ConfigError: It cannot be imported here.
        """
        # A frame in a frame: what cannot be imported here does not spoil what comes after it.
        frame = pickle.load(self._commands)  # noqa: S301 (by a process of ours)
        try:
            return pickle.loads(frame)  # noqa: S301 (the same)
        except Exception as error:
            raise ConfigError(
                f"a callable of {self._what} must stand in a module that its process can "
                f"import, so not in __main__: {error}"
            ) from None

    def answer(self, value: Any, *, failed: bool = False) -> None:
        """Say what came of a command."""
        with contextlib.suppress(OSError):  # nobody is there any more
            left = memoryview(pickle.dumps((failed, _portable(value) if failed else value)))
            while left:
                left = left[self._answers.write(left) :]


def _portable(error: Exception) -> Exception:
    """The exception with where it came from, or one that says the same and pickles."""
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    except Exception:  # whatever the user's exceptions do
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, OSError | ResilientError):  # those say all in a line
        where = "".join(traceback.format_exception(error))
        copy.add_note(f"In the other process:\n{where}")
    return copy
