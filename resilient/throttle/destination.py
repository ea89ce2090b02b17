"""The gates of one key, and who shares which of them.

A 429 is about whatever the server counts, and no header says what that is. So a gate holds the
*part* of the key that was refused: its method, the first segment of its path, and its credential.
A route that is always refused costs the others nothing (all of them would wait for its gate), and
one account waits for none of another's.

Where three parts of one credential are refused at a time, the limit is taken for that of the
whole account: one gate takes the place of theirs. (At two, two bad routes out of ten cost the
others everything; with no such rule a bulk job over ten routes loses a tenth of its items.)

Parts are looked at only while a gate of the key is in force; a quiet destination counts answers
and does nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final

from aiohttp import ClientRequest

from resilient.core.keys import secret_hash
from resilient.core.queues import Queue, Room
from resilient.throttle.gate import Gate, Part
from resilient.throttle.grants import Grants
from resilient.throttle.limit import Meter

__all__ = ["WHOLE", "WIDENS_AT", "Destination", "part_of"]

# Gates of one credential at which the limit is taken for that of the whole key.
WIDENS_AT: Final = 3

_MOST_PARTS: Final = 256

# The whole key, whatever the credential; and the part for all of those that are too many.
WHOLE: Final = Part("")
_OTHERS: Final = Part("", "other", "…")

# How often all gates are looked at for those that are over, in seconds.
_LOOKS_EVERY: Final = 1.0


def part_of(request: ClientRequest) -> Part:
    """Return the part of its key that a request belongs to."""
    credential = request.headers.get("Authorization")
    segments = request.url.raw_parts
    return Part(
        "" if credential is None else secret_hash(credential),
        request.method,
        segments[1] if len(segments) > 1 else "",
    )


class Destination:
    """All that is known under one key.

    Args:
        key: The key.
        meter: Keeps the declared limit; None without one.
        room: Counts those who wait.
        now: The time.

    Attributes:
        key: As given.
        meter: As given.
        grants: What the server let through.
        gates: The gates that are in force, by what they hold.
        is_quiet: Whether there is neither a gate nor a limit.
    """

    __slots__ = ("_looked", "_room", "gates", "grants", "is_quiet", "key", "meter")

    def __init__(self, key: Hashable, meter: Meter | None, room: Room, now: float) -> None:
        self.key = key
        self.meter = meter
        self.grants = Grants(now)
        self.gates: dict[Part, Gate] = {}
        self.is_quiet = meter is None
        self._room = room
        self._looked = now

    def find(self, part: Part) -> Gate | None:
        """Return the gate that holds a part, or None."""
        gates = self.gates
        found = gates.get(part) or gates.get(Part(part.credential))
        if found is None and len(gates) >= _MOST_PARTS:
            found = gates.get(_OTHERS)
        return found

    def make(self, part: Part, now: float) -> Gate:
        """Make a gate for a part that has none."""
        if len(self.gates) >= _MOST_PARTS:
            part = _OTHERS
        gate = self.gates[part] = Gate(part, Queue(self._room), now)
        self.is_quiet = False
        return gate

    def widened(self, gate: Gate, now: float) -> Gate | None:
        """Return a new gate for all parts of a credential, in the place of theirs, or None.

        It is to be closed, and then to take over the others, which `narrower` has.
        """
        if gate.part.segment is None or gate.part is _OTHERS:
            return None
        if len(self.narrower(gate.part.credential)) < WIDENS_AT:
            return None
        return self.make(Part(gate.part.credential), now)

    def narrower(self, credential: str) -> list[Gate]:
        """Return the gates of parts of a credential."""
        return [
            gate
            for part, gate in self.gates.items()
            if part.credential == credential and part.segment is not None and part is not _OTHERS
        ]

    def forget(self, gate: Gate) -> None:
        """Forget a gate that is over, or has an heir."""
        self.gates.pop(gate.part, None)
        self.is_quiet = self.meter is None and not self.gates

    def ended(self, now: float) -> Iterator[Gate]:
        """Forget the gates that are over, and return them; it looks once a second."""
        if now >= self._looked + _LOOKS_EVERY:
            self._looked = now
            for gate in [gate for gate in self.gates.values() if gate.is_over(now)]:
                self.forget(gate)
                yield gate

    def is_idle(self, now: float) -> bool:
        """Return whether it may be forgotten: nobody waits, no gate, no limit used up."""
        if self.meter is not None and not self.meter.is_idle(now):
            return False
        return all(gate.is_over(now) for gate in self.gates.values())

    def change_loop(self, shift: float) -> None:
        """Forget who waits, and move to a scale of time which is `shift` seconds ahead."""
        for each in (self.meter, *self.gates.values()):
            if each is not None:
                each.queue.clear()
                each.rebase(shift)
        self.grants.rebase(shift)
        self._looked += shift
