"""Everything that is wrong with a file, all at once and each once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from resilient import load_services
from resilient.services.config.code import Code
from resilient.services.config.configuration import read_configuration
from resilient.services.config.structure import structure
from tests.unit.services.config.problems import error, places, service

MISTAKES = """
servces = 1                                                     # 1: a slip

[default]
total_timeout = "5m"                                            # 2: no unit
match = "https://rest.example"                                  # 3: no key here

[presets.p]
breaker = { probes = 0 }                                        # 4: out of range
extends = "mavo"                                                # 5: a slip

[services.a]
match = ["https://a.example", "ftp://a.example", "a.example"]   # 6, 7: no scheme
attempt_timeout = true                                          # 8: no number
facts = []                                                      # 9: no table

[services.a.errors]
parsers = ["flat", "neted"]                                     # 10: a slip
code_rules = [
    { code = "x" },                                             # 11: neither status nor message
    { code = "", status = 5 },                                  # 12, 13
    "x",                                                        # 14: no table
    { code = "x", message = "(" },                              # 15: no regular expression
]

[services.a.retry]
max_atempts = 3                                                 # 16: a slip
codes = ["x"]
judge = "no_such_package:judge"                                 # 17: not there

[services.a.retry.backoff]
base = "10s"
cap = "5s"                                                      # 18: a contradiction

[services.b]
extends = "a"
attempt_timeout = 5                                             # 19: no match
total_timeout = 4                                               # 20: a contradiction
retry = { max_atempts = false }                                 # 21: a slip of its own
"""

PLACES = [
    "servces",
    "default.total_timeout",
    "default.match",
    "presets.p.extends",
    "presets.p.breaker.probes",
    "services.a.match[1]",
    "services.a.match[2]",
    "services.a.attempt_timeout",
    "services.a.facts",
    "services.a.errors.parsers[1]",
    "services.a.errors.code_rules[0]",
    "services.a.errors.code_rules[1].code",
    "services.a.errors.code_rules[1].status",
    "services.a.errors.code_rules[2]",
    "services.a.errors.code_rules[3].message",
    "services.a.retry.max_atempts",
    "services.a.retry.judge",
    "services.a.retry.backoff.cap",
    "services.b.match",
    "services.b.attempt_timeout",
    "services.b.retry.max_atempts",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "services.toml"
    file.write_text(MISTAKES, encoding="utf-8")
    return file


def test_all_mistakes_of_a_file(file: Path) -> None:
    found = error(file)
    assert sorted(str(each.where) for each in found.problems) == sorted(PLACES)
    assert str(found).startswith("21 problems:\n  ")
    *lines, more = str(found).splitlines()[1:]
    assert more == "  and 1 more"
    for line, each in zip(lines, found.problems[:-1], strict=True):
        assert line == f"  {each}"
        assert line.startswith(f"  {file}:{each.line}:{each.column}: {each.where} ")
        assert each.file == str(file)


def test_each_mistake_is_mended_by_itself(file: Path) -> None:
    # As many rounds as there are mistakes, none of which brings up a new one.
    mended = [
        ("servces = 1", ""),
        ('total_timeout = "5m"', 'total_timeout = "5min"'),
        ('match = "https://rest.example"', ""),
        ("probes = 0", "probes = 1"),
        ("mavo", "mavio"),
        (', "ftp://a.example"', ""),
        (', "a.example"]', "]"),
        ("attempt_timeout = true", "attempt_timeout = 2"),
        ("facts = []", ""),
        (', "neted"', ""),
        ('{ code = "x" }', '{ code = "x", status = 400 }'),
        ('code = ""', 'code = "y"'),
        ("status = 5", "status = 500"),
        ('"x",  ', ""),
        ('message = "("', 'message = "."'),
        ("max_atempts = 3", "max_attempts = 3"),
        ('judge = "no_such_package:judge"', "judge = false"),
        ('cap = "5s"', 'cap = "50s"'),
        ("[services.b]", '[services.b]\nmatch = "https://b.example"'),
        ("total_timeout = 4", "total_timeout = 60"),
    ]
    for left, (wrong, right) in zip(range(20, 0, -1), mended, strict=True):
        assert MISTAKES.count(wrong) == 1, wrong
        file.write_text(file.read_text().replace(wrong, right))
        assert len(error(file).problems) == left, (wrong, places(file))
    file.write_text(file.read_text().replace("max_atempts = false", ""))
    assert list(load_services(file)) == ["a", "b"]


def test_the_mistakes_of_a_base_are_not_repeated_for_what_extends_it(file: Path) -> None:
    heirs = "".join(
        f'[services.s{place}]\nextends = "a"\nmatch = "https://s{place}.example"\n'
        f"retry.budget.ratio = 0.2\nerrors.ignore = [404]\n"
        for place in range(10)
    )
    file.write_text(MISTAKES + heirs)
    assert sorted(str(each) for each in places(file)) == sorted(PLACES)
    # Wherever the base stands.
    head, _, rest = MISTAKES.partition("[default]")
    file.write_text(head + heirs + "[default]" + rest)
    assert sorted(str(each) for each in places(file)) == sorted(PLACES)


def test_an_heir_is_told_of_its_own_mistakes_alone() -> None:
    members: dict[str, Any] = {
        "a": {"match": "https://a.example", "retry": {"x": 1, "max_attempts": 0}, "facts": 1},
        "b": {"extends": "a", "match": "https://b.example", "retry": {"y": 1}},
        "c": {"extends": "b", "match": "https://c.example", "total_timeout": 0, "facts": []},
    }
    assert places({"services": members}) == [
        "services.a.retry.max_attempts",
        "services.a.retry.x",
        "services.a.facts",
        "services.b.retry.y",
        "services.c.total_timeout",
        "services.c.facts",
    ]


def test_the_same_mistake_in_two_tables_is_two() -> None:
    wrong = {"total_timeout": "x", "retry": {"x": 1}, "facts": 1, "errors": {"code_rules": [1]}}
    members: dict[str, Any] = {
        "b": {"extends": "a", "match": "https://b.example", **wrong},
        "a": {"match": "https://a.example", **wrong},
    }
    keys = ["total_timeout", "errors.code_rules[0]", "retry.x", "facts"]
    assert sorted(str(each) for each in places({"services": members})) == sorted(
        f"services.{name}.{key}" for name in "ab" for key in keys
    )


def test_a_mistake_that_was_mended_on_the_way_and_made_again() -> None:
    members: dict[str, Any] = {
        "a": {"match": "https://a.example", "total_timeout": "x"},
        "b": {"extends": "a", "match": "https://b.example", "total_timeout": 50},
        "c": {"extends": "b", "match": "https://c.example", "total_timeout": "x"},
    }
    assert places({"services": members}) == ["services.a.total_timeout", "services.c.total_timeout"]


def test_problems_are_in_the_order_of_the_file() -> None:
    wrong = {"match": "x", "extends": "nonsense"}
    names = ["d", "b", "c", "a"]
    services = dict.fromkeys(names, wrong)
    document = {"presets": {"p": {"x": 1}}, "services": services, "default": {"x": 1}, "y": {}}
    assert places(document) == [
        "presets.p.x",
        *(f"services.{name}.{key}" for name in names for key in ("extends", "match")),
        "default.x",
        "y",
    ]


# Contradictions: each value is right by itself.

CONTRADICTIONS = [
    ({"total_timeout": 10, "attempt_timeout": 20}, "attempt_timeout", "at most total_timeout"),
    (
        {"total_timeout": 10, "retry": {"max_retry_after": "20s"}},
        "retry.max_retry_after",
        "at most total_timeout (10 s)",
    ),
    (
        {"attempt_timeout": 20, "breaker": {"probe_lease": 10}},
        "breaker.probe_lease",
        "at least attempt_timeout (20 s)",
    ),
    ({"breaker": {"open_for": 10, "max_open_for": 5}}, "breaker.max_open_for", "at least open_for"),
    ({"breaker": {"open_for": "2min"}}, "breaker.max_open_for", "at least open_for (120 s)"),
    (
        {"retry": {"codes": ["a", "b"], "fatal_codes": ["b"]}},
        "retry.fatal_codes",
        "apart from codes",
    ),
    ({"retry": {"backoff": {"base": 5, "cap": 1}}}, "retry.backoff.cap", "at least base (5 s)"),
    ({"retry": {"backoff": {"options": {"a": 1}}}}, "retry.backoff.options", "empty unless wait"),
    (
        {"errors": {"code_rules": [{"code": "a", "status": 400}, {"code": "b"}]}},
        "errors.code_rules[1]",
        "needs a status, a message, or both",
    ),
    (
        {"errors": {"code_rules": [{"code": "b", "message": "("}]}},
        "errors.code_rules[0].message",
        "a regular expression",
    ),
]


@pytest.mark.parametrize(("settings", "key", "said"), CONTRADICTIONS)
def test_a_contradiction_alone(settings: Mapping[str, Any], key: str, said: str) -> None:
    (found,) = error(service(**settings)).problems
    assert found.where == f"services.a.{key}"
    assert said in str(found)


@pytest.mark.parametrize(
    ("base", "own", "key"),
    [
        ({"total_timeout": 10}, {"attempt_timeout": 20}, "attempt_timeout"),
        # It is the heir that is at fault, though the value is its base's.
        ({"attempt_timeout": 20}, {"total_timeout": 10}, "attempt_timeout"),
        ({"retry": {"codes": ["a"]}}, {"retry": {"fatal_codes": ["a"]}}, "retry.fatal_codes"),
        ({"retry": {"fatal_codes": ["a"]}}, {"retry": {"codes": ["a"]}}, "retry.fatal_codes"),
    ],
)
def test_a_contradiction_between_a_table_and_its_base(
    base: dict[str, Any], own: dict[str, Any], key: str
) -> None:
    services = {"a": {"match": "https://a.example", "extends": "p", **own}}
    assert places({"presets": {"p": base}, "services": services}) == [f"services.a.{key}"]


@pytest.mark.parametrize(("settings", "key", "said"), CONTRADICTIONS)
def test_a_contradiction_beside_mistakes_in_other_tables(
    settings: Mapping[str, Any], key: str, said: str
) -> None:
    elsewhere = {
        "retry": {"errors": {"max_body": -1, "x": 1}},
        "errors": {"breaker": {"probes": 0, "x": 1}},
        "breaker": {"errors": {"max_body": -1, "x": 1}},
    }
    table, _, _ = key.partition(".")
    beside = elsewhere.get(table, elsewhere["retry"])
    found = places(service(**settings, **beside))
    assert len(found) == 3
    assert f"services.a.{key}" in found


def test_all_contradictions_of_a_service() -> None:
    settings = {
        "total_timeout": 10,
        "attempt_timeout": 20,
        "retry": {
            "max_retry_after": 30,
            "codes": ["a"],
            "fatal_codes": ["a"],
            "backoff": {"base": 5, "cap": 1},
        },
        "breaker": {"open_for": 10, "max_open_for": 5},
    }
    found = places(service(**settings))
    # Retry contradicts itself, so that it is not compared with anything.
    assert sorted(str(each) for each in found) == [
        "services.a.attempt_timeout",
        "services.a.breaker.max_open_for",
        "services.a.retry.backoff.cap",
        "services.a.retry.fatal_codes",
    ]
    del settings["retry"], settings["breaker"]
    more = {"retry": {"max_retry_after": 30}, "breaker": {"probe_lease": 15}}
    assert places(service(**settings, **more)) == [
        "services.a.attempt_timeout",
        "services.a.retry.max_retry_after",
        "services.a.breaker.probe_lease",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        # In place of each wrong value the default would contradict another one.
        {"total_timeout": "x", "attempt_timeout": 200},
        {"totl_timeout": 300, "attempt_timeout": 200},
        {"total_timeout": "x", "retry": {"max_retry_after": 200}},
        {"attempt_timeout": "x", "breaker": {"probe_lease": 10}},
        {"breaker": {"open_for": 100, "max_open_for": "x"}},
        {"breaker": {"open_for": 100, "max_open_fr": 200}},
        {"retry": {"backoff": {"base": 30, "cap": "x"}}},
        {"retry": {"backoff": {"wait": "x", "options": {"a": 1}}}},
        {"errors": {"code_rules": [{"code": "a", "statsu": 400}]}},
        {"errors": {"code_rules": [{"code": "a", "status": "x"}]}},
    ],
)
def test_a_table_is_not_judged_by_what_it_lacks(settings: Mapping[str, Any]) -> None:
    assert len(error(service(**settings)).problems) == 1


# Tables in arrays.


def test_the_places_of_an_array_count_from_0() -> None:
    rules: list[Any] = [
        {"code": "a", "status": 400},
        {"code": "b", "status": 40},
        3,
        {"code": "c", "status": 400, "x": 1},
        [],
        {"status": 400, "message": 1},
        {},
    ]
    found = error(service(errors={"code_rules": rules})).problems
    at = "services.a.errors.code_rules"
    assert [each.where for each in found] == [
        f"{at}[1].status",
        f"{at}[2]",
        f"{at}[3].x",
        f"{at}[4]",
        f"{at}[5].code",
        f"{at}[5].message",
        f"{at}[6].code",
    ]
    assert str(found[-1]) == f"{at}[6].code must be given"
    assert str(found[1]) == f"{at}[2] must be a table, not 3"


def test_arrays_of_tables_in_the_form_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text(
        """
        [services.a]
        match = "https://a.example"
        [[services.a.reset_headers]]
        name = "X-Reset"
        form = "seconds"
        limit = "10min"
        [[services.a.reset_headers]]
        name = "X Reset"
        from = "timestamp"
        """
    )
    found = error(file).problems
    at = "services.a.reset_headers[1]"
    assert [each.where for each in found] == [f"{at}.form", f"{at}.name", f"{at}.from"]
    assert [(each.line, each.column) for each in found] == [(8, 22), (9, 16), (10, 9)]
    assert "(did you mean form?)" in str(found[2])
    file.write_text(file.read_text().replace("X Reset", "R").replace("from", "form"))
    policy = read_configuration(file).services[0].policy
    assert [(each.name, each.limit) for each in policy.reset_headers] == [
        ("X-Reset", 600),
        ("R", 300),
    ]


# A table by itself.


def test_structure_gives_a_policy_or_problems() -> None:
    none = Code.allowed_by(False, None)
    policy, problems = structure({"total_timeout": "30s"}, none)
    assert (policy and policy.total_timeout, problems) == (30, [])
    policy, problems = structure({"total_timeout": "30s", "x": 1}, none)
    assert policy is None
    assert [each.path for each in problems] == [("x",)]
    _, problems = structure({"x": 1, "y": 2}, none, also_known=("y", "z"))
    assert [each.path for each in problems] == [("x",), ("y",)]
    assert "throttle, total_timeout, y, z" in str(problems[0].allowed)
