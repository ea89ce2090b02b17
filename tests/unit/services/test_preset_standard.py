"""The preset "standard": the defaults themselves, and a list of every key there is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import pytest
from attrs import fields

from resilient import (
    Aimd,
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    BulkheadPolicy,
    ErrorPolicy,
    Policy,
    RetryPolicy,
    TelemetryPolicy,
    ThrottlePolicy,
)
from resilient.services import load_services

TEXT = files("resilient.services").joinpath("presets/standard.toml").read_text(encoding="utf-8")


def policy_of(table: Mapping[str, Any]) -> Policy:
    services = load_services({"services": {"api": {"match": "https://api.example", **table}}})
    return services.services[0].policy


def uncommented() -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the file as if every line of them counted.

    Returns:
        Those of the parts that are there, and those of parts that have to be switched on, whose
        tables are comments too.
    """
    _, header, settings = TEXT.partition("[presets.standard]\n")
    there, _, words_and_off = settings.partition("\n# Parts that are left out ")
    _, _, off = words_and_off.partition("\n\n")
    texts = (header + there, off)
    lines = [[each.removeprefix("#").removeprefix(" ") for each in it.splitlines()] for it in texts]
    first, second = (tomllib.loads("\n".join(each))["presets"]["standard"] for each in lines)
    return first, second


def paths(table: Mapping[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, Mapping):
            yield from paths(value, *above, key)


# Where each policy stands in a table of settings.
POLICIES: dict[tuple[str, ...], type] = {
    (): Policy,
    ("errors",): ErrorPolicy,
    ("retry",): RetryPolicy,
    ("retry", "backoff"): Backoff,
    ("retry", "budget"): BudgetPolicy,
    ("throttle",): ThrottlePolicy,
    ("breaker",): BreakerPolicy,
}
SWITCHED_ON: dict[tuple[str, ...], type] = {
    ("bulkhead",): BulkheadPolicy,
    ("bulkhead", "adaptive"): Aimd,
    ("telemetry",): TelemetryPolicy,
}

EVERY_KEY = {
    (*where, each.name)
    for where, kind in (POLICIES | SWITCHED_ON).items()
    for each in fields(kind)
    if each.init and (kind, each.name) != (Policy, "name")
}


def test_it_is_the_standard_policy() -> None:
    assert policy_of({"extends": "standard"}) == Policy()
    services = load_services({"default": {"extends": "standard"}})
    assert services.default_pipeline is not None
    assert services.default_pipeline.policy == Policy()


def test_nothing_in_it_counts() -> None:
    assert list(paths(tomllib.loads(TEXT)["presets"]["standard"])) == [
        where for where in POLICIES if where
    ]


@pytest.mark.parametrize("settings", [{"total_timeout": 5.0}, {"attempt_timeout": 90.0}])
def test_its_defaults_give_way_to_a_setting(settings: dict[str, float]) -> None:
    """Said by hand, each would be at odds with a default."""
    assert policy_of({"extends": "standard", **settings}) == Policy(**settings)  # type: ignore[arg-type]  # floats


def test_every_key_of_the_policies_is_in_it_and_no_other() -> None:
    there, off = uncommented()
    assert {*paths(there), *paths(off)} == EVERY_KEY


def test_uncommented_it_is_still_the_standard_policy() -> None:
    there, _ = uncommented()
    assert policy_of(there) == Policy()


def test_a_part_that_has_to_be_switched_on_has_its_own_defaults_in_it() -> None:
    there, off = uncommented()
    assert {each: there[each] for each in off} == dict.fromkeys(off, False)
    assert BulkheadPolicy().adaptive is None
    adaptive = off["bulkhead"].pop("adaptive")
    on = Policy(bulkhead=BulkheadPolicy(), telemetry=TelemetryPolicy())
    assert policy_of(off) == policy_of({"bulkhead": {}, "telemetry": {}}) == on
    on = policy_of({"bulkhead": {"adaptive": adaptive}})
    assert on == Policy(bulkhead=BulkheadPolicy(adaptive=Aimd()))


@pytest.mark.parametrize("path", sorted(set(paths(uncommented()[0]))), ids=".".join)
def test_each_line_of_it_can_be_uncommented_by_itself(path: tuple[str, ...]) -> None:
    value: Any
    value, _ = uncommented()
    for key in path:
        value = value[key]
    for key in reversed(path):
        value = {key: value}
    assert policy_of({"extends": "standard", **value}) == Policy()
