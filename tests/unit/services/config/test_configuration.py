"""A file as a whole: its services, its default, and tables of the wrong shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilient import Policy, RetryPolicy, load_services
from resilient.services.config.configuration import read_configuration
from resilient.services.config.spelling import kind_of, spelled
from tests.unit.services.config.problems import error, places, service

DOCUMENT = """
[default]
total_timeout = "50s"

[services.b]
extends = "a"
match = ["https://b.example", "https://*.b.example/v1"]
facts = { requests_per_minute = 300, at = 2030-01-01 }

[presets.quick]
attempt_timeout = "250ms"

[services.a]
extends = "quick"
match = "https://a.example"
retry = { max_attempts = 2 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "services.toml"
    file.write_text(DOCUMENT, encoding="utf-8")
    return file


def test_services_are_in_the_order_of_the_file(file: Path) -> None:
    read = read_configuration(file)
    assert [each.name for each in read.services] == ["b", "a"]
    assert [each.match for each in read.services] == [
        ("https://b.example", "https://*.b.example/v1"),
        ("https://a.example",),
    ]
    assert list(load_services(file)) == ["b", "a"]


def test_what_a_file_says(file: Path) -> None:
    read = read_configuration(file)
    b, a = read.services
    assert a.policy == b.policy == Policy(attempt_timeout=0.25, retry=RetryPolicy(max_attempts=2))
    assert read.default == Policy(total_timeout=50)
    assert b.facts["requests_per_minute"] == 300
    assert a.facts == {}
    assert read.file == str(file)
    assert set(read.layers) == {"a", "b", "default"}
    assert [each.path[-1] for each in read.layers["b"].bases] == ["a", "quick"]


def test_a_file_without_a_default(file: Path) -> None:
    read = read_configuration(service())
    assert read.default is None
    assert read.file is None
    assert set(read.layers) == {"a"}


def test_an_empty_default_is_one() -> None:
    assert read_configuration({"default": {}}).default == Policy()


def test_a_service_of_nothing_but_its_match() -> None:
    assert read_configuration(service()).services[0].policy == Policy()


def test_names_are_anything_but_blank() -> None:
    names = ["a.b", 'a"b', "ü", "presets", "services", "standard", "match", "0", " x "]
    members = {name: {"match": f"https://s{at}.example"} for at, name in enumerate(names)}
    assert list(load_services({"services": members})) == names
    for name in ("", " ", "\t\n"):
        (found,) = error({"services": {name: {"match": "https://a.example"}}}).problems
        assert (found.where, found.given) == (f"services.{spelled(name)}", spelled(name))
        assert found.allowed == "a name"


def test_the_name_of_the_default_is_reserved() -> None:
    found = error({"services": {"default": {"match": "x", "retry": 1}}, "default": {"x": 1}})
    assert [each.where for each in found.problems] == [
        "services.default.retry",
        "services.default",
        "services.default.match",
        "default.x",
    ]
    assert "is reserved: [default] is for the URLs that no service covers" in str(found)


@pytest.mark.parametrize(
    "match",
    [
        "",
        " ",
        "api.example",
        "ftp://a.example",
        "https://",
        "https://*",
        "https://a.*.example",
        "https://a.example?x=1",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a_b..example",
        "https://user@a.example",
        [],
        [[]],
        [""],
        False,
        3,
        {"a": 1},
        {},
    ],
)
def test_a_match_that_matches_nothing(match: Any) -> None:
    (found,) = error(service(match=match)).problems
    is_array = isinstance(match, list) and match
    assert found.where == f"services.a.match{'[0]' * bool(is_array)}"
    assert found.allowed is not None


def test_every_pattern_of_a_match_is_judged() -> None:
    found = error(service(match=["x", "https://b.example", "https://*", 3])).problems
    assert [(each.where, each.given) for each in found] == [
        ("services.a.match[0]", '"x"'),
        ("services.a.match[2]", '"https://*"'),
        ("services.a.match[3]", "3"),
    ]


def test_a_match_is_given_by_every_service() -> None:
    found = error({"services": {"a": {}, "b": {"retry": 1}}}).problems
    assert [each.where for each in found] == [
        "services.a.match",
        "services.b.retry",
        "services.b.match",
    ]
    assert str(found[0]).startswith("services.a.match must be given: a pattern such as ")


def test_two_services_that_cover_the_same() -> None:
    members: dict[str, Any] = {
        "a.b": {"match": ["https://a.example/v1", "https://x.example"]},
        "c": {"match": ["https://c.example", "HTTPS://A.example.:443/v1/"]},
        # Twice the same in one service harms nobody, and what clashes is said once.
        "d": {"match": ["https://x.example", "https://X.example", "https://d.example"] * 2},
    }
    found = error({"services": members}).problems
    assert [(each.where, each.given) for each in found] == [
        ("services.c.match[1]", '"https://a.example/v1"'),
        ("services.d.match[0]", '"https://x.example"'),
    ]
    assert all('apart from what services."a.b" covers' in str(each) for each in found)


def test_the_later_of_two_in_the_file_is_at_fault() -> None:
    members = {
        "heir": {"match": "https://a.example", "extends": "base"},
        "base": {"match": "https://a.example"},
    }
    assert places({"services": members}) == ["services.base.match"]


def test_a_clash_is_found_beside_other_mistakes() -> None:
    members = {
        "a": {"match": "https://a.example", "retry": {"x": 1}},
        "b": {"match": "https://a.example", "total_timeout": "x"},
        "c": {"match": ["https://a.example", "x"]},
    }
    assert places({"services": members}) == [
        "services.a.retry.x",
        "services.b.total_timeout",
        "services.b.match",
        "services.c.match[1]",
    ]


SCALARS: list[Any] = [None, True, False, 3, 1.5, "x", [], [{}], ["x"]]


@pytest.mark.parametrize("value", SCALARS)
def test_tables_that_are_none(value: Any) -> None:
    for key, allowed in (
        ("services", "a table of tables, [services.NAME]"),
        ("presets", "a table of tables, [presets.NAME]"),
        ("default", "a table"),
    ):
        (found,) = error({**service(), key: value}).problems
        assert (found.where, found.allowed, found.given) == (key, allowed, kind_of(value))
    for key in ("services", "presets"):
        (found,) = error({key: {"b": value}}).problems
        kind = kind_of(value)
        assert (found.where, found.allowed, found.given) == (f"{key}.b", "a table", kind)
        assert str(found) == f"{key}.b must be a table, not {kind}"


def test_a_service_may_not_stand_at_the_top() -> None:
    document = {"mavio": {"match": "https://a.example"}, "total_timeout": 5, "": 1}
    assert places(document) == ["mavio", "total_timeout", '""']


@pytest.mark.parametrize("group", ["presets", "default"])
def test_only_services_match(group: str) -> None:
    table = {"match": "https://a.example"}
    document: dict[str, Any] = {group: table if group == "default" else {"p": table}, **service()}
    (found,) = error(document).problems
    assert "match is no known key" in str(found)


@pytest.mark.parametrize("facts", [False, 3, "x", [], [{}], None])
def test_facts_are_a_table(facts: Any) -> None:
    table = {"facts": facts}
    document: dict[str, Any] = {
        "services": {"a": {"match": "https://a.example", **table}},
        "default": table,
        "presets": {"p": table},
    }
    assert places(document) == ["services.a.facts", "default.facts", "presets.p.facts"]


def test_a_preset_that_nobody_extends_is_judged_too() -> None:
    assert places({"presets": {"p": {"retry": {"x": 1}}}}) == ["presets.p.retry.x"]


def test_tables_of_nothing() -> None:
    documents: list[dict[str, Any]] = [{"services": {}}, {"presets": {}}, {"presets": {"p": {}}}]
    for document in documents:
        read = read_configuration(document)
        assert (read.services, read.default) == ((), None)


def test_configurations_of_the_same_file_are_equal_in_what_they_come_to(file: Path) -> None:
    one, two = read_configuration(file), read_configuration(file)
    assert (one.services, one.default, one.file) == (two.services, two.default, two.file)
