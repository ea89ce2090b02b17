"""Read commands and write answers in the process that a `Worker` has started."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import sys
import traceback
from io import FileIO
from typing import IO, Any, Self

from attrs import define

from resilient.errors import ConfigError, ResilientError

__all__ = ["Pipe", "dumps"]


class _Pickler(pickle.Pickler):
    """Pickle a class by the module that has it, where it names one that has not.

    The exception of `pytest.fail` says that it is from `builtins`.
    """

    def reducer_override(self, obj: Any) -> Any:
        """Return how to find such a class, or leave the object to pickle."""
        if isinstance(obj, type) and not _has(obj.__module__, obj):
            for module in list(sys.modules):
                if _has(module, obj):
                    return _find_class, (module, obj.__name__)
        return NotImplemented


def _has(module: str, kind: type) -> bool:
    # Not getattr: some modules import what they are asked for.
    return getattr(sys.modules.get(module), "__dict__", {}).get(kind.__name__) is kind


def _find_class(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def dumps(value: object) -> bytes:
    """Pickle a value, also if it is an exception of pytest's.

    Raises:
        Exception: It does not pickle.
    """
    with io.BytesIO() as file:
        _Pickler(file).dump(value)
        return file.getvalue()


@define(eq=False)
class Pipe:
    """Read commands, and answer each with a value or an exception."""

    _commands: IO[bytes]
    _answers: FileIO
    # The owner of the callables that cross the pipe, for error messages.
    _what: str

    @classmethod
    def of_this_process(cls, what: str) -> Self:
        """Take over the pipe that `Worker` has made.

        From now on the standard output is for answers alone: whatever else is written there
        goes to the standard error.

        Args:
            what: The owner of the callables that cross the pipe, for error messages.
        """
        # Without a buffer, which would complain at its end if nobody is there any more.
        answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        # Where there is no standard error, output of callables goes nowhere.
        elsewhere = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else sys.stderr.fileno()
        os.dup2(elsewhere, sys.stdout.fileno())
        return cls(sys.stdin.buffer, answers, what)

    def read(self) -> Any:
        """Return the next command.

        Raises:
            EOFError: There will be none: the parent is gone, or wants no more.
            ConfigError: The command names what cannot be imported here.
        """
        # In a frame of its own, a command that cannot be imported here spoils no later one.
        frame = pickle.load(self._commands)  # noqa: S301 (by a process of ours)
        try:
            return pickle.loads(frame)  # noqa: S301 (the same)
        except BaseException as error:  # a module may skip or exit when it is imported
            raise ConfigError(
                f"a callable of {self._what} must stand in a module that its process can "
                f"import, so not in __main__: {_in_words(error)}"
            ) from None

    def answer(self, value: Any, *, failed: bool = False) -> None:
        """Answer a command.

        Args:
            value: The value, or the exception if it failed.
            failed: Whether the command failed.
        """
        answer = dumps((failed, _portable(value) if failed else value))
        with contextlib.suppress(OSError):  # nobody is there any more
            left = memoryview(pickle.dumps(answer))
            while left:
                left = left[self._answers.write(left) :]


def _portable(error: BaseException) -> BaseException:
    """Return a copy of an exception that pickles and says where it came from."""
    try:
        copy: Any = pickle.loads(dumps(error))  # noqa: S301 (our own)
    except BaseException:  # whatever the user's exceptions do
        copy = None
    if type(copy) is not type(error):
        kind = RuntimeError if isinstance(error, Exception) else BaseException
        copy = kind(_in_words(error))
    if not isinstance(error, OSError | ResilientError):  # those say all in a line
        where = "".join(traceback.format_exception(error))
        copy.add_note(f"In the other process:\n{where}")
    result: BaseException = copy
    return result


def _in_words(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # whatever the user's exceptions do
        text = "(no text, as its str fails)"
    return f"{type(error).__name__}: {text}"
