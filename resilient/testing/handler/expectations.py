"""Describe a request that a scripted handler expects, and its answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientRequest
from attrs import define, field
from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.script.faults import Hang, Reply
from resilient.testing.script.script import OK
from resilient.testing.server.received import Received

__all__ = ["Expectation", "ScriptedAnswer"]

ScriptedAnswer = Reply | Hang | Exception
_Function = Callable[[Received], "ScriptedAnswer | Awaitable[ScriptedAnswer]"]


def _as_method(given: str | None) -> str | None:
    return None if given is None else given.upper()


def _as_url(given: str | URL | None) -> URL | None:
    if given is None:
        return None
    url = URL(given)
    name = "expect's url"
    if not url.absolute and not url.raw_path.startswith("/"):
        raise ConfigError.of(name, given, "a whole URL, or a path that begins with /")
    # aiohttp sends neither, so that a request with one could never be met.
    if "#" in str(given):
        raise ConfigError.of(
            name, given, f"a URL without fragment: {str(url.with_fragment(None))!r}"
        )
    if url.raw_user is not None or url.raw_password is not None:
        allowed = "a URL without user and password, which are sent as a header"
        raise ConfigError.of(name, str(url.with_user(None)), allowed)
    return url


@define(eq=False)
class Expectation:
    """Expect one request, and answer it: with a 200 and `{}` unless another answer is set.

    Made by `ScriptedHandler.expect`. Each of its methods sets the answer.

    Attributes:
        method: The method, or None for any.
        url: The whole URL, or its path and query, or None for any.
    """

    method: str | None = field(converter=_as_method)
    url: URL | None = field(converter=_as_url)
    _answer: ScriptedAnswer | _Function = field(default=OK, init=False)

    def reply(self, status: int | Reply = 200, **options: Any) -> None:
        """Answer with a response.

        Args:
            status: The status, or a whole `Reply`.
            **options: Those of `Reply`: `json`, `body`, `headers`, `delay` and so on.

        Raises:
            ConfigError: There can be no such reply.
        """
        if isinstance(status, Reply):
            if options:
                raise ConfigError("reply takes a Reply, or what one is made from, not both")
            self._answer = status
        else:
            self._answer = Reply(status, **options)

    def fail(self, error: Exception | type[Exception]) -> None:
        """Raise an exception, as aiohttp's transport would.

        An exception that says that no connection was made (`ClientConnectorError` and the
        like) is raised before the request is sent, any other after it. An instance is raised
        as it is, without the traceback of an earlier time.

        Args:
            error: The exception, or its class.

        Raises:
            ConfigError: It is no `Exception`.
        """
        made = error() if isinstance(error, type) else error
        if not isinstance(made, Exception):
            raise ConfigError.of("fail's error", error, "an exception")
        self._answer = made

    def hang(self) -> None:
        """Never answer.

        The connection stays open until a limit cuts the call off. On a `FakeClock` time
        passes meanwhile as in a sleep, so that the limits on that clock run out at once, or
        when the test moves it.
        """
        self._answer = Hang()

    def call(self, function: _Function) -> None:
        """Answer with the result of a function of the request, read whole.

        Args:
            function: A function that is given a `Received`, and returns a `Reply` or a
                `Hang`, or returns or raises an exception. It may be a coroutine function.
                Whatever it raises ends the call at once and comes out of it, also
                `pytest.fail` and others that are no `Exception`.

        Raises:
            ConfigError: It is no function.
        """
        if not callable(function):
            raise ConfigError.of("call's function", function, "a function of the request")
        self._answer = function

    def is_met_by(self, request: ClientRequest) -> bool:
        """Return whether a request is the one that is expected."""
        if self.method not in (None, request.method):
            return False
        if self.url is None:
            return True
        return self.url == (request.url if self.url.absolute else request.url.relative())

    @property
    def error(self) -> Exception | None:
        """Return the exception that `fail` has set, or None."""
        return self._answer if isinstance(self._answer, Exception) else None

    async def answer_to(self, received: Received) -> ScriptedAnswer:
        """Return the answer to a request.

        Raises:
            ConfigError: The function has returned what is no answer.
            BaseException: The function has raised it.
        """
        if isinstance(self._answer, ScriptedAnswer):
            return self._answer
        made = self._answer(received)
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, ScriptedAnswer):
            raise ConfigError.of(
                "what a function of ScriptedHandler returns", made, "a Reply or an exception"
            )
        return made

    @property
    def early(self) -> bool:
        """Return whether the answer comes before the body of the request is read."""
        return isinstance(self._answer, Reply) and self._answer.early

    def __str__(self) -> str:
        what = f"{self.method or 'any method'} {'any URL' if self.url is None else self.url}"
        return f"{what} -> {self._answer!r}"
