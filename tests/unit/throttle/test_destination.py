"""The gates of one key: who shares which, and how many there are at most."""

from __future__ import annotations

from resilient.core.queues import Room
from resilient.throttle.destination import Destination
from resilient.throttle.gate import Part


def test_a_credential_widens_to_its_own_gate_however_many_gates_there_are() -> None:
    place = Destination("key", None, Room(), 0.0)
    for number in range(253):
        place.make(Part(f"other {number}", "GET", "a"), 0.0)
    nobody = place.make(Part("", "GET", "a"), 0.0)
    *_, last = [place.make(Part("mine", "GET", segment), 0.0) for segment in "ab"]
    assert place.widened(last, 0.0) is None
    place.forget(nobody)
    last = place.make(Part("mine", "GET", "c"), 0.0)
    wide = place.widened(last, 0.0)
    assert wide is not None
    assert wide.part == Part("mine")
    assert [gate.part.segment for gate in place.narrower(wide.part.credential)] == ["a", "b", "c"]
    assert place.find(Part("mine", "POST", "d")) is wide


def test_parts_beyond_the_most_share_one_gate() -> None:
    place = Destination("key", None, Room(), 0.0)
    for number in range(256):
        place.make(Part(str(number), "GET", "a"), 0.0)
    shared = place.make(Part("x", "GET", "a"), 0.0)
    assert place.find(Part("y", "POST", "b")) is shared
    assert place.widened(shared, 0.0) is None
    assert len(place.gates) == 257


def test_gates_of_credentials_become_one_if_those_are_set_inside() -> None:
    place = Destination("key", None, Room(), 0.0)
    parts = [Part("a", "GET", "x"), Part("b", "GET", "x"), Part("b", "POST", "x")]
    gates = [place.make(part, 0.0) for part in parts]
    gates[1].server_until = 30.0
    place.learn_credential("a", "a")
    assert len(place.gates) == 3
    place.learn_credential(None, "a")
    assert list(place.gates) == [Part("", "GET", "x"), Part("", "POST", "x")]
    assert gates[1].heir is gates[0]
    assert gates[0].server_until == 30.0
