"""The scenarios of the load benchmark."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.load.scenarios import SCENARIOS, OutageWindow, Scenario
from resilient.testing import FaultServer, Period
from resilient.testing.script.script import choose
from tests.unit.benchmarks.load.support import scenario
from tests.unit.testing.support import request_at


def row(each: Scenario, seed: int, count: int = 200) -> list[Any]:
    """Return the answers of the server of a scenario, to a request every 10 ms."""
    then = each.server(seed)["then"]
    return [choose(then, request_at(number / 100)) for number in range(count)]


def test_each_has_a_name_of_its_own() -> None:
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("each", SCENARIOS, ids=lambda each: each.name)
def test_the_same_seed_gives_the_same_faults(each: Scenario) -> None:
    assert row(each, seed=7) == row(each, seed=7)
    FaultServer(**each.server(7))


@pytest.mark.parametrize("name", ["random-503", "resets", "stalls", "tail"])
def test_another_seed_gives_others(name: str) -> None:
    assert row(scenario(name), seed=7) != row(scenario(name), seed=8)


def test_one_that_lasts_longer_has_its_outage_in_proportion() -> None:
    longer = scenario("outage").lasting(44)
    assert longer.seconds == 44
    assert longer.outage == OutageWindow(12, 25)
    assert scenario("calm").lasting(9).outage is None


def test_an_outage_is_counted_from_the_first_request() -> None:
    assert scenario("outage").server(1)["then"].period == Period(6, 12.5, since="first_request")


def test_a_server_that_is_offline_refuses_connections() -> None:
    options = scenario("offline").server(1)
    assert options["offline"] == [Period(6, 12.5, since="first_request")]
    assert row(scenario("offline"), 1)[0] == (0.0, options["then"])


def test_a_blip_is_an_outage_of_a_second_or_so() -> None:
    answers = [step for _, step in row(scenario("blip"), seed=1, count=1000)]
    failed = [number / 100 for number, step in enumerate(answers) if step.status == 503]
    assert (failed[0], failed[-1]) == (6.0, 7.19)
    assert len(failed) == 120


def test_a_limit_lets_two_of_three_through() -> None:
    each = scenario("limit")
    then = each.server(1)["then"]
    answers = [choose(then, request_at(number / each.rate))[1] for number in range(720)]
    passed = sum(step.status == 200 for step in answers)
    # As many at once as in a second, and so a second more than the time.
    assert passed == pytest.approx(40 * (12 + 1), abs=1)


def test_a_fifth_of_the_requests_get_a_503() -> None:
    statuses = [step.status for _, step in row(scenario("random-503"), seed=1, count=2000)]
    assert statuses.count(503) == pytest.approx(400, abs=4 * math.sqrt(320))
