"""Settings of the storm benchmark, and those that are refused."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.storm.crowd_simulation import crowds
from benchmarks.storm.settings import SCENARIOS, StormSettings
from resilient import ConfigError

POLICIES = """
[services.api]
match = "https://api.example"
retry.max_attempts = 2

[services.other]
match = "https://other.example"
"""


@pytest.fixture
def policies(tmp_path: Path) -> str:
    path = tmp_path / "resilient.toml"
    path.write_text(POLICIES)
    return str(path)


def test_by_default_all_scenarios_are_measured() -> None:
    assert StormSettings().scenarios == SCENARIOS
    assert StormSettings().own == ()


def test_as_many_clients_as_were_asked_for_are_in_the_crowd() -> None:
    assert StormSettings().clients == 10_000
    assert StormSettings(quick=True).clients == 1_000
    asked_for = StormSettings(quick=True, clients=500)
    assert {each.clients for each in crowds(asked_for)} == {500}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scenarios": ("jitter", "jiter")}, "jiter"),
        ({"scenarios": ()}, "scenarios"),
        ({"scenarios": "jitter"}, "scenarios"),
        ({"clients": 3}, "clients"),
        ({"clients": 1e6}, "clients"),
        ({"clients": True}, "clients"),
        ({"seconds": 5}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 1e9}, "seconds"),
        ({"seed": "one"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"quick": "yes"}, "quick"),
        ({"policy_file": 3}, "policy_file"),
        ({"service": "api"}, "the service 'api' needs a policy file"),
    ],
)
def test_what_makes_no_sense_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StormSettings(**given)


def test_a_file_that_no_scenario_looks_at_is_refused(policies: str) -> None:
    with pytest.raises(ConfigError, match="a policy file is of no use to jitter and throttling"):
        StormSettings(scenarios=("jitter", "throttling"), policy_file=policies)
    assert StormSettings(scenarios=("jitter", "crowd"), policy_file=policies).own


def test_the_policies_of_a_file_stand_beside_the_others(policies: str) -> None:
    own = StormSettings(policy_file=policies).own
    assert [each.name for each in own] == ["api (file)", "other (file)"]
    assert own[0].policy.retry is not None
    assert own[0].policy.retry.max_attempts == 2
