"""Peers that are installed, absent or unusable."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import benchmarks.overhead.peers
from benchmarks.overhead.peers import catalogue
from benchmarks.overhead.peers.catalogue import HAND_WRITTEN, LIBRARIES, Peers, find_peers
from benchmarks.overhead.references import HAND_WRITTEN as REFERENCE

# Of backoff, which would count as unusable if a warning were an error.
pytestmark = pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction':DeprecationWarning")


def test_every_file_of_a_peer_is_in_the_catalogue() -> None:
    folder = Path(benchmarks.overhead.peers.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "catalogue"}
    reference = "hand_written_breaker"  # which is measured with or without peers
    assert files - {reference} == {name.replace("-", "_") for name in HAND_WRITTEN + LIBRARIES}
    assert sys.modules[type(REFERENCE).__module__].__name__.endswith(reference)


def test_peers_are_chosen_by_their_rows() -> None:
    found = Peers(find_peers(("hand-written-retry",)).wrappers, ("hyx",), (("stamina", "why"),))
    chosen = found.chosen(lambda label: label in ("hyx", "hand-written retry (retry)"))
    assert chosen == Peers(found.wrappers, ("hyx",), ())
    assert found.chosen(lambda label: False) == Peers()


def test_who_is_installed_is_found() -> None:
    found = find_peers()
    there = {name for name in LIBRARIES if find_spec(name.replace("-", "_"))}
    assert {each.name for each in found.wrappers} >= there
    assert set(found.absent) == set(LIBRARIES) - there


def test_who_is_not_installed_is_absent_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    found = find_peers(("hyx", "hand-written-retry"))
    assert found.absent == ("hyx",)
    assert [each.name for each in found.wrappers] == ["hand-written retry"]


def test_who_needs_what_is_not_there_is_absent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "benchmarks.overhead.peers.hyx", raising=False)
    monkeypatch.setitem(sys.modules, "hyx.retry", None)
    assert find_peers(("hyx",)).absent == ("hyx",)


def test_who_has_changed_what_is_used_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry(**_: object) -> object:
        raise TypeError("no such keyword")

    monkeypatch.setattr("stamina.retry", retry)
    found = find_peers(("stamina", "tenacity"))
    assert found.unusable == (("stamina", "TypeError: no such keyword"),)
    assert [each.name for each in found.wrappers] == ["tenacity"]
    assert found.absent == ()


def test_every_peer_says_what_it_is_and_what_it_has() -> None:
    wrappers = (REFERENCE, *find_peers().wrappers)
    assert len({each.name for each in wrappers}) == len(wrappers)
    for each in wrappers:
        assert each.parts
        assert (each.refusal is not None) == ("breaker" in each.parts)
        documentation = sys.modules[type(each).__module__].__doc__ or ""
        assert documentation.lower().startswith((each.name, "a retry"))
