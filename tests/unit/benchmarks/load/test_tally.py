"""Counts of calls, and their sums."""

from __future__ import annotations

import pickle

import pytest

from benchmarks.load.tally import Latencies, Tally


def latencies(*seconds: float) -> Latencies:
    made = Latencies()
    for each in seconds:
        made.record(each)
    return made


def test_a_quantile_is_what_a_share_did_not_exceed() -> None:
    made = latencies(*(number / 1000 for number in range(1000, 0, -1)))
    quantiles = [made.quantile(share) for share in (0, 0.0005, 0.5, 0.5005, 0.99, 1)]
    assert quantiles == [0.001, 0.001, 0.5, 0.501, 0.99, 1.0]


def test_what_is_counted_later_is_in_the_next_quantile() -> None:
    made = latencies(0.001)
    assert made.quantile(1) == 0.001
    made.record(0.002)
    assert made.quantile(1) == 0.002
    made.add(latencies(0.003))
    assert (made.quantile(1), len(made)) == (0.003, 3)


def test_none_has_no_quantile() -> None:
    assert latencies().quantile(0.5) is None


def test_tallies_of_several_processes_add_up() -> None:
    one, other = Tally(peak=2, openings=1), Tally(peak=3)
    one.arrive(0.1, 0.0)
    one.end(0.1, 0.6, None)
    other.arrive(0.2, 0.05)
    other.end(0.2, 0.3, "503")
    together = Tally()
    for each in (one, other):
        together.add(pickle.loads(pickle.dumps(each)))
    assert (together.calls, together.peak, together.openings) == (2, 5, 1)
    assert together.succeeded.quantile(1) == pytest.approx(0.5, rel=1e-3)
    assert together.failed.quantile(1) == pytest.approx(0.1, rel=1e-3)
    assert together.lateness.quantile(1) == pytest.approx(0.05, rel=1e-3)
    assert together.failures == {"503": 1}
    assert together.offered == {0: 2}
    assert together.good == {1: 1}
