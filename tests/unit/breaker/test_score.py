"""The score of failures: what adds to it, what takes off, and who is too young to count."""

from __future__ import annotations

import pytest

from resilient.breaker.score import Score


def scored(script: str, threshold: int = 5, rate: float = 0.75, window: float = 30.0) -> Score:
    """A score after attempts one after another, a second apart; each takes no time."""
    score, now = Score(threshold, rate, window), 0.0
    for number, step in enumerate(script.split(), start=1):
        if step[0] == "+":
            now += float(step)
        elif step == "x":
            score.bad(number, now, now)
        elif step == ".":
            score.good(number)
        else:
            score.ended(number)
    return score


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("", 0), ("x", 1), ("x x x", 3), (".", 0), (". . .", 0),
        # At a rate of 0.75 a success takes off three.
        ("x x x x .", 1), ("x x x .", 0), ("x x .", 0), ("x x x x . x", 2), ("x . x . x", 1),
        # It never falls below zero, nor grows beyond twice the threshold.
        (". . . x", 1), ("x " * 9, 9), ("x " * 10, 10), ("x " * 50, 10), ("x " * 50 + ". .", 4),
        # What says nothing of the server changes nothing.
        ("x n n x", 2), ("n", 0),
        # A failure counts with the next one for so long as the window.
        ("x x +30 x", 3), ("x x +30.1 x", 1), ("x +29 x +29 x", 3),
    ],
)  # fmt: skip
def test_a_failure_adds_one_and_a_success_takes_off_more(script: str, value: float) -> None:
    assert scored(script).value == value


@pytest.mark.parametrize(
    ("rate", "takes_off"), [(0.9, 9.0), (0.5, 1.0), (0.75, 3.0), (0.01, 1 / 99), (1.0, 10.0)]
)
def test_at_its_rate_the_score_neither_grows_nor_falls(rate: float, takes_off: float) -> None:
    score = scored("x " * 50, rate=rate)
    score.good(99)
    assert score.value == pytest.approx(10 - takes_off)


def test_a_success_that_was_sent_before_the_run_says_nothing_of_it() -> None:
    score = Score(5, 0.75, 30)
    for number in range(11, 15):
        score.bad(number, 1.0, 1.0)
    for early in range(1, 11):
        score.good(early)
    assert score.value == 4
    score.good(15)
    assert score.value == 1


def test_a_run_ends_when_the_score_is_zero_and_the_next_failure_begins_another() -> None:
    score = scored("x x .")
    score.bad(9, 7.0, 8.0)
    assert (score.first, score.began, score.failed, score.done) == (9, 7.0, 1, 1)
    assert score.mean_failure == 1


@pytest.mark.parametrize(
    ("took", "age", "sent", "reached"),
    [
        # Five failures of 5 sent: nobody is silent.
        (0.1, 1.0, 5, True),
        # Few are silent: a quarter of the failures.
        (0.0, 1.0, 6, True),
        (0.0, 1.0, 7, False),
        # Of seven, those are too young to have failed that were sent in the last fifth.
        (0.2, 1.0, 7, True),
        (0.2, 1.0, 8, False),
        # All are: each failure takes as long as the run is old.
        (1.0, 1.0, 500, True),
        (9.0, 1.0, 500, True),
    ],
)
def test_it_is_reached_only_while_few_are_silent_that_could_have_failed(
    took: float, age: float, sent: int, reached: bool
) -> None:
    score = Score(5, 0.75, 30)
    for number in range(1, 6):
        score.bad(number, 0.0, took)
    assert score.reached(sent, age) == reached


def test_attempts_that_ended_without_a_word_are_not_silent() -> None:
    score = scored("x x x x x")
    assert not score.reached(20, 1.0)
    for number in range(6, 19):
        score.ended(number)
    assert not score.reached(20, 1.0)
    score.ended(19)
    assert score.reached(20, 1.0)


def test_below_its_threshold_it_is_not_reached() -> None:
    assert not scored("x x x x").reached(4, 1.0)


def test_a_run_that_is_watched_begins_at_once_and_never_ends() -> None:
    score = Score(5, 0.75, 30)
    score.watch_from(100, 50.0, 3)
    for number in range(103, 110):
        score.good(number)
    score.bad(110, 60.0, 61.0)
    assert (score.first, score.began, score.done, score.failed) == (100, 50.0, 11, 1)
    score.good(99)
    assert score.done == 11


def test_it_is_running_as_long_as_another_failure_would_go_on_with_it() -> None:
    assert not scored(". .").is_running(0.0)
    assert not scored("x .").is_running(0.0)
    assert scored("x").is_running(30.0)
    assert not scored("x").is_running(30.1)


def test_stored_times_can_be_moved_to_another_scale() -> None:
    one, other = scored("x x x x"), scored("x x x x")
    other.rebase(1e6)
    for now in (1.0, 29.0, 31.0):
        assert one.is_running(now) == other.is_running(now + 1e6)
    one.bad(5, 3.0, 4.0)
    other.bad(5, 3.0 + 1e6, 4.0 + 1e6)
    for sent in (5, 6, 7, 50):
        assert one.reached(sent, 10.0) == other.reached(sent, 10.0 + 1e6)
