"""The JSON Schema that `resilient schema` prints says what `check` says, as far as a schema can."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from resilient import ConfigError, load_services
from resilient.cli.schema import schema
from resilient.services.config.keys import KINDS, fields_of
from resilient.services.config.layers import preset_names
from tests.unit.cli.support import run
from tests.unit.services.config.settings import FORMS, SETTINGS, document

ROOT = Path(__file__).parents[3]
VALIDATOR = Draft202012Validator(schema())


def complaints(value: Any) -> list[str]:
    """Everything that the schema says of a value, also of each alternative."""
    pending = [*VALIDATOR.iter_errors(value)]
    found = []
    while pending:
        each = pending.pop()
        found.append(f"{each.json_path}: {each.message}")
        pending += each.context or ()
    return found


def test_it_is_printed_as_json_and_is_a_schema() -> None:
    result = run("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == schema()
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_every_preset_is_valid(name: str) -> None:
    text = (files("resilient.services") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    document = json.loads(json.dumps(tomllib.loads(text), default=str))
    assert complaints(document) == []


def examples() -> Iterator[Any]:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
            # Of other tools, and what a page shows to be wrong.
            if not block.startswith(("# pyproject.toml", "# broken.toml")):
                yield pytest.param(block, id=page.name)


@pytest.mark.parametrize("example", [*examples()])
def test_every_example_of_the_documents_is_valid(example: str) -> None:
    assert complaints(json.loads(json.dumps(tomllib.loads(example), default=str))) == []


EVERY = [
    pytest.param(kind, key, id=f"{kind.__name__}.{key}")
    for kind, settings in SETTINGS.items()
    for key in settings
]


@pytest.mark.parametrize(("kind", "key"), EVERY)
def test_what_check_accepts_is_valid(kind: type[Any], key: str) -> None:
    setting = SETTINGS[kind][key]
    given = [value for value, _ in setting.right] + [FORMS[each] for each in setting.takes.split()]
    for value in given:
        assert complaints(document(kind, {**setting.along, key: value})) == [], value


@pytest.mark.parametrize(("kind", "key"), EVERY)
def test_what_check_refuses_by_its_type_is_not_valid(kind: type[Any], key: str) -> None:
    setting = SETTINGS[kind][key]
    forms = {"true", "date", "arrays", "table", "integer", "text"} - set(setting.takes.split())
    refused = {
        form for form in forms if complaints(document(kind, {**setting.along, key: FORMS[form]}))
    }
    # A text may be a name that only a program knows, an integer or a table too large or too small.
    assert forms - refused <= {"text", "integer", "table", "arrays"}
    assert {"true", "date"} & forms <= refused


@pytest.mark.parametrize("kind", KINDS, ids=lambda it: it.__name__)
def test_an_unknown_key_is_refused_by_both(kind: type[Any]) -> None:
    wrong = document(kind, {"nonsense": 1})
    assert any("'nonsense' was unexpected" in each for each in complaints(wrong))
    with pytest.raises(ConfigError, match="nonsense is no known key"):
        load_services(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"servces": {}},
        {"services": {"a": {}}},
        {"services": {"default": {"match": "https://a.example"}}},
        {"services": {"a": {"match": []}}},
        {"services": {"a": {"match": "a.example"}}},
        {"services": {"a": 3}},
        {"default": {"match": "https://a.example"}},
        {"default": {"total_timeout": "5m"}},
        {"default": {"total_timeout": 0}},
        {"default": {"retry": True}},
        {"default": {"retry": {"max_attempts": 0}}},
        {"default": {"retry": {"statuses": [99]}}},
        {"default": {"retry": {"statuses": ["500"]}}},
        {"default": {"retry": {"backoff": {"jitter": "ful"}}}},
        {"default": {"errors": {"code_rules": [{"status": 400}]}}},
        {"default": {"breaker": {"failure_rate": 1.5}}},
        {"presets": {"p": {"extends": 3}}},
    ],
)
def test_other_mistakes_that_both_refuse(wrong: dict[str, Any]) -> None:
    assert complaints(wrong) != []
    with pytest.raises(ConfigError):
        load_services(wrong)


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n", "\u00a0"])
def test_blanks_around_a_pattern_are_valid_for_both(blank: str) -> None:
    right = {"services": {"a": {"match": [f"{blank}https://a.example{blank}"]}}}
    assert complaints(right) == []
    load_services(right)


def test_every_field_has_its_description_and_every_default_is_valid() -> None:
    defined = schema()["$defs"]
    for kind in KINDS:
        table = defined["Service" if kind.__name__ == "Policy" else kind.__name__]
        for attribute in fields_of(kind):
            field = table["properties"][attribute.name]
            assert field["description"]
            if "default" in field:
                inside = {**field, "$defs": defined}
                assert list(Draft202012Validator(inside).iter_errors(field["default"])) == []
    assert "mavio" in defined["Service"]["properties"]["extends"]["anyOf"][0]["enum"]
    assert defined["Backoff"]["properties"]["jitter"]["enum"]
    assert defined["RetryPolicy"]["properties"]["judge"]["default"] is False
