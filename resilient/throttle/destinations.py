"""Keep the destinations of a throttle by key: a bounded registry, and a view of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final

from attrs import frozen

from resilient.core.queues import Queue, Room
from resilient.support.registry import IN_USE, UNUSED, make_room
from resilient.throttle.destination import Destination
from resilient.throttle.limit import Limit, Meter, Pace, Window
from resilient.throttle.policy import ThrottlePolicy

__all__ = ["Destinations", "GateView"]

_MOST: Final = 1024


@frozen
class GateView:
    """A gate that is in force, or a declared limit that somebody waits for, as it was when asked.

    Attributes:
        key: What it belongs to, as a rule an origin.
        part: The part of that: method and first path segment; None for all of it.
        rate: Calls a second that it lets through.
        seconds: Until it lets the next call through; 0 if it would now.
        waiting: How many calls wait at it.
        server_seconds: Until the end of the time that the server asked for; 0 if that is over.
    """

    key: Hashable
    part: str | None
    rate: float
    seconds: float
    waiting: int
    server_seconds: float = 0.0


class Destinations:
    """Keeps destinations by key; of more than 1024 it forgets those that are idle.

    Args:
        policy: The policy, for the declared limit.
        room: Counts those who wait.

    Attributes:
        by_key: Those that there are.
        limit: The declared limit, or None.
        burst: The calls within it that may leave at once.
    """

    __slots__ = ("_policy", "_room", "burst", "by_key", "limit")

    def __init__(self, policy: ThrottlePolicy, room: Room) -> None:
        self.by_key: dict[Hashable, Destination] = {}
        self.limit = limit = Limit.parse(policy.limit)
        self.burst = policy.burst or (1 if limit is None else limit.burst)
        self._policy = policy
        self._room = room

    def make(self, key: Hashable, now: float) -> Destination:
        """Make the destination of a key that has none."""
        make_room(
            *(self.by_key, _MOST),
            lambda place: UNUSED if place.is_idle(now) else IN_USE,
            Destination.disturb,
        )
        has_parts = self._policy.learn and self._policy.classes
        made = Destination(key, self._meter(), self._room, now, has_parts=has_parts)
        self.by_key[key] = made
        return made

    def _meter(self) -> Meter | None:
        if self.limit is None:
            return None
        queue = Queue(self._room)
        if self._policy.pace == "window":
            return Window(self.limit, queue)
        return Pace(self.limit, self.burst, queue)

    def kept(self, place: Destination) -> Destination:
        """Return what is kept under the key of a destination, which may have been forgotten."""
        return self.by_key.setdefault(place.key, place)

    def views(self, now: float) -> Iterator[GateView]:
        """Return the gates that are in force, and the limits that somebody waits for."""
        for place in self.by_key.values():
            for gate in place.gates.values():
                if not gate.is_over(now):
                    yield GateView(
                        place.key,
                        gate.part.name,
                        gate.rate,
                        gate.turn_at(0, now) - now,
                        len(gate.queue),
                        max(0.0, gate.server_until - now),
                    )
            meter = place.meter
            if meter is not None and meter.queue:
                seconds = meter.turn_at(0, now) - now
                yield GateView(place.key, None, meter.rate, seconds, len(meter.queue))
