"""Each setting of each policy in a file: what it comes to, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest

from resilient import Policy, load_services
from resilient.services.config.configuration import read_configuration
from resilient.services.config.keys import KINDS, fields_of, nested_kind
from resilient.services.config.problems import dotted
from tests.unit.services.config.problems import error
from tests.unit.services.config.settings import FORMS, PLACES, SETTINGS, document, policy
from tests.unit.services.config.toml import dumps

RIGHT = [
    pytest.param(kind, {**each.along, key: given}, {**each.along, key: built}, id=f"{key}={given}")
    for kind, settings in SETTINGS.items()
    for key, each in settings.items()
    for given, built in each.right
]
ALL = [
    pytest.param(kind, key, id=f"{kind.__name__}.{key}")
    for kind, settings in SETTINGS.items()
    for key in settings
]


def policy_of(source: Any) -> Policy:
    (service,) = read_configuration(source, code=True).services
    return service.policy


def test_every_field_of_every_policy_has_cases_here() -> None:
    # Whoever adds a field says here what a file may set it to.
    assert set(SETTINGS) == set(PLACES) == set(KINDS)
    for kind, settings in SETTINGS.items():
        assert list(settings) == [each.name for each in fields_of(kind)]
        assert all(each.right for each in settings.values())


def test_every_policy_that_a_policy_holds_can_be_described() -> None:
    held = {nested_kind(each) for kind in KINDS for each in fields_of(kind)}
    assert held == {*KINDS, None} - {Policy}


@pytest.mark.parametrize(("kind", "given", "built"), RIGHT)
def test_a_file_gives_the_policy_that_code_builds(
    kind: type[Any], given: dict[str, Any], built: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "services.toml"
    file.write_text(dumps(document(kind, given)), encoding="utf-8")
    expected = policy(kind, built)
    assert policy_of(file) == policy_of(document(kind, given)) == expected


def test_the_cases_set_something_else_than_the_defaults() -> None:
    for kind, settings in SETTINGS.items():
        for key, each in settings.items():
            alone = policy(kind, each.along) if key not in ("code", "form", "name") else None
            built = [policy(kind, {**each.along, key: value}) for _, value in each.right]
            assert any(one != alone for one in built), f"{kind.__name__}.{key}"


@pytest.mark.parametrize(("kind", "key"), ALL)
def test_what_a_setting_cannot_be_is_named(kind: type[Any], key: str) -> None:
    setting = SETTINGS[kind][key]
    place = dotted(("services", "a", *PLACES[kind], key))
    for form in FORMS.keys() - setting.takes.split():
        found = error(document(kind, {**setting.along, key: FORMS[form]}), code=True)
        for problem in found.problems:
            # Of a table or an array, what is wrong within.
            within = (problem.where or "").removeprefix(place)
            assert within in WITHIN, f"{form}: {problem}"
            assert "is wrong" not in str(problem), form


WITHIN = {"", ".nonsense", "[0]"} | {f"[0].{key}" for key in ("code", "form", "name", "nonsense")}


@pytest.mark.parametrize(("kind", "key"), ALL)
def test_what_else_a_setting_may_be(kind: type[Any], key: str) -> None:
    setting = SETTINGS[kind][key]
    for form in setting.takes.split():
        load_services(document(kind, {**setting.along, key: FORMS[form]}), code=True)


def test_false_leaves_out_what_code_may_leave_out_and_nothing_else() -> None:
    for kind in KINDS:
        for field in fields_of(kind):
            setting = SETTINGS[kind][field.name]
            built = [value for given, value in setting.right if given is False]
            may_be_none = NoneType in get_args(field.type)
            assert (built == [None]) is may_be_none, f"{kind.__name__}.{field.name}"


@pytest.mark.parametrize("key", ["name", "_pattern", "pattern", "__init__"])
def test_what_is_no_setting_is_no_key(key: str) -> None:
    for kind in KINDS:
        if (kind.__name__, key) == ("ResetHeader", "name"):
            continue
        found = error(document(kind, {key: "x"})).problems
        assert any("is no known key" in str(each) for each in found)
