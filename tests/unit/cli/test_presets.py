"""`resilient presets`."""

from typing import Any

import pytest

from resilient import load_services
from resilient.services.config.layers import preset_names
from tests.unit.cli.support import facts_of, run


def test_it_lists_all_of_them() -> None:
    listed = facts_of("presets")["presets"]
    assert [each["name"] for each in listed] == sorted(preset_names())
    shown = "".join(run("presets").stdout.split())
    for each in listed:
        assert each["name"] in shown
        assert all(source in shown for source in each["facts"].get("source", ())[:1])


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_it_shows_what_one_of_them_sets(name: str) -> None:
    (preset,) = facts_of("presets", name)["presets"]
    assert preset == next(each for each in facts_of("presets")["presets"] if each["name"] == name)
    table: Any = {"extends": name, "match": "https://api.example"}
    service = load_services({"services": {"it": table}}).services[0]
    assert preset["facts"].keys() == service.facts.keys()
    shown = run("presets", name).stdout
    for key in (*preset["settings"], *(f"facts.{each}" for each in preset["facts"])):
        assert key in shown


def test_a_preset_says_nothing_of_what_it_leaves_at_its_default() -> None:
    (preset,) = facts_of("presets", "stripe")["presets"]
    assert preset["settings"].keys() == {
        "errors.parsers",
        "errors.request_id_headers",
        "retry.statuses",
        "retry.idempotency_header",
    }
    assert facts_of("presets", "standard") == {
        "presets": [{"name": "standard", "settings": {}, "facts": {}}]
    }


@pytest.mark.parametrize(("slip", "meant"), [("githb", "github"), ("stipe", "stripe")])
def test_an_unknown_name_is_answered_with_the_nearest(slip: str, meant: str) -> None:
    result = run("presets", slip)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert f"(did you mean {meant}?)" in line


def test_a_name_like_none_is_answered_with_all() -> None:
    result = run("presets", "\x1b[31m!")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert "anthropic, aws-json" in result.stderr
