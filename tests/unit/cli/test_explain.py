"""`explain`: which service takes a request, and how what is known of it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.unit.cli.support import SERVICES, facts_of, run, words

FAILURE = {
    *("kind", "status", "code", "what", "repeated", "reason"),
    *("circuit", "closes_gate", "charged"),
}


@pytest.fixture
def services(tmp_path: Path) -> Path:
    return written(tmp_path, SERVICES)


def written(directory: Path, text: str) -> Path:
    path = directory / "services.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_for_a_program_have_the_documented_keys(services: Path) -> None:
    told = facts_of("explain", services, "https://api.mavio.example/m?q=1#f", "--method", "post")
    assert told.keys() == {
        *("file", "ok", "url", "method", "service", "default", "because", "others"),
        *("facts", "order", "failures", "notes", "times"),
    }
    assert (told["file"], told["ok"]) == (str(services), True)
    assert told["url"] == "https://api.mavio.example/m"
    assert told["method"] == "POST"
    assert (told["service"], told["default"]) == ("mavio", False)
    assert told["because"] == "https://api.mavio.example covers it, by its origin"
    assert told["others"] == []
    assert told["facts"] == {"error_format": "nested"}
    assert [line.partition(":")[0] for line in told["order"]] == [
        *("Deadline", "Retry", "Throttle", "CircuitBreaker", "NormalizeErrors", "AttemptTimeout")
    ]
    for failure in told["failures"]:
        assert failure.keys() == FAILURE
        assert type(failure["repeated"]) is bool
    assert all(type(note) is str for note in told["notes"])
    assert told["times"] == {
        "attempts": 5,
        "attempt": 20,
        "waits": [
            {"after_attempt": 1, "least": 0.5, "most": 1},
            {"after_attempt": 2, "least": 1, "most": 2},
            {"after_attempt": 3, "least": 2, "most": 4},
            {"after_attempt": 4, "least": 2, "most": 4},
        ],
        "max_retry_after": 60,
        # 5 attempts of 30 s, 5 times 1 s to read what they came to, 4 waits of 60 s and 4 s.
        "unlimited": 5 * 31 + 4 * 64,
        "held": [
            "a throttle may hold each attempt until the server's time is over, up to 60 s, and for "
            "a queue of up to 30 s",
            "an open circuit may hold it for up to 2 s in all, and 3 s more once traffic is let "
            "back in",
        ],
        "worst": 20,
        "limited_by": "total_timeout",
    }


@pytest.mark.parametrize(
    ("url", "service", "others"),
    [
        ("https://api.mavio.example", "mavio", []),
        ("https://api.mavio.example/uploads/1", "uploads", ["mavio"]),
        ("https://api.mavio.example/uploads40", "mavio", []),
        ("HTTPS://API.Mavio.Example:443/x", "mavio", []),
        ("wss://api.mavio.example/live", "mavio", []),
        ("https://user:secret@api.mavio.example/", "mavio", []),
        ("https://a.b.files.example/", "uploads", []),
        ("https://files.example/", None, []),
        ("http://api.mavio.example/", None, []),
        ("https://api.mavio.example:8443/", None, []),
        ("https://[::1]:8443/", None, []),
        ("https://bücher.example/", None, []),
    ],
)
def test_the_most_specific_service_takes_it(
    url: str, service: str | None, others: list[str], services: Path
) -> None:
    told = facts_of("explain", services, url)
    assert (told["service"], told["default"]) == (service, service is None)
    assert [each["service"] for each in told["others"]] == others
    shown = words(run("explain", services, url).stdout)
    assert f"goes to {service or 'the default'} " in shown
    assert ("covers it too" in shown) == bool(others)
    if service is None:
        assert "because no service covers it" in shown


def test_a_name_in_another_script_is_the_same_in_ascii(tmp_path: Path) -> None:
    path = written(tmp_path, '[services.a]\nmatch = "https://bücher.example"\n')
    for url in ("https://bücher.example/", "https://xn--bcher-kva.example/"):
        assert facts_of("explain", path, url)["service"] == "a"


def test_where_no_service_and_no_default_is_aiohttp_is_alone(tmp_path: Path) -> None:
    path = written(tmp_path, '[services.a]\nmatch = "https://a.example"\n')
    told = facts_of("explain", path, "https://b.example/")
    assert (told["service"], told["default"], told["times"]) == (None, False, None)
    assert told["order"] == told["failures"] == told["notes"] == []
    result = run("explain", path, "https://b.example/")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "GET https://b.example/",
        "goes to  aiohttp alone",
        "because  no service covers it, and the file has no default",
    ]


def test_the_default_has_facts_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, "[default]\nfacts = { owner = 'us' }\n")
    told = facts_of("explain", path, "https://b.example/")
    assert told["facts"] == {"owner": "us"}
    assert "facts owner=us (not acted on)" in words(
        run("explain", path, "https://b.example").stdout
    )


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"https://{SECRET}:{SECRET}@api.mavio.example/x?key={SECRET}#{SECRET}",
        f"wss://api.mavio.example/x?key={SECRET}",
        f"https://api.mavio.example/x\udcff\x1b[31m?key={SECRET}",
    ],
)
def test_no_secret_of_the_url_is_shown(url: str, services: Path) -> None:
    for arguments in ([], ["--json"], ["--method", "POST"]):
        result = run("explain", services, url, *arguments)
        assert result.exit_code == 0
        assert SECRET not in result.output
        assert "api.mavio.example/x" in result.output


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        SECRET,
        f"/relative?key={SECRET}",
        f"//user:{SECRET}@api.mavio.example/",
        f"user:{SECRET}@api.mavio.example/",
        f"ftp://user:{SECRET}@api.mavio.example/",
        f"https://user:{SECRET}@/",
        f"https:///x?key={SECRET}",
        f"https:x?key={SECRET}",
        f"https://user:{SECRET}@api.mavio.example:99999/",
        f"https://api.mavio.example:port/?key={SECRET}",
        f"https://[::1/?key={SECRET}",
        f"javascript:alert({SECRET})",
        f"data:text/plain,{SECRET}",
    ],
)
def test_what_is_no_url_of_a_request_is_refused_and_not_shown(url: str, services: Path) -> None:
    result = run("explain", "--", services, url)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Invalid value for URL: it must be valid, absolute and of http" in result.stderr
    assert SECRET not in result.stderr


@pytest.mark.parametrize("method", ["", "GE T", "GET\n", "GÉT", "(GET)"])
def test_what_is_no_method_is_refused(method: str, services: Path) -> None:
    result = run("explain", services, "https://api.mavio.example", "--method", method)
    assert result.exit_code == 2
    assert "Invalid value for --method: a method is one word" in result.stderr


@pytest.mark.parametrize("method", ["get", "Post", "PURGE", "m-search"])
def test_a_method_is_in_upper_case_as_it_is_sent(method: str, services: Path) -> None:
    arguments = ("explain", services, "https://api.mavio.example/x", "--method", method)
    assert facts_of(*arguments)["method"] == method.upper()
    assert run(*arguments).stdout.startswith(f"{method.upper()} https://api.mavio.example/x\n")


def test_what_it_prints_of_a_post(services: Path) -> None:
    result = run("explain", services, "https://api.mavio.example/x", "--method", "POST")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "POST https://api.mavio.example/x\n"
        "goes to  mavio\n"
        "because  https://api.mavio.example covers it, by its origin\n"
        "facts    error_format=nested (not acted on)\n"
        "\n"
        "Pipeline, outermost first\n"
        "1.  Deadline: 20 s for the whole call\n"
    )
    shown = words(result.stdout)
    for row in (
        "status 429 yes in retry.statuses; the server did not carry it out it closes a gate; its "
        "retry is free",
        "status 5xx but 501, 505 to 508, 510, 511 no in retry.statuses, but the POST may have been",
        "no connection could be made, or not in time yes nothing was sent",
        "it is a failure for the circuit",
        "at most 300/min, bursts of 15",
        "a 429 closes a gate for every POST /x at the same origin with the same Authorization",
        "callers wait for up to 2 s for a probe to succeed",
        "- a body that can be read only once is not sent again",
        "a budget for each origin of 30 retries that fail, then one for every 10 successes",
        "charged to the budget is a retry that fails",
        "an Idempotency-Key of its own may be carried out twice",
        "attempts at most 5, each of at most 20 s",
        "wait 1 0.5 to 1 s",
        "wait 3 to 4 2 to 4 s",
        "at worst 20 s, by total_timeout; without that 411 s",
    ):
        assert row in shown


def test_codes_of_which_the_same_is_to_be_said_are_in_one_row(services: Path) -> None:
    shown = words(run("explain", services, "https://api.mavio.example/x").stdout)
    assert shown.count("yes in retry.codes; GET is in retry.methods") == 1
    assert shown.count("no in retry.fatal_codes") == 1


def test_names_are_text_and_no_more(tmp_path: Path) -> None:
    name = "[bold]x[/]\\n\\u001b[31m"
    path = written(
        tmp_path,
        f'[services."{name}"]\nmatch = "https://a.example"\n'
        'retry = { codes = ["[red]c\\n\\u001b"] }\nfacts = { a = "[i]\\u001b\\n" }\n'
        f'[services."{name}2"]\nmatch = "https://*.example"\n',
    )
    result = run("explain", path, "https://a.example")
    assert "\x1b" not in result.stdout
    assert "goes to  [bold]x[/]\\n\\x1b[31m\n" in result.stdout
    assert "not to   [bold]x[/]\\n\\x1b[31m2: " in result.stdout
    assert "code [red]c\\n\\x1b " in result.stdout
    assert "facts    a=[i]\\x1b\\n (not acted on)" in result.stdout


def test_nothing_is_sent_and_no_file_is_written(services: Path) -> None:
    before = sorted(services.parent.iterdir())
    assert run("explain", services, "http://127.0.0.1:1/").exit_code == 0
    assert sorted(services.parent.iterdir()) == before


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "file"], ["check"]], ids=str)
def test_what_is_missing_is_named(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr


TRACED = """
[services.mavio]
match = "https://api.mavio.example"

[services.mavio.telemetry]
templates = ["/meetings/{id}"]
"""


def test_it_names_the_spans(tmp_path: Path) -> None:
    path = written(tmp_path, TRACED)
    told = facts_of("explain", path, "https://api.mavio.example/meetings/7")
    assert (
        'each attempt has a span named "GET /meetings/{id}", in one named "call mavio"'
        in told["notes"]
    )
    order = [line.partition(":")[0] for line in told["order"]]
    assert (order[0], order[5]) == ("CallTelemetry", "AttemptTelemetry")
    elsewhere = facts_of("explain", path, "https://api.mavio.example/other")
    assert any('a span named "GET", in' in note for note in elsewhere["notes"])


def test_it_explains_without_opentelemetry_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "resilient.telemetry.instruments", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    path = written(tmp_path, TRACED)
    told = facts_of("explain", path, "https://api.mavio.example/meetings/7")
    assert any("pip install 'resilient-aiohttp[otel]'" in note for note in told["notes"])
    assert told["order"][0].startswith("Deadline")
