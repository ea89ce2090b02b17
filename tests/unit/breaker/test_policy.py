"""What a breaker's policy allows, and that it says so."""

import math
from typing import Any

import attrs
import pytest

from resilient import BreakerPolicy, ConfigError


@pytest.mark.parametrize("policy", [BreakerPolicy(), BreakerPolicy(open_for=1, probes=1)])
def test_a_policy_is_a_frozen_value(policy: BreakerPolicy) -> None:
    same = attrs.evolve(policy)
    assert same == policy
    assert hash(same) == hash(policy)
    assert attrs.evolve(policy, window=7.0) != policy
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.window = 7.0  # type: ignore[misc]  # that is the point


def test_the_defaults_are_those_that_are_documented() -> None:
    policy = BreakerPolicy()
    assert (policy.failures, policy.failure_rate, policy.window) == (20, 0.9, 30)
    assert (policy.open_for, policy.open_factor, policy.max_open_for) == (0.5, 1.5, 5)
    assert policy.max_open_retry_after == 60
    assert (policy.probes, policy.probe_lease, policy.recovery) == (12, 60, 5)
    assert (policy.patience, policy.patience_horizon, policy.abandoned_after) == (2, 30, 10)
    assert (policy.consecutive_failures, policy.slow_call, policy.slow_rate) == (None, None, 0.9)
    assert (policy.key, policy.max_destinations) == ("origin", 1024)
    assert policy.statuses == {*range(500, 600)} - {501, 505, 506, 507, 508, 510, 511}
    assert not policy.observe


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"failure_rate": 0}, "above 0 and at most 1"),
        ({"failure_rate": 1.01}, "above 0 and at most 1"),
        ({"failure_rate": -0.5}, "above 0 and at most 1"),
        ({"failure_rate": math.nan}, "above 0 and at most 1"),
        ({"failure_rate": True}, "above 0 and at most 1"),
        ({"failure_rate": "0.5"}, "above 0 and at most 1"),
        ({"failure_rate": 50}, "above 0 and at most 1"),
        ({"slow_rate": 0}, "above 0 and at most 1"),
        ({"slow_rate": 2}, "above 0 and at most 1"),
        ({"window": 0}, "positive, finite"),
        ({"window": -1}, "positive, finite"),
        ({"window": math.inf}, "positive, finite"),
        ({"window": math.nan}, "positive, finite"),
        ({"window": None}, "positive, finite"),
        ({"failures": 0}, "an integer of at least 1"),
        ({"failures": 2.5}, "an integer of at least 1"),
        ({"failures": True}, "an integer of at least 1"),
        ({"consecutive_failures": 0}, "None or an integer of at least 1"),
        ({"consecutive_failures": 1.0}, "None or an integer of at least 1"),
        ({"slow_call": 0}, "None or a positive"),
        ({"slow_call": -1}, "None or a positive"),
        ({"slow_call": math.inf}, "None or a positive"),
        ({"open_for": 0}, "positive, finite"),
        ({"open_for": math.inf}, "positive, finite"),
        ({"max_open_for": 0}, "positive, finite"),
        ({"max_open_for": math.nan}, "positive, finite"),
        ({"open_for": 10, "max_open_for": 9.9}, r"at least open_for \(10 s\)"),
        ({"max_open_for": 0.4}, r"at least open_for \(0.5 s\)"),
        ({"open_factor": 0.9}, "at least 1"),
        ({"open_factor": math.inf}, "at least 1"),
        ({"open_factor": "2"}, "at least 1"),
        ({"max_open_retry_after": -1}, "at least 0"),
        ({"max_open_retry_after": math.inf}, "at least 0"),
        ({"patience": -0.1}, "at least 0"),
        ({"patience": math.inf}, "at least 0"),
        ({"patience": None}, "at least 0"),
        ({"patience_horizon": -1}, "at least 0"),
        ({"abandoned_after": 0}, "positive, finite"),
        ({"key": "path:1"}, 'a key: "origin", or that with "path:N"'),
        ({"key": None}, 'a key: "origin", or that with "path:N"'),
        ({"probes": 0}, "an integer of at least 1"),
        ({"probes": 1.5}, "an integer of at least 1"),
        ({"probe_lease": 0}, "positive, finite"),
        ({"probe_lease": math.inf}, "positive, finite"),
        ({"recovery": -0.1}, "at least 0"),
        ({"recovery": math.inf}, "at least 0"),
        ({"statuses": frozenset({399})}, "a set of statuses"),
        ({"statuses": frozenset({200, 503})}, "a set of statuses"),
        ({"statuses": frozenset({1000})}, "a set of statuses"),
        ({"statuses": frozenset({503.0})}, "a set of statuses"),
        ({"statuses": "503"}, "a set of statuses"),
        ({"statuses": 503}, "a set of statuses"),
        ({"statuses": frozenset({True})}, "a set of statuses"),
        ({"observe": 1}, "True or False"),
        ({"observe": None}, "True or False"),
        ({"max_destinations": 0}, "an integer of at least 1"),
        ({"max_destinations": math.inf}, "an integer of at least 1"),
    ],
    ids=str,
)
def test_a_value_that_makes_no_sense_is_named_with_what_is_allowed(
    given: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(ConfigError, match=allowed) as caught:
        BreakerPolicy(**given)
    name, value = list(given.items())[-1]
    assert str(caught.value).startswith(f"BreakerPolicy.{name} must be ")
    assert str(caught.value).endswith(f"not {value!r}")


@pytest.mark.parametrize(
    "given",
    [
        {"failure_rate": 1},
        {"failure_rate": 1e-9},
        {"slow_rate": 1.0},
        {"window": 0.001},
        {"failures": 1},
        {"consecutive_failures": 1},
        {"slow_call": 0.5},
        {"open_for": 60, "max_open_for": 60},
        {"open_for": 300, "max_open_for": 3600},
        {"probes": 1},
        {"open_factor": 1},
        {"max_open_retry_after": 0},
        {"recovery": 0},
        {"patience": 0},
        # More than any call has is no contradiction: it gives way to what is shorter.
        {"patience": 1e6},
        {"patience_horizon": 0},
        {"key": "origin+path:99+method+header:X-Tenant"},
        {"statuses": ()},
        {"max_destinations": 1},
    ],
    ids=str,
)
def test_the_ends_of_what_is_allowed_are_allowed(given: dict[str, Any]) -> None:
    policy = BreakerPolicy(**given)
    assert all(getattr(policy, name) in (value, frozenset()) for name, value in given.items())


@pytest.mark.parametrize("given", [[500, 503], (500, 503), {500, 503}, frozenset({500, 503})])
def test_statuses_come_in_any_collection(given: Any) -> None:
    assert BreakerPolicy(statuses=given).statuses == {500, 503}
    assert 599 in BreakerPolicy(statuses=range(500, 600)).statuses


def test_settings_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        BreakerPolicy(5)  # type: ignore[call-arg]  # that is the point
