"""The learnt gate as a machine: what it learns, and whom it lets through."""

from __future__ import annotations

import math

import pytest

from resilient.core.queues import Queue
from resilient.throttle.gate import Gate, Part
from resilient.throttle.grants import Grants


def middle() -> float:
    return 0.5


def none() -> float:
    return 0.0


def closed(
    *answers: float, now: float = 0.0, asked: float | None = 1.0, spread: bool = False
) -> Gate:
    """A gate that closed after answers at some times."""
    grants = Grants(answers[0] if answers else now)
    for each in answers:
        grants.add(each)
    gate = Gate(Part("", "GET", "v1"), Queue(), now)
    gate.close(grants, now, asked, middle if spread else none)
    return gate


def well_known() -> Gate:
    """One that was refused after enough answers, at 2 s, and opens a second later."""
    gate = closed(*[0.0] * 10)
    for _ in range(10):
        gate.granted(1.5)
    gate.refused(2.0, 2.0, 1.0, none)
    return gate


def test_a_429_closes_it_until_the_servers_time() -> None:
    gate = closed(asked=7.0)
    assert gate.server_until == 7.0
    assert gate.opens_at(0.0) == 7.0
    assert gate.opens_at(8.0) == 8.0


@pytest.mark.parametrize(("answers", "until"), [([0.0] * 5, 1.05), ([], 1.5)])
def test_the_spread_is_small_for_those_who_had_much_of_the_limit(
    answers: list[float], until: float
) -> None:
    gate = closed(*answers, spread=True)
    assert gate.not_before == pytest.approx(until)
    assert gate.server_until == 1.0


def test_where_the_server_names_no_time_it_backs_off() -> None:
    gate = closed(asked=None)
    times = [gate.not_before]
    for _ in range(8):
        now = gate.not_before
        gate.refused(now, now, None, none)
        times.append(gate.not_before - now)
    assert times == pytest.approx([0.25, 0.5, 1, 2, 4, 8, 10, 10, 10])
    assert gate.server_until == float("-inf")


@pytest.mark.parametrize(
    ("answers", "now", "asked", "rate"),
    [
        pytest.param([0.0] * 10, 0.02, 1.0, 10, id="a crowd at once"),
        pytest.param([0.0] * 10, 0.02, 0.0, 10, id="never by less than a second"),
        pytest.param([n / 10 for n in range(100)], 9.99, 1.0, 10, id="a steady rate"),
        pytest.param([n / 5 for n in range(300)], 59.99, 0.0, 5, id="a window"),
        pytest.param([0.0] * 300, 20.0, 40.0, 5, id="a window that was used up early"),
        pytest.param([*map(float, range(300)), *[300.0] * 10], 300.1, 1.0, 10, id="after little"),
        pytest.param([], 0.0, 1.0, 0.5 / 1.05, id="nothing was let through"),
    ],
)
def test_the_first_rate_is_what_was_let_through_and_a_twentieth(
    answers: list[float], now: float, asked: float, rate: float
) -> None:
    assert closed(*answers, now=now, asked=asked).rate == pytest.approx(rate * 1.05, rel=0.05)


def test_late_successes_raise_the_first_rate() -> None:
    gate = closed()
    for _ in range(10):
        gate.granted(-1.0)
    assert gate.rate == pytest.approx(10.5)


def test_late_successes_say_nothing_once_it_was_refused_itself() -> None:
    gate = closed(*[0.0] * 10)
    gate.refused(2.0, 2.0, 1.0, none)
    rate = gate.rate
    gate.granted(-1.0)
    gate.granted(1.9)
    assert gate.rate == rate


def test_there_is_one_cut_a_round() -> None:
    gate = closed(*[0.0] * 10)
    rate = gate.rate
    for _ in range(40):
        assert not gate.refused(-0.01, 0.01, 1.0, none)
    assert gate.rate == rate
    assert gate.not_before == pytest.approx(1.01)


def test_an_older_refusal_moves_the_servers_time_only_if_it_names_one() -> None:
    gate = closed()
    gate.refused(-1.0, 0.1, None, none)
    assert gate.not_before == 1.0
    gate.refused(-1.0, 0.1, 5.0, none)
    assert (gate.not_before, gate.server_until) == (5.1, 5.1)


def test_a_cut_takes_the_rate_of_its_epoch() -> None:
    gate = closed(*[0.0] * 20)
    assert gate.rate > 20
    # Closed for a second, open for one.
    for n in range(12):
        gate.granted(1 + n / 12)
    gate.refused(2.0, 2.0, 1.0, none)
    assert gate.rate == pytest.approx(6 * 1.05)


def test_closed_time_counts_for_a_second_at_most() -> None:
    gate = closed(*[0.0] * 300, asked=50.0)
    for n in range(300):
        gate.granted(50 + n / 30)
    gate.refused(60.0, 60.0, 50.0, none)
    assert gate.rate > 25


def test_few_answers_halve_it_at_most() -> None:
    gate = closed(*[0.0] * 20)
    rate = gate.rate
    gate.refused(2.0, 2.0, 1.0, none)
    assert gate.rate == pytest.approx(rate / 2 * 1.05)


def test_an_outage_spoils_what_was_granted() -> None:
    gate = closed(*[0.0] * 10)
    gate.granted(1.5)
    rate = gate.rate
    gate.failed()
    gate.refused(30.0, 30.0, 1.0, none)
    assert gate.rate == rate
    # The first success begins the epoch anew.
    gate.granted(40.0)
    for n in range(1, 11):
        gate.granted(40 + n / 10)
    gate.refused(41.0, 41.0, 1.0, none)
    assert gate.rate == pytest.approx(10 * 1.05, rel=0.05)


@pytest.mark.parametrize(
    ("rate", "percent"), [pytest.param(100, 0.1, id="a success"), pytest.param(1, 1, id="a second")]
)
def test_it_grows(rate: float, percent: float) -> None:
    gate = well_known()
    gate.rate = rate
    gate.granted(3.0)
    assert gate.rate == pytest.approx(rate * (1 + percent / 100))


def test_an_estimate_that_is_not_refused_for_a_minute_is_given_up_soon() -> None:
    gate = well_known()
    gate.rate = now = 1.0
    times = []
    for rate in (2, 20, 200):
        while gate.rate < rate:
            now = gate.turn_at(0, now)
            gate.take(now)
            gate.granted(now)
        times.append(now)
    # It opened at 3 s.
    assert times == pytest.approx([66, 95, 98], abs=10)
    # What it is by then is told by the last seconds, not by all of them.
    for n in range(200):
        gate.granted(now + n / 20)
    gate.refused(now + 10, now + 10, 1.0, none)
    assert gate.rate == pytest.approx(20, rel=0.3)


def test_it_grows_without_end_and_stays_a_number() -> None:
    gate = well_known()
    for n in range(100_000):
        gate.granted(3.0 + n)
    assert math.isfinite(gate.rate)
    assert gate.turn_at(5, 3.0) >= 3.0


def test_after_a_cut_from_few_answers_it_grows_in_proportion_again() -> None:
    gate = closed()
    for now in (2.0, 4.0, 6.0):
        gate.granted(now - 0.5)
        gate.refused(now, now, 1.0, none)
    assert gate.rate <= 1
    first = gate.rate
    for now in range(5):
        gate.granted(8.0 + now)
    assert gate.rate == pytest.approx(5 * first, rel=0.1)
    # From enough answers it grows slowly; that is one to be trusted.
    gate.refused(20.0, 20.0, 1.0, none)
    rate = gate.rate
    gate.granted(22.0)
    assert gate.rate < rate * 1.03


def test_an_estimate_from_few_answers_grows_in_proportion() -> None:
    gate = closed(0.0)
    rates = []
    for n in range(5):
        gate.granted(1.0 + n)
        rates.append(gate.rate / 1.05)
    assert rates == pytest.approx([2, 3, 4, 5, 5.05])


def test_calls_leave_at_its_rate_and_make_up_little() -> None:
    gate = closed(*[0.0] * 10)
    gate.rate = 10
    times = []
    now = 0.0
    for _ in range(4):
        now = gate.turn_at(0, now)
        gate.take(now)
        times.append(now)
    assert times == pytest.approx([1.0, 1.05, 1.15, 1.25])
    assert gate.turn_at(10, now) == pytest.approx(2.35)


def test_a_turn_that_is_given_back_is_there_again() -> None:
    gate = closed()
    before = gate.turn_at(0, 5.0)
    gate.give_back(gate.take(5.0))
    assert gate.turn_at(0, 5.0) == before


def test_it_is_over_ten_seconds_after_it_opened_if_nobody_waits() -> None:
    gate = closed(asked=30.0)
    assert not gate.is_over(39.9)
    assert gate.is_over(40.0)
    # Nobody has to wait for it, however many are let through.
    gate.take(39.0)
    gate.granted(39.0)
    assert gate.is_over(40.0)


def test_another_scale_of_time_changes_nothing() -> None:
    gate = closed(*[0.0] * 10, asked=5.0)
    gate.take(5.0)
    turn = gate.turn_at(3, 5.0)
    gate.rebase(1000.0)
    assert gate.turn_at(3, 1005.0) == pytest.approx(turn + 1000)
    assert gate.server_until == 1005.0
    gate.granted(1000.0)
    assert gate.refused(999.9, 1006.0, 1.0, none) is False


def test_grants_go_after_a_minute() -> None:
    grants = Grants(0.0)
    for now in range(100):
        grants.add(now + 0.5)
    assert [count for count, _ in grants.spans(99.6)] == [1, 10, 60]
    assert [count for count, _ in grants.spans(130.0)] == [0, 0, 29]
    assert [count for count, _ in grants.spans(1e6)] == [0, 0, 0]


def test_time_that_goes_back_counts_where_it_had_got_to() -> None:
    grants = Grants(100.0)
    grants.add(105.0)
    grants.add(3.0)
    assert [count for count, _ in grants.spans(105.0)] == [2, 2, 2]
