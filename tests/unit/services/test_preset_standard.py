"""The preset "standard": the defaults themselves, and a list of every key there is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import pytest
from attrs import fields

from resilient import (
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    ErrorPolicy,
    Policy,
    RetryPolicy,
    ThrottlePolicy,
)
from resilient.services import load_services

TEXT = files("resilient.services").joinpath("presets/standard.toml").read_text(encoding="utf-8")


def policy_of(table: Mapping[str, Any]) -> Policy:
    services = load_services({"services": {"api": {"match": "https://api.example", **table}}})
    return services.services[0].policy


def uncommented() -> dict[str, Any]:
    """The settings of the file as if every line of them counted."""
    _, header, settings = TEXT.partition("[presets.standard]\n")
    lines = (line.removeprefix("#").removeprefix(" ") for line in settings.splitlines())
    return tomllib.loads(header + "\n".join(lines))["presets"]["standard"]  # type: ignore[no-any-return]  # a table


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

EVERY_KEY = {
    (*where, each.name)
    for where, kind in POLICIES.items()
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
    assert set(paths(uncommented())) == EVERY_KEY


def test_uncommented_it_is_still_the_standard_policy() -> None:
    assert policy_of(uncommented()) == Policy()


@pytest.mark.parametrize("path", sorted(EVERY_KEY), ids=".".join)
def test_each_line_of_it_can_be_uncommented_by_itself(path: tuple[str, ...]) -> None:
    value: Any = uncommented()
    for key in path:
        value = value[key]
    for key in reversed(path):
        value = {key: value}
    assert policy_of({"extends": "standard", **value}) == Policy()
