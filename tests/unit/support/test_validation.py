"""Hooks that nobody would await are refused when they are given, in whatever form they come."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from resilient import (
    BreakerPolicy,
    ConfigError,
    ErrorPolicy,
    Pipeline,
    RetryPolicy,
)


async def hook(*_: object) -> None: ...


class Hook:
    async def __call__(self, *_: object) -> None: ...

    async def method(self, *_: object) -> None: ...


class Plain:
    def __call__(self, *_: object) -> None: ...


TAKERS: dict[str, Callable[[Any], object]] = {
    "listeners": lambda hook: Pipeline(listeners=[hook]),
    "key": lambda hook: BreakerPolicy(key=hook),
    "judge": lambda hook: RetryPolicy(judge=hook),
    "parsers": lambda hook: ErrorPolicy(parsers=[hook]),
}
AWAITABLE = {
    "function": hook,
    "method": Hook().method,
    "object": Hook(),
    "partial": partial(hook, 1),
}
# The last makes an object, as a call of any class does; to await that is nobody's business.
PLAIN = {"function": print, "object": Plain(), "partial": partial(print, 1), "class": Hook}

takers = pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)


@takers
@pytest.mark.parametrize("given", AWAITABLE.values(), ids=AWAITABLE)
def test_what_would_have_to_be_awaited_is_refused(
    take: Callable[[Any], object], given: object
) -> None:
    with pytest.raises(ConfigError, match=r"plain \(not async\)"):
        take(given)


@takers
@pytest.mark.parametrize("given", PLAIN.values(), ids=PLAIN)
def test_what_is_called_and_done_with_is_taken(
    take: Callable[[Any], object], given: object
) -> None:
    take(given)
