"""Notes that compare figures, and rows of absent peers."""

from __future__ import annotations

from benchmarks.overhead.peers.catalogue import Peers
from benchmarks.overhead.peers.hand_written_retry import WRAPPER
from benchmarks.overhead.run import absent_rows, compare_with_peers, peer_notes, targets_of
from benchmarks.results import Figure
from benchmarks.targets import at_most


def figure(value: float | None, unit: str = "x") -> Figure:
    return Figure(what="something", value=value, unit=unit)


def test_peers_that_do_better_are_named_the_best_first() -> None:
    theirs = {"slow": figure(12), "fast": figure(2), "fastest": figure(1), "as fast": figure(9)}
    (note,) = compare_with_peers("in a test", figure(9), theirs)
    assert note == "Better than our pipeline (9x) in a test: fastest 1x; fast 2x."


def test_what_of_ours_is_compared_is_named() -> None:
    (note,) = compare_with_peers("in a test", figure(9), {"fast": figure(2)}, subject="our breaker")
    assert note == "Better than our breaker (9x) in a test: fast 2x."


def test_of_speeds_the_higher_is_the_better() -> None:
    theirs = {"slow": figure(0.5), "fast": figure(0.99), "fastest": figure(1)}
    (note,) = compare_with_peers("in a test", figure(0.9), theirs, higher=True)
    assert note.endswith("in a test: fastest 1x; fast 0.990x.")


def test_where_nobody_does_better_that_is_said_too() -> None:
    theirs = {"slow": figure(12), "absent": None, "not measured": figure(None)}
    (note,) = compare_with_peers("in a test", figure(9), theirs)
    assert note == "No peer does better than our pipeline in a test."


def test_of_what_was_not_measured_nothing_is_said() -> None:
    assert compare_with_peers("in a test", None, {"fast": figure(2)}) == ()
    assert targets_of([(at_most, 2, "not measured", None)]) == ()


def test_a_target_has_a_name_that_is_clear_by_itself() -> None:
    (judged,) = targets_of([(at_most, 2, "a call, x nothing", figure(3))])
    assert (judged.what, judged.wanted, judged.holds) == ("a call, x nothing", "at most 2x", False)


def test_it_is_said_what_each_peer_lacks_and_who_is_absent() -> None:
    notes = peer_notes(Peers((WRAPPER,), ("some-library",)))
    assert len(notes) == 2
    assert notes[0].startswith("hand-written retry has retry. It lacks: budget, ")
    assert notes[1] == "Not installed, and so not measured: some-library."
    unusable = Peers(unusable=(("another", "TypeError: no such keyword"),))
    (note,) = peer_notes(unusable)
    assert note.endswith("not measured: another (TypeError: no such keyword).")
    ((name, (figure, empty)),) = absent_rows(unusable, 2)
    assert figure is not None
    assert (name, figure.remark, empty) == ("another", "absent: cannot be used", None)
