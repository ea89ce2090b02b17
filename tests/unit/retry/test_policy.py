"""A retry policy is a value, validated when it is made."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from resilient import Backoff, BreakerPolicy, BudgetPolicy, ConfigError, RetryPolicy


def test_policies_are_compared_by_value_and_do_not_change() -> None:
    assert RetryPolicy(statuses=[503, 429]) == RetryPolicy(statuses={429, 503})
    assert hash(RetryPolicy()) == hash(RetryPolicy())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().max_attempts = 5  # type: ignore[misc]  # that is the point


def test_the_defaults_are_those_that_are_documented() -> None:
    policy = RetryPolicy()
    assert policy.max_attempts == 3
    assert policy.statuses == {408, 425, 429} | BreakerPolicy().statuses
    assert "POST" not in policy.methods
    assert policy.backoff == Backoff(base=0.5, factor=2, cap=20, jitter="full")
    assert policy.max_retry_after == 60
    assert policy.budget == BudgetPolicy(ratio=0.1)


async def async_judge(request: object, outcome: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_attempts": 0}, "RetryPolicy.max_attempts must be an integer of at least 1, not 0"),
        ({"max_attempts": 2.5}, "RetryPolicy.max_attempts"),
        ({"max_attempts": True}, "RetryPolicy.max_attempts"),
        ({"max_attempts": "3"}, "RetryPolicy.max_attempts"),
        ({"statuses": {99}}, "RetryPolicy.statuses must be a set of statuses from 200 to 999"),
        ({"statuses": {"503"}}, "RetryPolicy.statuses"),
        ({"statuses": {"504-500"}}, "RetryPolicy.statuses"),
        ({"statuses": {"100-200"}}, "RetryPolicy.statuses"),
        ({"statuses": "500-504"}, 'or of ranges such as "500-504"'),
        ({"statuses": 503}, "RetryPolicy.statuses"),
        ({"methods": "GET"}, "RetryPolicy.methods must be a set of methods .*, not 'GET'"),
        ({"methods": [1]}, "RetryPolicy.methods"),
        ({"exceptions": (asyncio.CancelledError,)}, "cancellation is never repeated"),
        ({"exceptions": BaseException}, "RetryPolicy.exceptions"),
        ({"exceptions": ["ValueError"]}, "RetryPolicy.exceptions"),
        ({"codes": "quota"}, "RetryPolicy.codes"),
        ({"codes": {"a"}, "fatal_codes": {"a"}}, "RetryPolicy.fatal_codes"),
        ({"backoff": 1}, "RetryPolicy.backoff must be a Backoff, not 1"),
        ({"max_retry_after": -1}, "RetryPolicy.max_retry_after"),
        ({"max_retry_after": float("inf")}, "RetryPolicy.max_retry_after"),
        ({"budget": 0.1}, "RetryPolicy.budget must be None or a BudgetPolicy"),
        ({"judge": "yes"}, "RetryPolicy.judge"),
        ({"judge": async_judge}, r"RetryPolicy.judge must be None or a plain \(not async\)"),
        ({"heed_should_retry": 1}, "RetryPolicy.heed_should_retry"),
        ({"idempotency_header": ""}, "RetryPolicy.idempotency_header"),
        ({"idempotency_header": "A: b"}, "RetryPolicy.idempotency_header"),
        ({"read_body_up_to": -1}, "RetryPolicy.read_body_up_to"),
    ],
)
def test_a_policy_that_makes_no_sense_names_the_field(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        RetryPolicy(**settings)


def test_what_is_given_in_other_collections_is_frozen() -> None:
    policy = RetryPolicy(
        statuses=[503],
        methods=["get", "Post"],
        exceptions=[KeyError],
    )
    assert policy.methods == {"GET", "POST"}
    assert policy.exceptions == (KeyError,)
