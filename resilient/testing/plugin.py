"""A plugin for pytest that does nothing to tests that do not ask for it.

Its fixtures are not asynchronous, so that they suit every plugin that runs async tests:

    resilient_clock      a `FakeClock`, to pass as `clock=`
    resilient_events     an `EventLog`, to pass among the `listeners=`
    resilient_handler    a `ScriptedHandler`; the test fails if its script is not done in the end
    resilient_no_waits   makes waits end at once in this test, between attempts and in the queues
                         of guards; its value is the list of the seconds that were asked for

And there is a marker:

    @pytest.mark.resilient_virtual_time                 the test's event loop is a `VirtualTimeLoop`
    @pytest.mark.resilient_virtual_time(patience=5)     and these are arguments for it, by name

The marker holds for event loops that are made for the test alone: by pytest-asyncio (1.1 and
newer) and pytest-aiohttp at the scope of a function, by anyio, and by `asyncio.run` and
`asyncio.Runner` in a test that is no coroutine.

This module imports nothing but pytest until a fixture is asked for, as it is loaded in every
run of whoever has the library installed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncio

    from resilient.testing.event_log import EventLog
    from resilient.testing.handler.scripted import ScriptedHandler
    from resilient.testing.time.clocks import FakeClock

__all__ = [
    "pytest_configure",
    "pytest_runtest_protocol",
    "resilient_clock",
    "resilient_events",
    "resilient_handler",
    "resilient_no_waits",
]

_Test = Callable[..., Coroutine[Any, Any, Any]]

_VIRTUAL = "resilient_virtual_time"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{_VIRTUAL}(*, start=0, grace=0.005, patience=1): run the test in virtual time"
    )


@pytest.fixture
def resilient_clock() -> FakeClock:
    """Return a clock that stands still until something waits on it."""
    from resilient.testing.time.clocks import FakeClock

    return FakeClock()


@pytest.fixture
def resilient_events() -> EventLog:
    """Return a listener that keeps the events, with assertions."""
    from resilient.testing.event_log import EventLog

    return EventLog()


@pytest.fixture
def resilient_handler() -> Iterator[ScriptedHandler]:
    """Return a handler in the place of the network; what it expects has to come."""
    from resilient.testing.handler.scripted import ScriptedHandler

    handler = ScriptedHandler()
    yield handler
    handler.assert_done()


@pytest.fixture
def resilient_no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make waits of calls end at once in this test, and return their seconds.

    These are the waits between attempts, and those of calls that a guard holds back (in a
    queue, or for its patience): the guard is asked again as if its time had come, the first
    in its queue first. A guard that names no time still waits for what it waits for, such as
    the end of another call.

    It patches the system's own clock; clocks that a test passes stay as they are. No time passes
    in the place of a wait: where it must (a probe whose verdict is awaited, say), ask for virtual
    time instead.
    """
    import asyncio

    from resilient.clock import SystemClock

    waits: list[float] = []

    def wake_after(
        _: SystemClock, seconds: float, callback: Callable[[], object]
    ) -> asyncio.Handle:
        waits.append(seconds)
        return asyncio.get_running_loop().call_soon(callback)

    monkeypatch.setattr(SystemClock, "wake_after", wake_after)
    return waits


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give a test that asks for it loops in virtual time."""
    marker = item.get_closest_marker(_VIRTUAL)
    if marker is None:
        return (yield)
    loops = _VirtualLoops(marker)
    item.config.pluginmanager.register(loops)
    try:
        return (yield)
    finally:
        item.config.pluginmanager.unregister(loops)


class _VirtualLoops:
    """Hooks for one test that asks: each loop that is made for it alone is virtual.

    Plugins make loops in fixtures of their own, or when the test is called, and in the end
    all ask asyncio for a new one. A fixture of a wider scope makes its loop for other tests
    as well, and gets an ordinary one.
    """

    def __init__(self, marker: pytest.Mark) -> None:
        import asyncio

        self._marker = marker
        self._ordinary = asyncio.new_event_loop

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Refuse arguments of the marker that the loop does not take."""
        from resilient.testing.time.virtual import VirtualTimeLoop

        if self._marker.args:
            given = ", ".join(map(repr, self._marker.args))
            pytest.fail(
                f"{_VIRTUAL}({given}): it takes arguments by name only, such as grace=0.1",
                pytrace=False,
            )
        try:
            signature(VirtualTimeLoop).bind(**self._marker.kwargs)
            self._new_loop().close()
        except (TypeError, ValueError) as error:
            pytest.fail(f"{_VIRTUAL}: {error}", pytrace=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        for_this_test = fixturedef.scope == "function"
        with _loops_from(self._new_loop if for_this_test else self._ordinary):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with pytest.MonkeyPatch.context() as patch, _loops_from(self._new_loop):
            test = getattr(item, "obj", None)
            if iscoroutinefunction(test):
                patch.setattr(item, "obj", _checked(test))
            return (yield)

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        from resilient.testing.time.virtual import VirtualTimeLoop

        return VirtualTimeLoop(**self._marker.kwargs)


def _checked(test: _Test) -> _Test:
    """Return the test with a check of its loop: in another one, its waits would be real."""

    @wraps(test)
    async def checked(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        from resilient.testing.time.virtual import VirtualTimeLoop

        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualTimeLoop):
            pytest.fail(
                f"{_VIRTUAL}: the event loop of this test is a {type(loop).__name__} that was made "
                "for others too (for a module or session, say), or by other means than asyncio's "
                "own; give the test one of the scope of a function",
                pytrace=False,
            )
        return await test(*args, **kwargs)

    return checked


@contextmanager
def _loops_from(factory: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[None]:
    """Replace, for a while, what makes event loops for those who bring no factory."""
    import asyncio

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", factory)
        patch.setattr(asyncio.events, "new_event_loop", factory)
        yield
