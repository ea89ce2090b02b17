"""Refuse connections by schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from resilient.errors import ConfigError
from resilient.support.validation import as_tuple
from resilient.testing.script.outage import Period, Since
from resilient.testing.server.port import Port

__all__ = ["Offline"]


@define(eq=False)
class Offline:
    """Make a port refuse connections in certain periods, which may overlap."""

    _port: Port
    _periods: tuple[Period, ...]
    # The number of periods that are under way.
    _current: int = field(default=0, init=False)
    _tasks: list[asyncio.Task[None]] = field(factory=list, init=False)

    @classmethod
    def of(cls, port: Port, periods: Iterable[Period]) -> Offline:
        """Check the periods, and make the schedule.

        Raises:
            ConfigError: `periods` is no list of `Period`s.
        """
        given: Any = as_tuple(periods)
        if not (isinstance(given, tuple) and all(isinstance(each, Period) for each in given)):
            raise ConfigError.of("FaultServer.offline", periods, "a list of Periods")
        return cls(port, given)

    def begin(self, since: Since) -> None:
        """Start the periods that count from this moment."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for period in self._periods:
            if period.since == since:
                self._tasks.append(loop.create_task(self._keep(period, now)))

    async def _keep(self, period: Period, began: float) -> None:
        await _sleep_until(began + period.start)
        self._current += 1
        if self._current == 1:
            await self._port.stop()
        await _sleep_until(began + period.end)
        self._current -= 1
        if self._current == 0:
            self._port.resume()

    async def aclose(self) -> None:
        """Forget the rest of the schedule.

        Raises:
            Exception: A period could not be kept.
        """
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _sleep_until(when: float) -> None:
    await asyncio.sleep(when - asyncio.get_running_loop().time())
