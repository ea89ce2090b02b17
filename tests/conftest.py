"""What all tests share: both ways through a pipeline, and the signal that some send."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from resilient.pipeline import pipeline


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The way through standard pipelines: the optimistic one where it can be, or the general."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "general":
            patch.setattr(pipeline, "optimistic", lambda *_: None)
        yield request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what holds promises and properties of pipelines both ways: nobody may tell which."""
    folder, _, name = metafunc.module.__name__.removeprefix("tests.").rpartition(".")
    holds = folder == "property" or (folder == "integration" and "promise" in name)
    names = vars(metafunc.module)
    if holds and not {"Pipeline", "Policy", "resilient", "wrap", "wrapped"}.isdisjoint(names):
        metafunc.fixturenames.append("way")
        metafunc.parametrize("way", ["optimistic", "general"], indirect=True, scope="module")


def pytest_configure() -> None:
    """Let Ctrl-C through, also where the tests were started in the background of a script.

    A shell has such commands ignore it, and they hand that on to what they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
