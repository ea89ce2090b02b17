"""`wrap`: sessions of the user's own class."""

import warnings
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import ClientSession

from resilient import Pipeline, pipeline_of, wrap
from resilient.testing import Reply
from tests.integration.support import fault_server, policy, status_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # aiohttp advises against subclasses

    class Signed(ClientSession):
        """Adds a header to each request, counts, and wants arguments of its own."""

        ATTRS = ClientSession.ATTRS | {"key", "calls", "was_closed"}

        def __init__(self, key: str, **options: Any) -> None:
            super().__init__(**options)
            self.key = key
            self.calls: list[str] = []
            self.was_closed = False

        async def _request(self, *args: Any, **options: Any) -> Any:
            self.calls.append(args[0])
            headers = {**(options.pop("headers", None) or {}), "X-Key": self.key}
            return await super()._request(*args, headers=headers, **options)

        async def __aenter__(self) -> Self:
            return self

        async def fetch(self, url: object) -> str:
            async with self.get(str(url)) as response:
                return await response.text()

    class Slotted(ClientSession):
        __slots__ = ("extra",)
        ATTRS = ClientSession.ATTRS | {"extra"}
        extra: str

    class Told(ClientSession):
        """Wants to hear of its subclasses, and says so."""

        def __init_subclass__(cls, *, tag: str) -> None:
            raise AssertionError("no subclass was asked for")


async def test_the_users_class_and_its_state_are_kept() -> None:
    async with fault_server(Reply(503), Reply(body=b"hello")) as server:
        async with Signed("k-1") as original, wrap(original, Pipeline(policy())) as session:
            assert isinstance(session, Signed)
            assert await session.fetch(server.url) == "hello"
            assert session.calls is original.calls
            assert session.key == "k-1"
        assert server.hits == 2
        assert {request.headers["X-Key"] for request in server.requests} == {"k-1"}
    assert original.calls == ["GET"]  # one call, whatever the attempts


async def test_the_class_of_the_original_is_as_it_was() -> None:
    async with Signed("k") as original:
        before = set(vars(Signed))
        async with wrap(original):
            assert type(original) is Signed
            # The standard library notes on a class what it found out when it copied.
            assert set(vars(Signed)) - {"__slotnames__"} == before - {"__slotnames__"}
        async with Signed("other") as another:
            with pytest.raises(LookupError):
                pipeline_of(another)


async def test_two_copies_of_a_class_share_no_pipeline() -> None:
    async with (
        Signed("1") as one,
        Signed("2") as two,
        wrap(one) as first,
        wrap(two) as second,
    ):
        assert type(first) is type(second)
        assert isinstance(first, Signed)
        assert isinstance(second, Signed)
        assert pipeline_of(first) is not pipeline_of(second)
        assert (first.key, second.key) == ("1", "2")


async def test_slots_are_copied() -> None:
    async with fault_server() as server, Slotted() as original:
        original.extra = "e"
        async with wrap(original) as session:
            assert isinstance(session, Slotted)
            assert session.extra == "e"
            assert await status_of(session, server.url) == 200


async def test_a_class_that_hears_of_its_subclasses_hears_nothing() -> None:
    async with fault_server() as server, Told() as original, wrap(original) as session:
        assert isinstance(session, Told)
        assert await status_of(session, server.url) == 200


async def test_no_warning_of_aiohttps_reaches_the_user() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with ClientSession() as original, wrap(original) as session:
            wrapped_again = wrap(session, aiohttp_pass_through)
            await wrapped_again.close()


async def aiohttp_pass_through(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    return await handler(request)


@pytest.mark.parametrize("verb", ["get", "head", "post", "request"])
@pytest.mark.parametrize("name", ["_request", "verb"])
async def test_methods_that_are_replaced_for_a_while_are_replaced_here_too(
    name: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mocked(*_: Any, **__: Any) -> str:
        return "mocked"

    url = ("GET", "http://127.0.0.1:9/") if verb == "request" else ("http://127.0.0.1:9/",)
    async with fault_server() as server, ClientSession() as original:
        before = wrap(original, Pipeline(policy()))
        with monkeypatch.context() as patch:
            patch.setattr(ClientSession, verb if name == "verb" else name, mocked)
            assert await getattr(before, verb)(*url) == "mocked"
            meanwhile = wrap(original, Pipeline(policy()))
            assert await getattr(meanwhile, verb)(*url) == "mocked"
        for session in (before, meanwhile):
            url = ("GET", str(server.url)) if verb == "request" else (str(server.url),)
            async with getattr(session, verb)(*url) as response:
                assert response.status == 200


async def test_a_request_of_their_own_is_told_what_aiohttp_tells_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        class Curious(ClientSession):
            async def _request(self, *args: Any, **options: Any) -> Any:
                told.append((*args, options))
                return await super()._request(*args, **options)

    told: list[Any] = []
    async with fault_server() as server, Curious() as original:
        for session in (original, wrap(original, Pipeline(policy()))):
            for verb in ("get", "options", "head", "post", "put", "patch", "delete"):
                async with getattr(session, verb)(str(server.url)):
                    pass
    assert told[:7] == told[7:]
