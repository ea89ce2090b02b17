"""Fixtures for the tests of the mock."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from resilient.testing import FakeClock
from tests.unit.testing.mocked.support import Log, piped


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[True, False], ids=["wrapped", "given"])
async def piped_session(
    request: pytest.FixtureRequest, clock: FakeClock, _nothing_left: None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with the standard pipeline."""
    async with piped(clock, wrapped=request.param) as session:
        yield session


@pytest.fixture
def log() -> Log:
    return Log()
