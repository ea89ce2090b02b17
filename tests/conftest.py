"""What all tests share: both ways through a pipeline, and the signal that some send."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator

import pytest
from aiohttp import ClientRequest

from resilient.core.call import Call
from resilient.core.keys import origin
from resilient.pipeline import pipeline
from resilient.throttle import Throttle
from resilient.throttle.destination import Destination

_quiet = Throttle.quiet


@pytest.fixture(scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The way through standard pipelines: the optimistic one where it can be, or the general.

    Where it is no parameter: as everybody has it.
    """
    way = getattr(request, "param", "")
    with pytest.MonkeyPatch.context() as patch:
        if way == "general":
            patch.setattr(pipeline, "optimistic", lambda *_: None)
        elif way == "optimistic":
            patch.setattr(Throttle, "quiet", _quiet_at_once)
        yield way


def _quiet_at_once(self: Throttle, request: ClientRequest) -> Destination | None:
    """Let the first call take the quick way too, as if there had been one before."""
    if self._key is origin and origin(request) not in self._places.by_key:
        self.enter(Call(request), request, self.clock.time(), None)
        self._places.by_key[origin(request)].learn_credential(None, None)
    return _quiet(self, request)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what holds promises, properties and telemetry both ways: nobody may tell which."""
    folder, _, name = metafunc.module.__name__.removeprefix("tests.").rpartition(".")
    is_promise = "promise" in name or "telemetry" in name
    holds = folder == "property" or (folder == "integration" and is_promise)
    names = vars(metafunc.module)
    if "way" in names or os.environ.get("RESILIENT_ONE_WAY"):
        return  # it says which, or a second look at other versions need not see both
    if holds and not {"Pipeline", "Policy", "resilient", "wrap", "wrapped"}.isdisjoint(names):
        metafunc.parametrize("way", ["optimistic", "general"], indirect=True, scope="module")


@pytest.fixture
def default_log_level() -> Iterator[None]:
    """The logger as it is by default, whatever pytest has set."""
    logger = logging.getLogger("resilient")
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(logging.NOTSET)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are processors, for some tests wait."""
    ours = getattr(os, "sched_getaffinity", None)
    return 1 + (os.cpu_count() or 1 if ours is None else len(ours(0)))


def pytest_collection_finish() -> None:
    """Let the collector leave the tests themselves alone: they are many objects."""
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Let Ctrl-C through, also where the tests were started in the background of a script.

    A shell has such commands ignore it, and they hand that on to what they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
