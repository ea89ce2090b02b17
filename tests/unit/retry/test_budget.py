"""The budget for retries."""

from __future__ import annotations

from typing import Any

import pytest

from resilient import BudgetPolicy, ConfigError, RetryBudget


def spend(budget: RetryBudget, now: float, tries: int) -> int:
    return sum(budget.withdraw(now) for _ in range(tries))


@pytest.mark.parametrize(
    ("calls", "granted"),
    [
        pytest.param(0, 30, id="the floor alone: 3 a second over 10 s"),
        pytest.param(10, 30, id="few calls never meet the limit"),
        pytest.param(300, 30, id="where share and floor are equal"),
        pytest.param(400, 40, id="a tenth of the calls, the floor not on top"),
        pytest.param(1000, 100, id="a tenth"),
    ],
)
def test_a_share_of_the_calls_or_the_floor_whichever_is_more(calls: int, granted: int) -> None:
    budget = RetryBudget(BudgetPolicy())
    for _ in range(calls):
        budget.count_call(100.0)
    assert spend(budget, 100.0, 2000) == granted


def test_what_was_spent_comes_back_when_the_window_has_passed() -> None:
    budget = RetryBudget(BudgetPolicy(window=10))
    assert spend(budget, 0.0, 100) == 30
    assert spend(budget, 5.0, 100) == 0
    assert spend(budget, 11.0, 100) == 30


def test_old_calls_earn_nothing() -> None:
    budget = RetryBudget(BudgetPolicy(min_per_second=0.0))
    for _ in range(100):
        budget.count_call(0.0)
    assert spend(budget, 20.0, 100) == 0


def test_a_budget_without_floor_and_without_calls_grants_nothing() -> None:
    assert not RetryBudget(BudgetPolicy(min_per_second=0.0)).withdraw(0.0)


@pytest.mark.parametrize(
    "settings", [{"ratio": 0}, {"ratio": 1.5}, {"min_per_second": -1}, {"window": 0}]
)
def test_a_budget_that_makes_no_sense_names_the_field(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"BudgetPolicy.{next(iter(settings))} must be"):
        BudgetPolicy(**settings)
