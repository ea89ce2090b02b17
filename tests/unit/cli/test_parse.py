"""`resilient parse` and `resilient formats`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from resilient.cli.app import app
from resilient.envelopes import FORMATS
from tests.unit.cli.support import facts_of, run

DOCUMENT = {"error": {"code": "c_d", "message": "It is wrong.", "request_id": "r",
                      "details": [{"field": "a", "message": "b"}]}}  # fmt: skip


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_it_says_what_would_become_of_an_answer(saved: Path) -> None:
    assert facts_of("parse", saved, "--header", "Retry-After: 7") == {
        "status": 400,
        "format": "nested",
        "class": "ValidationError",
        "code": "c_d",
        "message": "It is wrong.",
        "request_id": "r",
        "fields": [{"field": "a", "message": "b"}],
        "retry_after": 7.0,
        "docs": None,
        "throttled": False,
    }
    shown = run("parse", saved, "--status", "429").stdout
    for said in ("429", "nested", "RateLimitError", "c_d", "It is wrong.", "a", "b", "yes"):
        assert said in shown


def test_of_a_whole_response_the_head_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_bytes(
        b"HTTP/1.1 503 Service Unavailable\r\nX-Request-Id: h\r\nRetry-After: 3\r\n\r\n"
        b"upstream is gone\n"
    )
    facts = facts_of("parse", path)
    assert (facts["status"], facts["format"], facts["class"]) == (
        503,
        "text",
        "ServiceUnavailableError",
    )
    assert (facts["message"], facts["request_id"], facts["retry_after"]) == (
        "upstream is gone",
        "h",
        3,
    )
    assert facts_of("parse", path, "--status", 429, "--header", "retry-after: 9")["status"] == 429


def test_one_format_can_be_asked_alone(saved: Path) -> None:
    assert facts_of("parse", saved, "--format", "graphql")["format"] is None


def test_the_standard_input(saved: Path) -> None:
    result = CliRunner().invoke(app, ["parse", "-", "--json"], input=saved.read_bytes())
    assert json.loads(result.stdout)["code"] == "c_d"


@pytest.mark.parametrize(
    "arguments",
    [
        ["."],
        ["nowhere.json"],
        ["a\0b"],
        ["empty"],
        ["blank"],
        ["binary"],
        ["answer", "--header", "nonsense"],
        ["answer", "--header", ": x"],
        ["answer", "--status", "99"],
        ["answer", "--status", "x"],
        ["answer", "--format", "nestd"],
        [],
    ],
    ids=str,
)
def test_bad_input_is_said_in_one_line_with_status_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "blank").write_text(" \n")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "answer").write_text("{}")
    result: Any = run("parse", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith("Error: ")
    if "nestd" in arguments:
        assert 'did you mean "nested"?' in error


def test_an_unknown_format_is_answered_with_the_nearest(saved: Path) -> None:
    assert 'did you mean "nested"' in run("parse", saved, "--format", "nestd").stderr


def test_foreign_text_is_harmless_to_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_text(json.dumps({"message": "a\x1b[31m b", "code": "[bold]c_d"}))
    shown = run("parse", path).stdout
    assert "\x1b" not in shown
    assert "[bold]" in shown


def test_formats_lists_all_in_their_order() -> None:
    listed = facts_of("formats")["formats"]
    assert [each["name"] for each in listed] == [each.name for each in FORMATS]
    assert "ThrottlingException" in listed[0]["throttling_codes"]
    quota = {each["name"]: each["quota_codes"] for each in listed if each["quota_codes"]}
    assert "insufficient_quota" in quota["nested"]
    shown = run("formats").stdout
    assert all(each.name in shown for each in FORMATS)
