"""`Service`: a value, and what is refused."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from yarl import URL

from resilient import (
    ConfigError,
    Policy,
    RetryPolicy,
    Service,
)
from resilient.services import Pattern
from tests.unit.services.support import MAVIO, MEETERGO

QUICK = Policy(total_timeout=20)


def test_a_service_is_a_value() -> None:
    made = Service("mavio", MAVIO, QUICK, facts={"requests_per_minute": 300})
    assert made == Service("mavio", [MAVIO], QUICK, facts={"requests_per_minute": 300})
    assert hash(made) == hash(Service("mavio", (MAVIO,), QUICK))
    assert made != Service("mavio", MAVIO, QUICK)
    assert made != Service("mavio", MAVIO)
    assert made != Service("meetergo", MAVIO, QUICK, facts=made.facts)
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    with pytest.raises(AttributeError):
        made.name = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    "match", [[MAVIO, MEETERGO], (MAVIO, MEETERGO), {MAVIO, MEETERGO}, frozenset([MAVIO, MEETERGO])]
)
def test_a_service_covers_one_pattern_or_several(match: Any) -> None:
    assert Service("mavio", MAVIO).match == (MAVIO,)
    service = Service("both", match)
    assert sorted(service.match) == [MAVIO, MEETERGO]
    assert set(service.patterns) == {Pattern.parse(MAVIO), Pattern.parse(MEETERGO)}


def test_a_service_without_a_policy_has_the_standard_one() -> None:
    assert Service("mavio", MAVIO).policy == Policy()
    assert Service("mavio", MAVIO).facts == {}


def test_the_facts_of_a_service_are_its_own() -> None:
    given = {"requests_per_minute": 300}
    service = Service("mavio", MAVIO, facts=given)
    given["requests_per_minute"] = 5
    assert service.facts == {"requests_per_minute": 300}


@pytest.mark.parametrize(
    ("settings", "where", "given", "allowed"),
    [
        ({"name": ""}, "Service.name", "''", "a name"),
        ({"name": " "}, "Service.name", "' '", "a name"),
        ({"name": None}, "Service.name", "None", "a name"),
        ({"name": 5}, "Service.name", "5", "a name"),
        ({"match": []}, "Service.match", "()", "a pattern of URLs, or a list of them"),
        ({"match": None}, "Service.match", "None", "a pattern of URLs, or a list of them"),
        ({"match": {MAVIO: 1}}, "Service.match", None, "a pattern of URLs, or a list of them"),
        ({"match": [5]}, "Service.match", "5", 'a text such as "https://api.example.com"'),
        ({"match": "ftp://a"}, "Service.match", "'ftp://a'", None),
        ({"match": URL("https://u:s3cret@a")}, "Service.match", "'https://…@a'", None),
        ({"policy": None}, "Service.policy", "None", "a Policy"),
        ({"policy": RetryPolicy()}, "Service.policy", None, "a Policy"),
        ({"facts": None}, "Service.facts", "None", "a mapping"),
        ({"facts": [("a", 1)]}, "Service.facts", "[('a', 1)]", "a mapping"),
    ],
)
def test_a_service_that_makes_no_sense_names_the_field(
    settings: dict[str, Any], where: str, given: str | None, allowed: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        Service(**{"name": "mavio", "match": MAVIO, **settings})
    assert caught.value.where == where
    assert given is None or caught.value.given == given
    assert allowed is None or caught.value.allowed == allowed
    assert "s3cret" not in str(caught.value)


def test_every_pattern_that_is_none_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Service("mavio", ["mavio.example", MAVIO, "https://*", 5])  # type: ignore[list-item]  # on purpose
    error = caught.value
    assert [each.given for each in error.problems] == ["'mavio.example'", "'https://*'", "5"]
    assert str(error).splitlines()[0] == "3 problems:"
    assert len(str(error).splitlines()) == 4
