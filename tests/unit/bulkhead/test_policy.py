"""What a bulkhead's policy allows, and that it says so."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from resilient import Aimd, BulkheadPolicy, ConfigError
from resilient.core.statuses import SERVER_TROUBLE


def tenant(request: object) -> str:
    return "acme"


@pytest.mark.parametrize(
    "policy",
    [
        BulkheadPolicy(),
        BulkheadPolicy(max_concurrent=3, max_wait=0, key="origin+path:1"),
        BulkheadPolicy(adaptive=Aimd(initial=500), key=tenant),
        Aimd(minimum=5, statuses=[429]),
    ],
)
def test_a_policy_is_a_frozen_value(policy: Any) -> None:
    for same in (attrs.evolve(policy), pickle.loads(pickle.dumps(policy))):
        assert same == policy
        assert hash(same) == hash(policy)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.key = policy.minimum = None


def test_the_defaults_are_those_that_are_documented() -> None:
    policy, aimd = BulkheadPolicy(), Aimd()
    assert (policy.max_concurrent, policy.max_wait, policy.adaptive) == (20, 30, None)
    assert (policy.key, policy.max_destinations) == ("origin", 1024)
    assert (aimd.initial, aimd.minimum, aimd.maximum) == (20, 1, 200)
    assert (aimd.decrease, aimd.increase, aimd.statuses) == (0.9, 1, SERVER_TROUBLE)


@pytest.mark.parametrize(
    ("kind", "given", "allowed"),
    [
        (BulkheadPolicy, {"max_concurrent": 0}, "an integer of at least 1"),
        (BulkheadPolicy, {"max_concurrent": 2.5}, "an integer of at least 1"),
        (BulkheadPolicy, {"max_concurrent": None}, "an integer of at least 1"),
        (BulkheadPolicy, {"max_wait": -1}, "a finite number of at least 0 seconds"),
        (BulkheadPolicy, {"max_wait": math.inf}, "a finite number of at least 0 seconds"),
        (BulkheadPolicy, {"max_wait": "5s"}, "a finite number of at least 0 seconds"),
        (BulkheadPolicy, {"adaptive": True}, "None or an Aimd"),
        (BulkheadPolicy, {"key": "path:1"}, 'a key: "origin"'),
        (BulkheadPolicy, {"key": None}, 'a key: "origin"'),
        (BulkheadPolicy, {"max_destinations": 0}, "an integer of at least 1"),
        (BulkheadPolicy, {"adaptive": Aimd(), "max_concurrent": 5}, "left out where adaptive"),
        (Aimd, {"initial": 0}, "an integer of at least 1"),
        (Aimd, {"minimum": 0}, "an integer of at least 1"),
        (Aimd, {"maximum": 0}, "an integer of at least 1"),
        (Aimd, {"decrease": 1}, "at least 0.5 and below 1"),
        (Aimd, {"decrease": 0.49}, "at least 0.5 and below 1"),
        (Aimd, {"decrease": math.nan}, "at least 0.5 and below 1"),
        (Aimd, {"increase": 0.5}, "an integer of at least 1"),
        (Aimd, {"statuses": [200]}, "a set of statuses from 400 to 999"),
        (Aimd, {"minimum": 21}, r"at most initial \(20\)"),
        (Aimd, {"maximum": 19}, r"at least initial \(20\)"),
    ],
    ids=str,
)
def test_a_value_that_makes_no_sense_is_named_with_what_is_allowed(
    kind: Callable[..., Any], given: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(ConfigError, match=allowed) as caught:
        kind(**given)
    name = list(given)[-1]
    assert str(caught.value).startswith(f"{kind.__name__}.{name} must be ")


def test_a_default_maximum_gives_way_to_a_higher_beginning() -> None:
    assert Aimd(initial=500).effective_maximum == 500
    assert Aimd(initial=50).effective_maximum == 200
    assert Aimd(initial=20, maximum=20).effective_maximum == 20
