"""Mock answers as the package aioresponses does, seen by middlewares, on every aiohttp supported.

The package of that name replaces aiohttp's own function for a request, middlewares and all,
so that none runs under it; and it does not work with aiohttp from 3.14 on. Here aiohttp does
all of its work, and the mock answers only what would go to the network.

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

import copy
import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import ClientOSError, ClientResponse, ClientSession
from yarl import URL

from resilient.testing.mocked.call import MockedCall
from resilient.testing.mocked.layers import Layer, Send
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

_R = TypeVar("_R")


class aioresponses(Aioresponses):  # noqa: N801 (their name)
    """`aioresponses.aioresponses`, under which middlewares run.

    It is used in all the ways of the original: `passthrough`, `repeat`, callbacks,
    `exception`, and the rest. Each run of the innermost handler takes the next answer that
    matches, so that 503, 503, 200 are three attempts of a `Retry`. The differences:

    - Requests are aiohttp's own, and so are redirects, cookies, timeouts and `response.url`,
      `.method` and `.request_info`. A redirect keeps its method where aiohttp keeps it; an
      answer for GET may serve it too, as the original makes a GET of each.
    - `requests` has a record of each attempt, under the URL and with the arguments that the
      code under test gave. So `assert_called_once()` fails if an attempt was repeated, and
      passes if a redirect was followed. A call that a middleware answered or refused
      without an attempt (an open circuit) is not there.
    - Records are those of one block, or of one call of a decorated function: they begin anew
      with each, and can be read when it is over.
    - A callback is given the headers as middlewares have changed them. It may take as long as
      the timeouts of the call allow, `sock_read` included.
    - Middlewares meet the very exception that `exception` names, and it comes out if they let
      it; each time without the traceback of the time before. aiohttp's own second try after
      a connection that was stale is not played: a `FaultServer` has real ones.
    - A mock may be started within another. The inner one answers first, and a request that it
      has no answer for, or lets through, goes to the outer one; both record it. They may stop
      in any order.

    Attributes:
        requests: The calls of the code under test, by (method, URL).
        received: The requests that were sent, in order, with headers and bodies as a server
            receives them; redirects included, and without those refused or let through.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.received: list[Received] = []
        self._layer: Layer[aioresponses] | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __call__(self, f: Callable[..., _R]) -> Callable[..., _R]:  # type: ignore[override]  # the original says that a decorated function still wants the argument that it passes
        """Mock while a function runs, and pass it the mock."""

        def decorated() -> Callable[..., Any]:
            mock = self
            if self._layer is not None:  # the function runs twice at once
                mock = copy.copy(self)
                mock._layer = None
            original: Callable[..., Any] = super(aioresponses, mock).__call__(f)
            return original

        if inspect.iscoroutinefunction(f):

            @wraps(f)
            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                return await decorated()(*args, **kwargs)

            return wrapped  # type: ignore[return-value]  # a coroutine function, as f is

        @wraps(f)
        def wrapped_function(*args: Any, **kwargs: Any) -> Any:
            return decorated()(*args, **kwargs)

        return wrapped_function

    def start(self) -> None:
        """Begin to mock, with no answers and no records. `with` does it, and stops too.

        Raises:
            RuntimeError: This very mock has been started already.
        """
        if self._layer is not None:
            raise RuntimeError("this mock is started already; make another one to nest them")
        self._responses = []
        self._matches = {}
        self.requests = {}
        self.received = []
        self._layer = Layer(self, _request)

    def stop(self) -> None:
        """End, and close the responses; the records stay. Harmless when done twice."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.remove()
        for response in self._responses:
            response.close()
        self.clear()

    if TYPE_CHECKING:
        # The original leaves these untyped.

        def assert_called(self) -> None:
            """Fail if there was no attempt."""

        def assert_called_once(self) -> None:
            """Fail if there was not exactly one attempt."""

        def assert_not_called(self) -> None:
            """Fail if there was an attempt."""

    def _build_request_call(self, method: str = "GET", *args: Any, **kwargs: Any) -> RequestCall:
        # A copy of a middleware would be equal to none.
        middlewares = kwargs.pop("middlewares", None)
        call: RequestCall = super()._build_request_call(method, *args, **kwargs)
        if middlewares is not None:
            call.kwargs["middlewares"] = middlewares
        return call


async def _request(
    mocks: list[aioresponses],
    send: Send,
    session: ClientSession,
    method: str,
    url: URL | str,
    *args: Any,
    **kwargs: Any,
) -> ClientResponse:
    """Send a request of a session under mocks, the innermost `with` block's first."""
    try:
        asked = normalize_url(merge_params(session._build_url(url), kwargs.get("params")))
    except (TypeError, ValueError):
        # aiohttp has the better message.
        return await send(session, method, url, *args, **kwargs)
    if all(passes(mock, (asked,)) for mock in mocks):
        return await send(session, method, url, *args, **kwargs)
    options = {"allow_redirects": True, **kwargs}
    if session.headers:
        options["headers"] = session._prepare_headers(kwargs.get("headers"))
    calls = [
        MockedCall(
            mock,
            mock.received,
            method.upper(),
            asked,
            dict(options),
            is_outermost=mock is mocks[-1],
        )
        for mock in mocks
    ]
    given = kwargs.get("middlewares")
    kwargs["middlewares"] = (
        *(call.outermost for call in calls),
        *(session._middlewares if given is None else given),
        *(call.innermost for call in calls),
    )
    try:
        return await send(session, method, url, *args, **kwargs)
    except ClientOSError as error:
        # aiohttp makes one of any OSError.
        failures = [call.failure for call in calls if call.failure is error.__cause__]
        if not failures or failures[0] is None:
            raise
    raise failures[0]
