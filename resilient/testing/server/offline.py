"""When the door of a fault server is shut, by schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from resilient.errors import ConfigError
from resilient.support.validation import as_tuple
from resilient.testing.script.outage import Period, Since
from resilient.testing.server.port import Listener

__all__ = ["Offline"]


@define(eq=False)
class Offline:
    """Has a listener refuse connections in certain periods, which may overlap."""

    _listener: Listener
    _periods: tuple[Period, ...]
    _shut: int = field(default=0, init=False)
    _tasks: list[asyncio.Task[None]] = field(factory=list, init=False)

    @classmethod
    def of(cls, listener: Listener, periods: Iterable[Period]) -> Offline:
        """With the periods checked."""
        given: Any = as_tuple(periods)
        if not (isinstance(given, tuple) and all(isinstance(each, Period) for each in given)):
            raise ConfigError.of("FaultServer.offline", periods, "a list of Periods")
        return cls(listener, given)

    def begin(self, since: Since) -> None:
        """Count the periods that are since this from now on."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for period in self._periods:
            if period.since == since:
                self._tasks.append(loop.create_task(self._keep(period, now)))

    async def _keep(self, period: Period, began: float) -> None:
        await _sleep_until(began + period.start)
        self._shut += 1
        if self._shut == 1:
            await self._listener.stop()
        await _sleep_until(began + period.end)
        self._shut -= 1
        if self._shut == 0:
            self._listener.resume()

    async def aclose(self) -> None:
        """Forget the rest of it; what has gone wrong comes out."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _sleep_until(when: float) -> None:
    await asyncio.sleep(when - asyncio.get_running_loop().time())
