"""Tell listeners when a call is over.

A pipeline has this part only if one of its listeners wants to hear of calls.
"""

from __future__ import annotations

from collections.abc import Iterable

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.watch import CallWatch, Watched
from resilient.support.redact import public_url, summary
from resilient.telemetry.emitter import make_emitter
from resilient.telemetry.events import Listener

__all__ = ["CallEvents"]


class CallEvents(CallWatch):
    """Gives listeners a `CallEvent` for each call that is over.

    A pipeline that is made from a policy has one if a listener wants such events. In another
    order it stands outermost.

    Args:
        listeners: Told of calls.
        clock: The source of time; by default the event loop's.

    Raises:
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_emitter",)

    def __init__(self, listeners: Iterable[Listener] = (), *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._emitter = make_emitter(listeners)
        # Pipelines of several services may have the same listeners.
        super().__init__(("events", *map(id, self._emitter.listeners)), clock)

    def describe(self) -> str:
        """Return its settings in words."""
        return "tells listeners when a call is over"

    def end(self, watched: Watched, error: BaseException | None) -> None:
        """Tell of the end of a call."""
        ended = self.time()
        self._emitter.announce(
            "call",
            call=watched.number,
            method=watched.method,
            url=str(public_url(watched.url)),
            attempts=watched.attempts,
            duration=ended - watched.started,
            waited=watched.waited,
            queued=sum(watched.held.values()),
            status=watched.status if error is None else None,
            error=None if error is None else summary(error),
            code=watched.stop_code(error),
        )
