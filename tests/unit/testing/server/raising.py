"""A callable for each kind of exception, for a server's process to import."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resilient.testing import Received

__all__ = ["CANNOT_CROSS", "CROSSING", "raising"]

# Exceptions that come out as they are, by the name of their type.
CROSSING: dict[str, BaseException] = {
    type(error).__name__: error
    for error in (
        LookupError("oops"),
        AssertionError("oops"),
        pytest.fail.Exception("oops"),
        pytest.skip.Exception("oops"),
        KeyboardInterrupt("oops"),
        SystemExit(3),
        asyncio.CancelledError("oops"),
    )
}


def _strange() -> list[BaseException]:
    class Local(Exception):
        pass

    class LocalVerdict(BaseException):
        pass

    return [Local("oops"), LocalVerdict("oops")]


class Wordless(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")

    def __reduce__(self) -> Any:
        raise SystemExit


class Swapped(Exception):
    def __reduce__(self) -> Any:
        return str, ("no exception",)


class TwoArguments(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


# Exceptions that cannot.
CANNOT_CROSS: dict[str, BaseException] = {
    type(error).__name__: error
    for error in (*_strange(), Wordless(), Swapped(), TwoArguments(1, 2))
}


def raising(name: str, received: Received | None = None) -> Any:
    raise (CROSSING | CANNOT_CROSS)[name]
