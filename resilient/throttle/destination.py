"""The gates of one key, and who shares which of them.

A 429 is about whatever the server counts, and no header says what that is. So a gate holds the
*part* of the key that was refused: its method, the first segment of its path, and its credential.
A route that is always refused costs the others nothing (all of them would wait for its gate), and
one account waits for none of another's.

Where three parts of one credential are refused at a time, the limit is taken for that of the
whole account: one gate takes the place of theirs. (At two, two bad routes out of ten cost the
others everything; with no such rule a bulk job over ten routes loses a tenth of its items.)

A credential is known by its Authorization header, as long as that is the caller's own: where a
middleware inside sets it, it is not there yet when the next call asks, and no call would ever find
the gate of another. So the first attempt of a destination, and each one while it is not quiet,
looks whether the header is still the same in the end; if it is not, credentials are passed over.
Of one that signs each request (Digest, OAuth, AWS4: a list of parameters) only the scheme counts.

Parts are looked at only while a gate of the key is in force; a quiet destination counts answers
and does nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from aiohttp import ClientRequest

from resilient.core.keys import secret_hash
from resilient.core.queues import Queue, Room
from resilient.core.quiet import Watched
from resilient.throttle.gate import Gate, Part
from resilient.throttle.grants import Grants
from resilient.throttle.limit import Meter

__all__ = ["WHOLE", "WIDENS_AT", "Destination", "credential_of", "part_of"]

# Gates of one credential at which the limit is taken for that of the whole key.
WIDENS_AT: Final = 3

_MOST_PARTS: Final = 256

# The whole key, whatever the credential; and the part for all of those that are too many.
WHOLE: Final = Part("")
_OTHERS: Final = Part("", "other", "…")

# RFC 9110, 11.4: auth-params, and not a token68, in which "=" is at the end only.
_PARAMETERS: Final = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=\s*[^\s=,]")

# How often all gates are looked at for those that are over, in seconds.
_LOOKS_EVERY: Final = 1.0


def credential_of(request: ClientRequest) -> str | None:
    """Return the credential that a request carries at present, or None."""
    return request.headers.get("Authorization")


def part_of(request: ClientRequest, *, with_credential: bool = True) -> Part:
    """Return the part of its key that a request belongs to.

    Args:
        request: The request.
        with_credential: Whether each credential has parts of its own.
    """
    credential = credential_of(request) if with_credential else None
    segments = request.url.raw_parts
    return Part(
        "" if credential is None else secret_hash(_lasting(credential)),
        request.method,
        segments[1] if len(segments) > 1 else "",
    )


def _lasting(credential: str) -> str:
    """Return what stays the same of a credential: of one that signs each request, the scheme."""
    scheme, _, value = credential.partition(" ")
    return scheme if _PARAMETERS.match(value) else credential


class Destination(Watched):
    """All that is known under one key.

    Args:
        key: The key.
        meter: Keeps the declared limit; None without one.
        room: Counts those who wait.
        now: The time.
        has_parts: Whether parts have gates of their own.

    Attributes:
        key: As given.
        meter: As given.
        grants: What the server let through.
        gates: The gates that are in force, by what they hold.
        is_known: Whether it is known who sets credentials.
        sees_credentials: Whether that is the caller, so that each credential has parts of its own.
    """

    __slots__ = (
        "_looked",
        "_room",
        "gates",
        "grants",
        "is_known",
        "key",
        "meter",
        "sees_credentials",
    )

    def __init__(
        self, key: Hashable, meter: Meter | None, room: Room, now: float, *, has_parts: bool = True
    ) -> None:
        super().__init__()
        self.key = key
        self.meter = meter
        self.grants = Grants(now)
        self.gates: dict[Part, Gate] = {}
        self.is_known = not has_parts
        self.sees_credentials = has_parts
        self._look_for_quiet()
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
        return self._make(_OTHERS if len(self.gates) >= _MOST_PARTS else part, now)

    def _make(self, part: Part, now: float) -> Gate:
        gate = self.gates[part] = Gate(part, Queue(self._room), now)
        self.disturb()
        return gate

    def widened(self, gate: Gate, now: float) -> Gate | None:
        """Return a new gate for all parts of a credential, in the place of theirs, or None.

        It is to be closed, and then to take over the others, which `narrower` has.
        """
        if gate.part.segment is None or gate.part == _OTHERS:
            return None
        if len(self.narrower(gate.part.credential)) < WIDENS_AT:
            return None
        # However many there are: it takes the place of some.
        return self._make(Part(gate.part.credential), now)

    def narrower(self, credential: str) -> list[Gate]:
        """Return the gates of parts of a credential."""
        return [
            gate
            for part, gate in self.gates.items()
            if part.credential == credential and part.segment is not None and part != _OTHERS
        ]

    def forget(self, gate: Gate) -> None:
        """Forget a gate that is over, or has an heir."""
        self.gates.pop(gate.part, None)
        self._look_for_quiet()

    def take_over(self, other: Destination, gates: Iterable[Gate]) -> None:
        """Take gates of the same key over from another throttle, but for those who wait there."""
        self.is_known, self.sees_credentials = other.is_known, other.sees_credentials
        for gate in gates:
            self.gates[gate.part] = gate.renewed(Queue(self._room))
        self._look_for_quiet()

    def learn_credential(self, before: str | None, after: str | None) -> None:
        """Learn who sets credentials, from that of one attempt when it began and when it ended."""
        self.is_known = True
        if before != after and self.sees_credentials:
            self.sees_credentials = False
            gates, self.gates = self.gates, {}
            for gate in gates.values():
                part = gate.part._replace(credential="")
                heir = self.gates.get(part)
                if heir is None:
                    gate.part, self.gates[part] = part, gate
                else:
                    heir.take_over(gate)
        self._look_for_quiet()

    def _look_for_quiet(self) -> None:
        # There is neither a gate nor a limit, nor anything to find out.
        self.is_quiet = self.is_known and self.meter is None and not self.gates

    def count(self, good: int, answered_at: float) -> None:
        """Take in how many attempts were let through that have not been told of yet."""
        self.grants.recent += good

    def look(self, took: float, now: float) -> float:
        """Take in that an attempt went well now, and return when to be told again."""
        if now >= self.grants.edge:
            self.advance(now)
        return self.grants.edge

    def advance(self, now: float) -> None:
        """Go on to the second that `now` is in, with all counted that belongs to those before."""
        self.fold()
        self.grants.advance(now)

    def add(self, now: float) -> None:
        """Count an attempt that was let through."""
        if now >= self.grants.edge:
            self.fold()
        self.grants.add(now)

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
        self.disturb()
        self._look_for_quiet()
        self.grants.rebase(shift)
        self._looked += shift
