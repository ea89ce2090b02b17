"""Settings that hold for the calls that one block of code makes."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar, Token
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from resilient.support.validation import (
    at_least,
    check,
    instance,
    optional,
    positive,
    validated,
)
from resilient.telemetry.templates import is_template

__all__ = ["NO_OVERRIDE", "Override", "give_back", "override", "scope", "take_over"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Override(NamedTuple):
    """Settings for calls; None leaves a setting as the policy has it."""

    max_attempts: int | None = None
    raise_errors: bool | None = None
    total_timeout: float | None = None
    attempt_timeout: float | None = None
    idempotent: bool | None = None
    max_wait: float | None = None
    patience: float | None = None
    url_template: str | None = None

    def check(self) -> None:
        """Raise `ConfigError` for a setting that makes no sense."""
        allowed = {
            "max_attempts": at_least(1),
            "raise_errors": instance(bool, "True or False"),
            "total_timeout": positive(),
            "attempt_timeout": positive(),
            "idempotent": instance(bool, "True or False"),
            "max_wait": at_least(0.0, "seconds"),
            "patience": at_least(0.0, "seconds"),
            "url_template": check('a path such as "/meetings/{id}"', is_template),
        }
        for name, value in self._asdict().items():
            no_limit = value == math.inf and name.endswith(("_timeout", "_wait", "patience"))
            if not no_limit:
                validated(self, name, value, optional(allowed[name]))

    def over(self, other: Override) -> Override:
        """Return these settings, and those of another where these have none."""
        mine = {name: value for name, value in self._asdict().items() if value is not None}
        return other._replace(**mine)


NO_OVERRIDE: Final = Override()

# What the block of code around a call asks for, until the call has taken it over.
scope: Final[ContextVar[Override]] = ContextVar("resilient_override", default=NO_OVERRIDE)


def take_over() -> Token[Override] | None:
    """Keep the settings from the calls that middlewares make while this one is under way.

    Returns:
        A token for `give_back`; None if there are no settings.
    """
    return None if scope.get() is NO_OVERRIDE else scope.set(NO_OVERRIDE)


def give_back(token: Token[Override]) -> None:
    """Let the settings hold again for what the block of code does next."""
    _reset(token)


def _reset(token: Token[Override]) -> bool:
    """Undo a setting, if it was made in this context.

    A generator or a coroutine that is thrown away is closed in another one, which ends anyway.
    """
    try:
        scope.reset(token)
    except ValueError:
        return False
    return True


class override:  # noqa: N801 (used as `with resilient.override(...)`, and as a decorator)
    """Change settings for the calls that a block of code, or a function, makes.

        with resilient.override(max_attempts=1, raise_errors=False):
            async with session.get(url) as response: ...

        @resilient.override(idempotent=True)
        async def book(): ...

    A setting that is not given stays as it is, in a nested block too; a part that the policy
    has left out (a deadline, say) is not there to be changed. A task that is started in the
    block takes the settings along, as with every context variable.

    The settings are for the calls that the block itself makes, not for those that middlewares
    inside ours make meanwhile (for a token, say). A plain middleware that stands *outside*
    ours makes its calls before ours knows of any, so they cannot be told apart, and the
    settings reach them; under `wrap` nothing stands outside.

    Args:
        max_attempts: Attempts per hop, the first included.
        raise_errors: False hands error responses over unread.
        total_timeout: Seconds for the whole call; `float("inf")` for no limit.
        attempt_timeout: Seconds for one attempt; `float("inf")` for no limit.
        idempotent: True says that carrying these requests out twice is harmless, False that
            it is not, whatever their method, the server or a judge says.
        max_wait: Seconds that a throttle or a bulkhead may keep an attempt in its queue, in the
            place of their policies'; `float("inf")` for no limit but the deadline.
        patience: Seconds that a call may wait for an open circuit, in the place of the
            breaker's policy, however long the outage is already.
        url_template: The path of the call's target with names in the place of values, such as
            "/meetings/{id}", for its spans; metrics have it only if the policy's `templates` do.

    Raises:
        ConfigError: A value that makes no sense.
    """

    def __init__(
        self,
        *,
        max_attempts: int | None = None,
        raise_errors: bool | None = None,
        total_timeout: float | None = None,
        attempt_timeout: float | None = None,
        idempotent: bool | None = None,
        max_wait: float | None = None,
        patience: float | None = None,
        url_template: str | None = None,
    ) -> None:
        self._given = Override(
            max_attempts,
            raise_errors,
            total_timeout,
            attempt_timeout,
            idempotent,
            max_wait,
            patience,
            url_template,
        )
        self._given.check()
        # A block may be entered again inside itself, or by several tasks.
        self._tokens: list[Token[Override]] = []

    def __enter__(self) -> None:
        self._tokens.append(scope.set(self._given.over(scope.get())))

    def __exit__(self, *_: object) -> None:
        # Of several tasks that are in the block, each takes back its own.
        for place in reversed(range(len(self._tokens))):
            if _reset(self._tokens[place]):
                del self._tokens[place]
                return
        # It was entered in a context that has ended: the others' tokens stay.

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Return the function with these settings around each of its runs."""
        # A coroutine or a generator runs later than it is called.
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_P, _R]", self._around_coroutine(function))
        if inspect.isasyncgenfunction(function):
            return cast("Callable[_P, _R]", self._around_async_generator(function))
        if inspect.isgeneratorfunction(function):
            return cast("Callable[_P, _R]", self._around_generator(function))

        @functools.wraps(function)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self._again():
                made = function(*args, **kwargs)
            if inspect.iscoroutine(made):
                # A function without `async` may return a coroutine, which runs later.
                return cast("_R", self._around_coroutine(lambda: made)())
            return made

        return run

    def _again(self) -> override:
        return override(**self._given._asdict())

    def _around_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return await function(*args, **kwargs)

        return run

    # Between two items the settings must not reach whoever iterates.

    def _around_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Iterator[Any]:
            made: Generator[Any, Any, Any] = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(made.send, None)
            try:
                while True:
                    try:
                        with self._again():
                            item = step()
                    except StopIteration as end:
                        return end.value  # type: ignore[no-any-return]  # whatever it returns
                    try:
                        step = functools.partial(made.send, (yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        step = functools.partial(made.throw, error)
            finally:
                made.close()

        return run

    def _around_async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            made: AsyncGenerator[Any, Any] = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(made.asend, None)
            try:
                while True:
                    try:
                        with self._again():
                            item = await step()
                    except StopAsyncIteration:
                        return
                    try:
                        step = functools.partial(made.asend, (yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        step = functools.partial(made.athrow, error)
            finally:
                await made.aclose()

        return run
