"""aioresponses, mended: mocked answers that middlewares see, with every aiohttp supported.

The package of that name puts itself in the place of aiohttp's own function for a request,
middlewares and all, so that none runs under it; and it knows no aiohttp from 3.14 on. Here
aiohttp does all of its work, and only what would go to the network is answered by the mock.

    from resilient.testing import aioresponses

    async def test_it_is_tried_again():
        with aioresponses() as m:
            m.get("https://api.example/meetings", status=503)
            m.get("https://api.example/meetings", payload={"meetings": []})
            async with aiohttp.ClientSession(middlewares=[resilient.Retry()]) as session:
                async with session.get("https://api.example/meetings") as response:
                    assert await response.json() == {"meetings": []}
            assert len(m.received) == 2

Needs the package aioresponses: pip install "resilient-aiohttp[testing]".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import ClientOSError, ClientResponse, ClientSession
from yarl import URL

from resilient.testing.mocked.call import MockedCall
from resilient.testing.mocked.upstream import (
    Aioresponses,
    CallbackResult,
    RequestCall,
    merge_params,
    normalize_url,
    passes,
)
from resilient.testing.server.received import Received

__all__ = ["CallbackResult", "aioresponses"]

_Send = Callable[..., Awaitable[ClientResponse]]

_R = TypeVar("_R")


class aioresponses(Aioresponses):  # noqa: N801 (their name)
    """`aioresponses.aioresponses`, under which middlewares run.

    It is used as theirs is, in all its ways: `passthrough`, `repeat`, callbacks, `exception`,
    and the rest. Each run of the innermost handler takes the next answer that matches, so that
    503, 503, 200 are three attempts of a `Retry`. What is different:

    - Requests are aiohttp's own, and so are redirects, cookies, timeouts and `response.url`,
      `.method` and `.request_info`. A redirect keeps its method where aiohttp keeps it; it may
      be answered by what is mocked for GET too, which is what theirs makes of each.
    - `requests` has a record of each attempt, under the URL and with the arguments that the
      code under test gave. So `assert_called_once()` fails if an attempt was repeated, and
      passes if a redirect was followed. A call that a middleware answered or refused
      without an attempt (an open circuit) is not there.
    - A callback is given the headers as middlewares have changed them.
    - What `exception` names is what middlewares meet and, if they let it out, what comes out.
      aiohttp's own second try after a connection that was stale is not played: a `FaultServer`
      has real ones.

    Attributes:
        requests: What the code under test asked for, by (method, URL).
        received: What was sent, in order, with headers and bodies as a server receives them;
            redirects included, and without what was refused or let through.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.received: list[Received] = []

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    if TYPE_CHECKING:
        # Theirs leaves these untyped, or says that a function which is decorated still wants
        # the argument that the decorator passes.

        def __call__(self, f: Callable[..., _R]) -> Callable[..., _R]:  # type: ignore[override]  # see above
            """Mock while a function runs, and pass it the mock."""

        def assert_called(self) -> None:
            """Fail if nothing was asked for."""

        def assert_called_once(self) -> None:
            """Fail if there was not just one attempt."""

        def assert_not_called(self) -> None:
            """Fail if there was an attempt."""

    async def _request_mock(
        self, orig_self: ClientSession, method: str, url: URL | str, *args: Any, **kwargs: Any
    ) -> ClientResponse:
        send: _Send = self.patcher.temp_original
        try:
            asked = normalize_url(merge_params(orig_self._build_url(url), kwargs.get("params")))
        except (TypeError, ValueError):
            # aiohttp says better what is wrong.
            return await send(orig_self, method, url, *args, **kwargs)
        if passes(self, (asked,)):
            return await send(orig_self, method, url, *args, **kwargs)
        options = {"allow_redirects": True, **kwargs}
        if orig_self.headers:
            options["headers"] = orig_self._prepare_headers(kwargs.get("headers"))
        call = MockedCall(self, self.received, method.upper(), asked, options)
        given = kwargs.get("middlewares")
        kwargs["middlewares"] = (
            call.outermost,
            *(orig_self._middlewares if given is None else given),
            call.innermost,
        )
        try:
            return await send(orig_self, method, url, *args, **kwargs)
        except ClientOSError as error:
            # aiohttp makes one of any OSError.
            if call.failure is None or error.__cause__ is not call.failure:
                raise
        raise call.failure

    def _build_request_call(self, method: str = "GET", *args: Any, **kwargs: Any) -> RequestCall:
        # Middlewares are who they are: a copy would be equal to none.
        middlewares = kwargs.pop("middlewares", None)
        call: RequestCall = super()._build_request_call(method, *args, **kwargs)
        if middlewares is not None:
            call.kwargs["middlewares"] = middlewares
        return call
