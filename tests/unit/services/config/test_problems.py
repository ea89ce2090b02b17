"""How problems are put: keys as TOML writes them, hints, and no secrets."""

from __future__ import annotations

import logging
import os
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest

from resilient import Policy
from resilient.services.config.problems import KeyPath, dotted
from tests.unit.services.config.problems import error, places, service


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("services", "a", "retry"), "services.a.retry"),
        (("a", 0, "b", 11), "a[0].b[11]"),
        (("a-b_1", "2"), "a-b_1.2"),
        (("a.b",), '"a.b"'),
        (("a", ""), 'a.""'),
        (("a b", 'c"d', "e\\f"), '"a b"."c\\"d"."e\\\\f"'),
        (("a\nb\tc", "\x1b[31m\x00"), '"a\\nb\\tc"."\\u001b[31m\\u0000"'),
        (("größe", "日本"), '"größe"."日本"'),
        (("a\u202eb",), '"a\\u202eb"'),  # turns round what follows it
        (("k" * 101,), '"' + "k" * 99 + '…"'),
        ((), ""),
    ],
)
def test_keys_are_put_as_toml_writes_them(path: KeyPath, text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    "key", ["a", "a.b", "", " ", '"', "\\", "\n", "\x1f", "=", "#", "ü", "[0]"]
)
def test_a_key_can_be_copied_out_of_an_error(key: str) -> None:
    (found,) = error(service(**{key: 1, "retry": {}})).problems
    assert tomllib.loads(f"{found.where} = 1") == {"services": {"a": {key: 1}}}


def test_errors_stay_in_their_line() -> None:
    found = error({"services": {"a\nb": {"x\r\ny": 1, "extends": "\n"}}})
    assert len(found.problems) == 3
    assert all("\n" not in str(each) and "\r" not in str(each) for each in found.problems)
    assert len(str(found).splitlines()) == 4


def test_what_others_say_is_put_into_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_verbose.py").write_text("raise ValueError('one\\ntwo\\x1b[31m')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = error(service(match="\x1b[31m", retry={"judge": "acme_verbose:x"}), code=True)
    assert "ValueError: one\\ntwo\\x1b[31m" in str(found)
    assert len(str(found).splitlines()) == 3
    assert "\x1b" not in str(found)


UNKNOWN = [
    # (document, dotted key, hint)
    (service(atempt_timeout=1), "services.a.atempt_timeout", "attempt_timeout"),
    (service(extend="mavio"), "services.a.extend", "extends"),
    (service(Match="x"), "services.a.Match", "match"),
    (service(retry={"max_atempts": 1}), "services.a.retry.max_atempts", "max_attempts"),
    (service(retry={"budget": {"ratoi": 1}}), "services.a.retry.budget.ratoi", "ratio"),
    # Keys of other tables.
    (service(max_attempts=1), "services.a.max_attempts", "retry.max_attempts"),
    (service(retry={"cap": 1}), "services.a.retry.cap", "retry.backoff.cap"),
    (
        service(retry={"total_timeout": 1}),
        "services.a.retry.total_timeout",
        "total_timeout in the service's own table",
    ),
    (service(window=1), "services.a.window", "breaker.window"),
    (
        service(statuses=[]),
        "services.a.statuses",
        "retry.statuses or breaker.statuses or bulkhead.adaptive.statuses",
    ),
    (
        service(errors={"total_timeout": 1}),
        "services.a.errors.total_timeout",
        "total_timeout in the service's own table",
    ),
    (service(read_timeout=1), "services.a.read_timeout", "errors.read_timeout"),
    # But rather a singular of its own.
    (service(retry={"status": []}), "services.a.retry.status", "statuses"),
    (service(retry={"code": []}), "services.a.retry.code", "codes"),
    # Slips for those; the table's own come first.
    (service(max_atempts=1), "services.a.max_atempts", "retry.max_attempts"),
    (service(failure_rat=1), "services.a.failure_rat", "breaker.failure_rate"),
    (service(timeout=1), "services.a.timeout", "total_timeout"),
    (
        service(retry={"reset_headers": []}),
        "services.a.retry.reset_headers",
        "reset_headers in the service's own table",
    ),
    # In arrays.
    (
        service(errors={"code_rules": [{"code": "a", "status": 400}, {"cod": "b"}]}),
        "services.a.errors.code_rules[1].cod",
        "code",
    ),
    # At the top.
    ({"servces": {}}, "servces", "services"),
    ({"preset": {}}, "preset", "presets"),
    ({"Default": {}}, "Default", "default"),
    ({"default": {"retries": {}}}, "default.retries", "retry"),
    ({"presets": {"p": {"braker": {}}}}, "presets.p.braker", "breaker"),
]


@pytest.mark.parametrize(("document", "place", "meant"), UNKNOWN)
def test_the_key_that_was_meant(document: dict[str, Any], place: str, meant: str) -> None:
    (found,) = [each for each in error(document).problems if each.where == place]
    assert f"{place} is no known key (did you mean {meant}?); known here: " in str(found)


KNOWN = sorted(
    [each.name for each in attrs.fields(Policy) if each.name != "name"]
    + ["extends", "facts", "match"]
)


@pytest.mark.parametrize("key", ["nonsense", "zzz", "", "k" * 100_000])
def test_no_hint_where_nothing_is_near(key: str) -> None:
    (found,) = error(service(**{key: 1})).problems
    assert "did you mean" not in str(found)
    assert f"known here: {', '.join(KNOWN)}" in str(found)
    assert len(str(found)) < 300


def test_what_is_known_depends_on_the_table() -> None:
    def known(document: dict[str, Any]) -> str:
        (found,) = error(document).problems
        assert found.allowed is not None
        return found.allowed

    of_preset = ", ".join(key for key in KNOWN if key != "match")
    assert known({"presets": {"p": {"x": 1}}}) == f"one of {of_preset}"
    assert known({"default": {"match": "x"}}) == known({"presets": {"p": {"x": 1}}})
    assert known(service(retry={"budget": {"x": 1}})) == (
        "one of capacity, key, min_per_second, ratio"
    )
    assert known({"x": 1}) == "one of default, include, presets, services"


def test_a_table_of_unknown_keys_is_reported_whole() -> None:
    keys = [f"total_timeou{place:04}" for place in range(2000)]
    found = error(service(**dict.fromkeys(keys, 1))).problems
    assert [each.where for each in found] == [f"services.a.{key}" for key in keys]
    # To look for what each was meant to be takes long.
    assert "(did you mean total_timeout?)" in str(found[0])
    assert "did you mean" not in str(found[-1])


SECRET = "hunter2"


@pytest.mark.parametrize("value", [SECRET, [SECRET], {SECRET: 1}, {"x": SECRET}, [{"x": SECRET}]])
def test_the_value_of_an_unknown_key_is_not_shown(
    value: object, caplog: pytest.LogCaptureFixture
) -> None:
    document = service(api_key=value, retry={"token": value}, errors={"code_rules": [{"x": value}]})
    document["password"] = value
    document["default"] = {"authorization": value}
    for group in ("services", "presets"):
        document.setdefault(group, {})["key"] = value if isinstance(value, list) else SECRET
    found = error(document)
    assert len(found.problems) == 8
    for each in (found, *found.problems):
        logging.getLogger("tests").exception("refused", exc_info=each)
        assert SECRET not in f"{each}{each!r}{each.given}{each.allowed}{each.where}"
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@api.example",
        f"https://{SECRET}@api.example",
        f"HTTPS://user:{SECRET}@api.example/path",
        f"https://user:{SECRET}/@api.example",
        f"https://user:p@{SECRET}@api.example",
        f"https://user:{SECRET}@[::x",
        f"postgres://user:{SECRET}@db.example",
    ],
)
def test_userinfo_is_not_shown_wherever_a_url_stands(url: str) -> None:
    documents: list[dict[str, Any]] = [
        service(match=url),
        service(match=["https://b.example", url]),
        service(match={"x": url}),
        service(match=[[url]]),
        service(extends=url),
        service(total_timeout=url),
        service(total_timeout=[url]),
        service(facts=url),
        service(retry={"idempotency_header": url, "judge": 3}),
        service(retry={"backoff": {"options": {"url": url}}}),
        service(errors={"code_rules": [{"code": "a", "status": url}]}),
        service(**{url: 1}),
        service(retry={url: 1}),
        {url: {}},
        {"services": {url: {"match": "x", "retry": {"x": 1}}}},
        {"services": {url: {"match": "https://b.example"}, **service()["services"], "c": 1}},
        {"services": url},
        {"presets": {url: {"extends": "p"}, "p": {"extends": url}}},
        {"presets": {url: {}}, "default": {"extends": "q"}},
    ]
    for document in documents:
        found = error(document)
        for each in (found, *found.problems):
            assert SECRET not in f"{each}{each!r}{each.given}{each.allowed}{each.where}", document


@pytest.mark.parametrize(
    ("match", "shown"),
    [
        ("https://api.example?key=hunter2", '"https://api.example?…"'),
        ("https://api.example#hunter2", '"https://api.example#…"'),
        ("https://api.example/v4?key=hunter2", '"https://api.example/v4?…"'),
        ("https://u:hunter2?x@api.example", '"https://…"'),
        ("https://u:hunter2@api.example", '"https://…@api.example"'),
        ("ftp://api.example?key=hunter2", '"ftp://api.example?…"'),
        (["https://b.example", "https://api.example?hunter2"], '"https://api.example?…"'),
        # Wherever the URL stands, and whatever the password holds.
        ({"x": "https://api.example?key=hunter2"}, '{ x = "https://api.example?…" }'),
        ("https://u:hunt er2@api.example", '"https://…@api.example"'),
        ("https://u:'hunter2\"@api.example", '"https://…@api.example"'),
    ],
)
def test_what_is_hidden_is_hidden_once(match: Any, shown: str) -> None:
    found = error(service(match=match))
    assert found.given == shown
    assert str(found).endswith(f", not {shown}")


@pytest.mark.parametrize("length", range(80, 120))
def test_userinfo_in_a_long_key_is_not_shown(length: int) -> None:
    key = f"{' ' * length}https://user:{SECRET}@api.example"
    for document in (service(**{key: 1}), {"services": {key: {"match": "x"}}}):
        found = error(document)
        for text in (str(found), str(found.where), str(found.given), str(found.allowed)):
            assert "hunt" not in text
            assert "user" not in text


def test_userinfo_that_is_cut_off_is_not_shown_either() -> None:
    for length in range(270, 300):
        found = error(service(total_timeout=[" " * length, f"https://user:{SECRET}@api.example"]))
        assert "hunt" not in str(found)
        assert "user" not in str(found)


def test_the_rest_of_a_url_is_shown() -> None:
    found = error(service(total_timeout=f"https://user:{SECRET}@api.example/v1"))
    assert 'not "https://…@api.example/v1"' in str(found)
    assert 'not "https://api.example/v1"' in str(error(service(facts="https://api.example/v1")))


def test_what_a_name_stands_for_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"TOKEN": SECRET})
    retry = {"judge": "os:environ", "exceptions": ["os:environ"], "backoff": {"wait": "os:environ"}}
    found = error(service(retry=retry), code=True)
    assert len(found.problems) == 3
    assert SECRET not in str(found)
    assert all("os:environ" in str(each.given) for each in found.problems)


def test_what_was_given_is_shown_as_it_stands_in_the_file() -> None:
    # In TOML's own spelling, and of an array the elements that are at fault.
    for settings, given in (
        ({"retry": {"statuses": [429, "b", 1, "a"]}}, {"statuses[1]": '"b"', "statuses[2]": "1",
                                                       "statuses[3]": '"a"'}),
        ({"retry": {"methods": ["put", True]}}, {"methods[1]": "true"}),
        ({"errors": {"parsers": ["flat", "neted"]}}, {"parsers[1]": '"neted"'}),
        ({"total_timeout": True}, {"total_timeout": "true"}),
        ({"attempt_timeout": {"x": [1.5]}}, {"attempt_timeout": "{ x = [1.5] }"}),
        ({"total_timeout": 5, "attempt_timeout": "10s"}, {"attempt_timeout": '"10s"'}),
        ({"retry": {"max_attempts": {}}}, {"max_attempts": "{}"}),
        ({"facts": date(2030, 1, 2)}, {"facts": "2030-01-02"}),
    ):  # fmt: skip
        found = {
            str(each.where).rpartition(".")[2]: each for each in error(service(**settings)).problems
        }
        assert {where: each.given for where, each in found.items()} == given
        assert all(f" {each.given}" in str(each) for each in found.values())
    (one,) = error(service(errors={"parsers": ["flat", "neted"]})).problems
    assert '(did you mean "nested"?)' in str(one)


def test_long_values_are_cut() -> None:
    for settings in (
        {"total_timeout": "9" * 100_000},
        {"extends": "x" * 100_000},
        {"facts": ["x"] * 100_000},
        {"retry": {"statuses": ["x"] * 100_000}},
    ):
        assert all(len(str(each)) < 1000 for each in error(service(**settings)).problems)


def test_false_is_named_where_it_is_allowed() -> None:
    # A file knows no None.
    for key in ("total_timeout", "attempt_timeout"):
        (found,) = error(service(**{key: "x s"})).problems
        assert found.allowed is not None
    (found,) = error(service(total_timeout=-1)).problems
    assert found.allowed == (
        'false or a positive, finite number of seconds (or a text such as "30s")'
    )
    (found,) = error(service(retry={"backoff": {"cap": -1}})).problems
    assert found.allowed == 'a positive, finite number of seconds (or a text such as "30s")'
    (found,) = error(service(retry=3)).problems
    assert found.allowed == "a table, or false to leave it out"
    (found,) = error(service(retry={"backoff": False})).problems
    assert found.allowed == "a table"
    (found,) = error(service(errors={"code_rules": {}})).problems
    assert found.allowed == "an array of tables"


def test_how_to_name_a_function_is_said() -> None:
    for retry in ({"judge": 3}, {"exceptions": ["KeyError"]}, {"backoff": {"wait": "exp"}}):
        assert '"package.module:name"' in str(error(service(retry=retry)))


def test_each_problem_has_its_parts() -> None:
    (found,) = error(service(retry={"max_attempts": "three"})).problems
    assert (found.where, found.given, found.allowed, found.file) == (
        "services.a.retry.max_attempts",
        '"three"',
        "an integer of at least 1",
        None,
    )
    assert (
        str(found) == 'services.a.retry.max_attempts must be an integer of at least 1, not "three"'
    )
    (found,) = error(service(retri={})).problems
    assert (found.given, found.allowed) == ("retri", f"one of {', '.join(KNOWN)}")


def test_keys_with_dots_are_told_from_keys_within_keys() -> None:
    assert places({"services": {"a.retry": {"match": "https://a.example", "x.y": 1}}}) == [
        'services."a.retry"."x.y"'
    ]
