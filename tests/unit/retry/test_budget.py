"""The budget for retries."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

from resilient import BudgetPolicy, ConfigError, RetryBudget


def budget(**settings: Any) -> RetryBudget:
    return RetryBudget(BudgetPolicy(**settings))


def spend(budget: RetryBudget, now: float, tries: int = 1000, key: Hashable = "a") -> int:
    """Have so many retries fail at once; return how many there were."""
    tokens = [token for _ in range(tries) if (token := budget.take(key, now))]
    for token in tokens:
        budget.charge(token, now)
    return len(tokens)


def test_so_many_retries_may_fail_at_first() -> None:
    assert spend(budget(), 0.0) == 30
    assert spend(budget(capacity=7), 0.0) == 7


def test_each_key_has_its_own() -> None:
    both = budget()
    assert spend(both, 0.0, key="a") == 30
    assert spend(both, 0.0, key="b") == 30


@pytest.mark.parametrize(("ratio", "successes"), [(0.1, 10), (0.25, 4), (1, 1)])
def test_successes_earn_a_retry_by_the_ratio(ratio: float, successes: int) -> None:
    spent = budget(ratio=ratio, min_per_second=0)
    spend(spent, 0.0)
    for _ in range(successes - 1):
        spent.earn("a", 0.0)
    assert not spent.take("a", 0.0)
    spent.earn("a", 0.0)
    assert spend(spent, 0.0) == 1


def test_below_three_tokens_it_grows_by_the_second_and_no_further() -> None:
    spent = budget()
    spend(spent, 100.0)
    assert not spent.take("a", 100.9)
    assert spend(spent, 101.0) == 1
    assert spend(spent, 103.5) == 2
    assert spend(spent, 104.0) == 1
    assert spend(spent, 4000.0) == 3


def test_it_grows_slower_or_not_at_all() -> None:
    slow, never = budget(min_per_second=0.1), budget(min_per_second=0)
    assert spend(slow, 0.0) == spend(never, 0.0) == 30
    assert spend(slow, 20.0) == 2
    assert spend(never, 1e9) == 0


def test_time_adds_nothing_to_what_is_above_three() -> None:
    half = budget()
    spend(half, 0.0, tries=15)
    assert half.left("a", 1e6) == 15


def test_a_clock_that_goes_back_stands_still() -> None:
    spent = budget()
    spend(spent, 100.0)
    assert spend(spent, 40.0) == 0
    assert spend(spent, 100.5) == 0
    assert spend(spent, 101.0) == 1


def test_another_scale_of_time_changes_nothing() -> None:
    spent = budget()
    spend(spent, 5000.0)
    spent.rebase(3.0)
    assert spend(spent, 3.9) == 0
    assert spend(spent, 4.0) == 1


def test_a_token_that_comes_back_can_be_taken_again() -> None:
    spent = budget()
    tokens = [token for _ in range(30) if (token := spent.take("a", 0.0))]
    assert spent.take("a", 0.0) is None
    spent.give_back(tokens[0], 0.0)
    assert spend(spent, 0.0) == 1


def test_a_retry_that_is_slower_than_failures_is_presumed_to_go_well() -> None:
    slow = budget(min_per_second=0)
    tokens = [token for _ in range(30) if (token := slow.take("a", 0.0, took=0.2, wait=1.0))]
    assert slow.left("a", 1.79) == 0
    assert slow.left("a", 1.81) == 30
    # Those that failed after all are charged then.
    for token in tokens[:10]:
        slow.charge(token, 10.0)
    for token in tokens[10:]:
        slow.give_back(token, 10.0)
    assert slow.left("a", 10.0) == 20


def test_failures_that_take_long_presume_nothing() -> None:
    hanging = budget(min_per_second=0)
    assert all(hanging.take("a", 0.0, took=10.0) for _ in range(30))
    assert hanging.left("a", 39.0) == 0


def test_what_was_presumed_wrongly_is_paid_for_later() -> None:
    wrong = budget(ratio=1.0, min_per_second=0)
    tokens = []
    for now in (0.0, 1.0):
        tokens += [token for _ in range(30) if (token := wrong.take("a", now))]
    for token in tokens:
        wrong.charge(token, 1.4)
    for _ in range(30):
        assert wrong.take("a", 1.4) is None
        wrong.earn("a", 1.4)
    wrong.earn("a", 1.4)
    assert wrong.take("a", 1.4) is not None


def test_a_key_that_lacks_nothing_is_not_kept() -> None:
    quiet = budget(ratio=1)
    quiet.earn("a", 0.0)
    assert not quiet.accounts
    token = quiet.take("a", 0.0)
    assert token is not None
    assert "a" in quiet.accounts
    quiet.give_back(token, 0.0)
    assert not quiet.accounts
    spend(quiet, 0.0, tries=1)
    quiet.earn("a", 0.0)
    assert not quiet.accounts
    assert quiet.left("a", 0.0) == 30


def test_the_fullest_keys_are_forgotten_first_and_memory_is_bounded() -> None:
    crowded = budget(min_per_second=0)
    spend(crowded, 0.0, key="dead")
    for number in range(10_000):
        crowded.take(number, 0.0)
        assert len(crowded.accounts) <= 1024
    assert spend(crowded, 0.0, key="dead") == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"ratio": 0},
        {"ratio": 1.5},
        {"capacity": 0},
        {"capacity": 2.5},
        {"min_per_second": -1},
        {"key": "host"},
        {"key": "origin+path:0"},
        {"key": 7},
    ],
)
def test_a_budget_that_makes_no_sense_names_the_field(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"BudgetPolicy.{next(iter(settings))} must be"):
        BudgetPolicy(**settings)
