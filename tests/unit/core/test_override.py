"""Settings for a block of code, or for a function."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from resilient.core.call import attach, detach
from resilient.core.override import Override, override
from resilient.errors import ConfigError


class Request:
    """As much of a request as a call looks at."""

    session = None


def request() -> Any:
    return Request()


def settings() -> Override:
    """The settings that a call which begins here is given."""
    call, token = attach(request())
    detach(call, token)
    return call.override


async def test_without_a_block_there_are_no_settings() -> None:
    assert settings() == Override()


async def test_settings_hold_in_the_block_and_not_after_it() -> None:
    with override(max_attempts=2):
        assert settings() == Override(max_attempts=2)
        with override(raise_errors=False, max_attempts=3):
            assert settings() == Override(max_attempts=3, raise_errors=False)
        assert settings() == Override(max_attempts=2)
    assert settings() == Override()


async def test_what_is_not_given_stays_as_it_is() -> None:
    with override(max_attempts=2, raise_errors=False, total_timeout=3, idempotent=False):
        with override(attempt_timeout=1):
            assert settings() == Override(2, False, 3, 1, False)
        with override():
            assert settings() == Override(2, False, 3, None, False)


async def test_settings_end_with_an_exception_too() -> None:
    with pytest.raises(LookupError), override(max_attempts=2):
        raise LookupError
    assert settings() == Override()


async def test_a_task_takes_the_settings_along_and_gives_none_back() -> None:
    async def inside() -> Override:
        with override(max_attempts=7):
            await asyncio.sleep(0)
        return settings()

    with override(max_attempts=2):
        task = asyncio.create_task(inside())
    with override(max_attempts=3):
        assert await task == Override(max_attempts=2)
        assert settings() == Override(max_attempts=3)


async def test_another_context_knows_nothing_of_the_block() -> None:
    apart = contextvars.Context()
    with override(max_attempts=2):
        assert apart.run(settings) == Override()


async def test_a_block_does_not_reach_the_call_it_stands_in() -> None:
    call, token = attach(request())
    with override(max_attempts=2):
        assert settings() == Override(max_attempts=2)
        assert call.override == Override()
    detach(call, token)


async def test_the_calls_that_middlewares_make_meanwhile_have_none_of_the_settings() -> None:
    with override(max_attempts=2):
        call, token = attach(request())
        assert call.override.max_attempts == 2
        assert settings() == Override()
        detach(call, token)
        assert settings() == Override(max_attempts=2)


async def test_tasks_may_share_a_block() -> None:
    block = override(max_attempts=2)
    entered = asyncio.Barrier(2)

    async def run(first: bool) -> Override:
        with block:
            await entered.wait()
            if first:
                await asyncio.sleep(0.001)
            found = settings()
        assert settings() == Override()
        return found

    assert tuple(await asyncio.gather(run(True), run(False))) == (Override(max_attempts=2),) * 2


# As a decorator.


class TestDecorator:
    async def test_of_a_coroutine_function(self) -> None:
        @override(max_attempts=2)
        async def run() -> Override:
            await asyncio.sleep(0)
            return settings()

        assert tuple(await asyncio.gather(run(), run())) == (Override(max_attempts=2),) * 2
        assert settings() == Override()

    async def test_of_a_function(self) -> None:
        @override(max_attempts=2)
        def run() -> Override:
            return settings()

        assert run() == Override(max_attempts=2)
        assert settings() == Override()

    async def test_of_a_generator_function_and_not_of_its_consumer(self) -> None:
        @override(max_attempts=2)
        def run() -> Iterator[Override]:
            yield settings()
            yield settings()

        for found in run():
            assert found == Override(max_attempts=2)
            assert settings() == Override()

    async def test_of_an_async_generator_function_and_not_of_its_consumer(self) -> None:
        @override(max_attempts=2)
        async def run() -> AsyncIterator[Override]:
            yield settings()
            await asyncio.sleep(0)
            yield settings()

        async for found in run():
            assert found == Override(max_attempts=2)
            assert settings() == Override()

    async def test_what_is_sent_and_thrown_into_a_generator_gets_there(self) -> None:
        @override(max_attempts=2)
        def run() -> Generator[str, str, str]:
            try:
                got = yield "first"
            except LookupError:
                return "thrown"
            yield got
            return "end"

        made = run()
        assert next(made) == "first"
        assert made.send("hello") == "hello"
        made = run()
        next(made)
        with pytest.raises(StopIteration, match="thrown"):
            made.throw(LookupError())


async def test_an_async_generator_may_be_closed_by_another_task() -> None:
    async def items() -> AsyncIterator[int]:
        with override(max_attempts=2):
            yield 1

    made: Any = items()
    assert await anext(made) == 1
    await asyncio.create_task(made.aclose())


async def test_no_limit_is_a_setting() -> None:
    with override(total_timeout=math.inf, attempt_timeout=math.inf):
        assert settings().total_timeout == math.inf


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("max_attempts", [0, -1, 1.5, True, "3", math.inf]),
        ("raise_errors", [0, 1, "no", math.inf]),
        ("idempotent", [0, "yes", math.inf]),
        ("total_timeout", [0, -1, math.nan, -math.inf, "1", True, [1]]),
        ("attempt_timeout", [0, -1, math.nan, -math.inf, "1", True, [1]]),
    ],
)
async def test_a_setting_that_makes_no_sense_is_named_with_what_is_allowed(
    name: str, wrong: list[Any]
) -> None:
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"\.{name} must be None or ") as caught:
            override(**{name: value})
        assert repr(value) in str(caught.value)
    assert settings() == Override()
