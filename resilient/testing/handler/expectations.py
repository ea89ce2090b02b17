"""What a scripted handler expects, and what it answers."""

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

__all__ = ["Expectation", "Given"]

Given = Reply | Hang | Exception
_Function = Callable[[Received], "Given | Awaitable[Given]"]


def _as_method(given: str | None) -> str | None:
    return None if given is None else given.upper()


def _as_url(given: str | URL | None) -> URL | None:
    if given is None:
        return None
    url = URL(given)
    if not url.absolute and not url.raw_path.startswith("/"):
        raise ConfigError.of("expect's url", given, "a whole URL, or a path that begins with /")
    return url


@define(eq=False)
class Expectation:
    """One request that is to come, and its answer: a 200 with `{}` unless another is given.

    Made by `ScriptedHandler.expect`. Each of its methods sets the answer.
    """

    method: str | None = field(converter=_as_method)
    url: URL | None = field(converter=_as_url)
    _answer: Given | _Function = field(default=OK, init=False)

    def reply(self, status: int | Reply = 200, **options: Any) -> None:
        """Answer with a response.

        Args:
            status: The status, or a whole `Reply`.
            **options: Those of `Reply`: `json`, `body`, `headers`, `delay` and so on.

        Raises:
            ConfigError: A reply that cannot be.
        """
        if isinstance(status, Reply):
            if options:
                raise ConfigError("reply takes a Reply, or what one is made from, not both")
            self._answer = status
        else:
            self._answer = Reply(status, **options)

    def fail(self, error: Exception | type[Exception]) -> None:
        """Raise an exception, as aiohttp's transport would.

        One of those that say that no connection was made (`ClientConnectorError` and the
        like) is raised before the request is sent, any other after it.
        """
        made = error() if isinstance(error, type) else error
        if not isinstance(made, Exception):
            raise ConfigError.of("fail's error", error, "an exception")
        self._answer = made

    def hang(self) -> None:
        """Never answer."""
        self._answer = Hang()

    def call(self, function: _Function) -> None:
        """Answer with what a function makes of the request, read whole.

        Args:
            function: Given a `Received`, it returns a `Reply` or a `Hang`, or it returns or
                raises an exception. It may be a coroutine function.
        """
        if not callable(function):
            raise ConfigError.of("call's function", function, "a function of the request")
        self._answer = function

    def met_by(self, request: ClientRequest) -> bool:
        """Whether a request is the one."""
        if self.method not in (None, request.method):
            return False
        if self.url is None:
            return True
        return self.url == (request.url if self.url.absolute else request.url.relative())

    @property
    def upfront(self) -> Exception | None:
        """The exception that it fails with, if it does."""
        return self._answer if isinstance(self._answer, Exception) else None

    async def answer_to(self, received: Received) -> Given:
        """The answer to a request."""
        if isinstance(self._answer, Given):
            return self._answer
        made = self._answer(received)
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, Given):
            raise ConfigError.of(
                "what a function of ScriptedHandler returns", made, "a Reply or an exception"
            )
        return made

    @property
    def early(self) -> bool:
        """Whether it is answered before the body of the request is read."""
        return isinstance(self._answer, Reply) and self._answer.early

    def __str__(self) -> str:
        what = f"{self.method or 'any method'} {'any URL' if self.url is None else self.url}"
        return f"{what} -> {self._answer!r}"
