"""Settings of the load benchmark, and those that are refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contenders import STANDARD
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.load.settings import LoadSettings
from resilient.errors import ConfigError
from tests.unit.benchmarks.load.support import scenario

FILE = """
[services.billing]
match = "https://billing.example"
retry = { max_attempts = 2 }

[services.pipeline]
match = "https://other.example"
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> str:
    path = tmp_path / "resilient.toml"
    path.write_text(FILE)
    return str(path)


def test_all_that_is_measured_by_default() -> None:
    settings = LoadSettings()
    assert settings.measured == tuple(each for each in SCENARIOS if each.by_default)
    assert settings.contenders == STANDARD


def test_a_quick_run_is_shorter_and_of_fewer_scenarios() -> None:
    quick = LoadSettings(quick=True).measured
    assert {each.name for each in quick} < {each.name for each in LoadSettings().measured}
    assert all(each.seconds < scenario(each.name).seconds for each in quick)


def test_what_is_asked_for_is_measured_once_and_in_that_order() -> None:
    settings = LoadSettings(
        scenarios=("dead", "offline", "dead"), policies=("retry", "none"), rate=50, seconds=6
    )
    assert [each.name for each in settings.measured] == ["dead", "offline"]
    assert [each.name for each in settings.contenders] == ["retry", "none"]
    assert {(each.rate, each.seconds) for each in settings.measured} == {(50, 6)}


def test_a_breaker_is_seen_beside_the_same_policy_without_one() -> None:
    dead, calm = scenario("dead"), scenario("calm")
    assert [each.name for each in LoadSettings().contenders_in(dead)][-1] == "no breaker"
    assert LoadSettings().contenders_in(calm) == STANDARD
    assert len(LoadSettings(policies=["none"]).contenders_in(dead)) == 1


def test_the_policies_of_a_file_come_after_the_standard_ones(policy_file: str) -> None:
    names = [each.name for each in LoadSettings(policy_file=policy_file).contenders]
    assert names[-2:] == ["billing (file)", "pipeline (file)"]
    one = LoadSettings(policy_file=policy_file, service="billing", policies=["none"]).contenders
    assert [each.name for each in one] == ["none", "billing (file)"]
    assert one[1].policy.retry is not None
    assert one[1].policy.retry.max_attempts == 2


def test_policies_can_be_sent_to_another_process(policy_file: str) -> None:
    contenders = LoadSettings(policy_file=policy_file).contenders_in(scenario("dead"))
    for each in contenders:
        assert pickle.loads(pickle.dumps(each.policy)) == each.policy


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scenarios": ["x"]}, "scenarios must be some of calm"),
        ({"scenarios": "calm"}, r"LoadSettings\.scenarios must be a list of names of scenarios"),
        ({"policies": ["x"]}, "policies must be some of none"),
        ({"policy_file": ""}, r"LoadSettings\.policy_file must be None or text"),
        ({"service": "x"}, "the service 'x' needs a policy file that has it"),
        ({"rate": 0}, r"LoadSettings\.rate must be None or a positive"),
        ({"seconds": -1}, r"LoadSettings\.seconds must be None or a number of seconds above 0, up"),
        ({"seconds": 1e12, "rate": 1e-9}, r"LoadSettings\.seconds must be .* up to 3600, not 10+"),
        ({"workers": 0}, r"LoadSettings\.workers must be an integer from 1 to 64"),
        ({"workers": 65}, r"LoadSettings\.workers must be an integer from 1 to 64"),
        ({"port": True}, r"LoadSettings\.port must be an integer from 0 to 65535"),
        ({"port": 65536}, r"LoadSettings\.port must be an integer from 0 to 65535"),
        ({"seed": 1.5}, r"LoadSettings\.seed must be an integer"),
        ({"patience": 0}, r"LoadSettings\.patience must be a number of seconds above 0"),
        ({"patience": 1e308}, r"LoadSettings\.patience must be .* up to 600, not 1e\+308"),
        ({"patience": float("nan")}, r"LoadSettings\.patience must be .* up to 600, not nan"),
        ({"quick": 1}, r"LoadSettings\.quick must be True or False"),
        ({"rate": 1000, "seconds": 51}, "1000 calls/s for 51 s is too long"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LoadSettings(**given)
