"""`check`: every setting of every policy, and who set it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import fields, has

from resilient import BreakerPolicy, Policy
from tests.unit.cli.support import SERVICES, facts_of, run, words


@pytest.fixture
def services(tmp_path: Path) -> Path:
    path = tmp_path / "services.toml"
    path.write_text(SERVICES)
    return path


def written(directory: Path, text: str) -> Path:
    path = directory / "written.toml"
    path.write_text(text, encoding="utf-8")
    return path


def keys_of(policy: Any, *above: str) -> Iterator[str]:
    """The dotted keys of all that a policy holds."""
    for each in fields(type(policy)):
        value = getattr(policy, each.name)
        if not each.init or (not above and each.name == "name"):
            continue
        if has(type(value)):
            yield from keys_of(value, *above, each.name)
        else:
            yield ".".join((*above, each.name))


def table_of(text: str) -> dict[str, tuple[str, str]]:
    """The value and the source of each setting, from the table of the one policy shown."""
    lines = text.splitlines()
    head = next(line for line in lines if line.startswith("setting"))
    value_at, source_at = head.index("value"), head.index("set by")
    rows: dict[str, tuple[str, str]] = {}
    key = ""
    for line in lines[lines.index(head) + 2 :]:
        if not line or line.startswith("Facts are "):
            break
        key = line[:value_at].strip() or key
        value, source = rows.get(key, ("", ""))
        more = (line[value_at:source_at].strip(), line[source_at:].strip())
        rows[key] = (f"{value} {more[0]}".strip(), f"{source} {more[1]}".strip())
    return rows


def test_every_setting_of_every_policy_is_told(services: Path) -> None:
    told = facts_of("check", services)
    assert told.keys() == {"file", "ok", "services", "default"}
    assert (told["file"], told["ok"]) == (str(services), True)
    mavio, uploads = told["services"]
    assert mavio.keys() == {"name", "match", "settings", "facts", "sources"}
    assert told["default"].keys() == {"settings", "facts", "sources"}
    everything = set(keys_of(Policy()))
    for each in (mavio, told["default"]):
        assert each["settings"].keys() == everything
    assert uploads["settings"].keys() == {
        key for key in everything if not key.startswith("breaker.")
    } | {"breaker"}
    for each in (mavio, uploads, told["default"]):
        assert each["sources"].keys() == each["settings"].keys() | {
            f"facts.{name}" for name in each["facts"]
        }
    assert (mavio["name"], uploads["name"]) == ("mavio", "uploads")
    assert uploads["match"] == ["https://api.mavio.example/uploads", "https://*.files.example"]


def test_the_table_tells_the_same_as_the_facts(services: Path) -> None:
    told = facts_of("check", services)
    shown = run("check", services).stdout
    parts = (
        shown.split("\nuploads\n")[0],
        shown.split("\nuploads\n")[1],
        shown.split("\ndefault\n")[1],
    )
    for each, part in zip((*told["services"], told["default"]), parts, strict=True):
        table = table_of(part)
        assert table.keys() == each["sources"].keys()
        for key, source in each["sources"].items():
            assert table[key][1] == (source or "default")
    assert shown.startswith("mavio\nhttps://api.mavio.example\n")
    assert "\nhttps://api.mavio.example/uploads, https://*.files.example\n" in shown
    assert "\ndefault\nthe URLs that no service covers\n" in shown


LAYERS = """
[presets.house]
extends = "mavio"
attempt_timeout = "7s"
retry.backoff.cap = 9

[services.base]
extends = "house"
match = "https://base.example"
retry.max_attempts = 2
breaker = false

[services."über"]
extends = "base"
match = "https://own.example"
total_timeout = "1min"
breaker.open_for = "500ms"
errors.read_timeout = 1

[default]
extends = "house"
retry = false
"""


@pytest.mark.parametrize(
    ("key", "value", "source"),
    [
        ("total_timeout", 60, 'services."über"'),
        ("retry.max_attempts", 2, "services.base"),
        ("attempt_timeout", 7, "presets.house"),
        ("retry.backoff.cap", 9, "presets.house"),
        ("retry.backoff.base", 1, "preset mavio"),
        ("retry.statuses", [429, *sorted(BreakerPolicy().statuses)], "preset mavio"),
        ("retry.max_retry_after", 60, None),
        # The same as the default, but said.
        ("errors.read_timeout", 1, 'services."über"'),
        # A part that was left out below and is back: its other settings are defaults.
        ("breaker.open_for", 0.5, 'services."über"'),
        ("breaker.window", 30, None),
        ("throttle.limit", "300/min", "preset mavio"),
        ("facts.error_format", "nested", "preset mavio"),
    ],
)
def test_each_setting_names_the_table_that_sets_it(
    key: str, value: Any, source: str | None, tmp_path: Path
) -> None:
    told = facts_of("check", written(tmp_path, LAYERS))
    _, service = told["services"]
    found = {**service["settings"], "facts.error_format": "nested"}[key]
    assert (found, service["sources"][key]) == (value, source)
    assert service["facts"] == {"error_format": "nested"}


def test_a_part_that_is_left_out_is_one_setting(tmp_path: Path) -> None:
    told = facts_of("check", written(tmp_path, LAYERS))
    base, _ = told["services"]
    assert base["settings"]["breaker"] is False
    assert base["sources"]["breaker"] == "services.base"
    default = told["default"]
    assert default["settings"]["retry"] is False
    assert default["sources"]["retry"] == "default"
    assert not [key for key in default["settings"] if key.startswith("retry.")]
    assert default["facts"]["error_format"] == "nested"


EVERYTHING = """
[services.all]
match = "https://all.example"
attempt_timeout = "1500ms"
total_timeout = "100h"
reset_headers = [{ name = "X-Reset", form = "timestamp", limit = inf, remaining = "X-Remaining" }]

[services.all.errors]
parsers = ["flat", "resilient.envelopes.formats.table:parse_nested"]
code_rules = [{ code = "gone", status = 410 }, { code = "busy", message = "try (again )?later" }]
request_id_headers = []
ignore = [404, 410]
max_body = 100000
read_timeout = 0.25

[services.all.retry]
statuses = []
methods = ["post", "GET"]
exceptions = ["builtins:ValueError", "aiohttp:ClientError"]
judge = "operator:eq"
heed_should_retry = false
budget = false
max_retry_after = 123456.5
read_body_up_to = 1024

[services.all.retry.backoff]
wait = "backoff:constant"
options = { interval = 1.5 }

[services.all.facts]
since = 2024-02-29
limit = { per_minute = 10, burst = [1, 2] }
odd = [nan, inf]
"""

SHOWN = {
    "attempt_timeout": "1.5 s",
    "total_timeout": "360000 s",
    "errors.parsers": "flat, resilient.envelopes.formats.table:parse_nested",
    "errors.code_rules": 'code=gone status=410 code=busy message="try (again )?later"',
    "errors.request_id_headers": "none",
    "errors.ignore": "404, 410",
    "errors.max_body": "100000",
    "errors.read_timeout": "0.25 s",
    "retry.statuses": "none",
    "retry.methods": "GET, POST",
    "retry.exceptions": "builtins:ValueError, aiohttp.client_exceptions:ClientError",
    "retry.heed_should_retry": "no",
    "retry.budget": "none",
    "reset_headers": "name=X-Reset form=timestamp limit=inf remaining=X-Remaining",
    "retry.max_retry_after": "123456.5 s",
    "retry.backoff.wait": "backoff._wait_gen:constant",
    "retry.backoff.options": "interval=1.5",
    "breaker.failure_rate": "0.9",
    "breaker.observe": "no",
    "breaker.slow_call": "none",
    "facts.since": "2024-02-29",
    "facts.limit": 'per_minute=10 burst="1, 2"',
    "facts.odd": "nan, inf",
}


def test_every_kind_of_value_is_shown_in_words(tmp_path: Path) -> None:
    table = table_of(run("check", written(tmp_path, EVERYTHING), "--allow-code").stdout)
    assert {key: table[key][0] for key in SHOWN} == SHOWN


def test_every_kind_of_value_is_told_as_a_file_would_set_it(tmp_path: Path) -> None:
    told = facts_of("check", written(tmp_path, EVERYTHING), "--allow-code")
    (service,) = told["services"]
    settings = service["settings"]
    assert settings["attempt_timeout"] == 1.5
    assert settings["errors.code_rules"] == [
        {"code": "gone", "status": 410, "message": False},
        {"code": "busy", "status": False, "message": "try (again )?later"},
    ]
    assert settings["retry.methods"] == ["GET", "POST"]
    assert settings["retry.budget"] is False
    assert settings["reset_headers"] == [
        {"name": "X-Reset", "form": "timestamp", "limit": "inf", "remaining": "X-Remaining"}
    ]
    assert service["facts"]["since"] == "2024-02-29"
    assert service["facts"]["odd"] == ["nan", "inf"]
    assert told["default"] is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (SERVICES, "2 services and a default"),
        ("[default]\n", "0 services and a default"),
        (
            '[services.a]\nmatch = "https://a.example"\n',
            "1 service; the URLs that no service covers are left to aiohttp alone",
        ),
    ],
)
def test_at_the_end_it_says_what_was_found(text: str, count: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    assert words(run("check", path).stdout).endswith(f"{path} is right: {count}")


def test_facts_are_set_apart(services: Path) -> None:
    assert run("check", services).stdout.count("nothing acts on them") == 2


def test_userinfo_in_facts_is_not_shown(tmp_path: Path) -> None:
    url = "https://me:s3cret@a.example/x?y#z"
    facts = f"[default.facts]\nurl = '{url}'\nof = {{ more = ['{url}'] }}\n"
    path = written(tmp_path, facts)
    for more in ((), ("--json",)):
        shown = run("check", path, *more).stdout
        assert "s3cret" not in shown
        assert "https://…@a.example/x?y#z" in "".join(shown.split()).replace("\\u2026", "…")


@pytest.mark.parametrize("name", ["[bold]x[/]", "new\nline", "\x1b[31mred", "时间"])
def test_a_name_is_text_and_no_more(name: str, tmp_path: Path) -> None:
    quoted = "".join(f"\\u{ord(each):04x}" for each in name)
    path = written(tmp_path, f'[services."{quoted}"]\nmatch = "https://a.example"\n')
    escaped = name.replace("\n", "\\n").replace("\x1b", "\\x1b")
    assert run("check", path).stdout.splitlines()[0] == escaped
    (service,) = facts_of("check", path)["services"]
    assert service["name"] == name
