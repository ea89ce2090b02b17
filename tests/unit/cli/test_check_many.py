"""`check` of several files, of the standard input, and with the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from resilient.cli.app import app
from tests.unit.cli.support import SERVICES, run

WRONG = "[default]\nretry = 3\n"


def check(*arguments: object, stdin: str | bytes = "") -> Result:
    result = CliRunner().invoke(app, ["check", *map(str, arguments)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {"right": SERVICES, "wrong": WRONG, "many": "[default]\n" + "".join(
        f"x{number} = 1\n" for number in range(27)
    )}  # fmt: skip
    for name, content in contents.items():
        (tmp_path / f"{name}.toml").write_text(content)
    return {name: tmp_path / f"{name}.toml" for name in (*contents, "none")}


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ("right right", 0),
        ("right wrong", 1),
        ("wrong right", 1),
        ("none", 2),
        ("wrong none right", 2),
        ("none wrong", 2),
    ],
)
def test_each_file_is_told_of_and_the_status_is_that_of_the_worst(
    names: str, status: int, files: dict[str, Path]
) -> None:
    paths = [files[name] for name in names.split()]
    result = check(*paths)
    assert result.exit_code == status
    for name, path in files.items():
        assert (f"{path} is right" in result.stdout) == (name == "right" and name in names)
        assert (f"1 problem in {path}" in result.stdout) == (name == "wrong" and name in names)
        assert (f"{path}: cannot be read" in result.stdout) == (name == "none" and name in names)
    told = json.loads(check(*paths, "--json").stdout)
    if len(paths) > 1:
        assert told["ok"] == (status == 0)
        told = told["files"]
    else:
        told = [told]
    assert [each["file"] for each in told] == [str(each) for each in paths]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (SERVICES, 0, "<stdin> is right: 2 services and a default"),
        (WRONG, 1, "<stdin>:2:9: default.retry must be a table"),
        (b"\xff", 1, "<stdin>:1:1: is not UTF-8"),
        ("include = ['x.toml']", 1, "<stdin>:1:1: include is for files"),
    ],
)
def test_the_standard_input_is_a_file(content: str | bytes, status: int, said: str) -> None:
    result = check("-", stdin=content)
    assert result.exit_code == status
    assert said in result.stdout
    told = json.loads(check("-", "--json", stdin=content).stdout)
    assert told["file"] == "<stdin>"


def test_the_standard_input_is_read_once() -> None:
    result = check("-", "-")
    assert result.exit_code == 2
    assert "can be read only once" in result.stderr
    assert run("check").exit_code == 2


def test_many_problems_end_after_twenty_for_a_person(files: dict[str, Path]) -> None:
    *lines, more, count = check(files["many"]).stdout.splitlines()
    assert len(lines) == 20
    assert more == "and 7 more"
    assert count == f"27 problems in {files['many']}"
    assert len(json.loads(check(files["many"], "--json").stdout)["problems"]) == 27


def test_the_source_of_a_setting_is_its_variable(files: dict[str, Path]) -> None:
    name = "RESILIENT__SERVICES__MAVIO__RETRY__MAX_ATTEMPTS"
    told: Any = json.loads(
        run("check", files["right"], "--environ", "--json", **{name: "9"}).stdout
    )
    mavio = told["services"][0]
    assert mavio["settings"]["retry.max_attempts"] == 9
    assert mavio["sources"]["retry.max_attempts"] == name
    assert mavio["sources"]["total_timeout"] == "services.mavio"
    # Only if asked for; and what is wrong there is no file's.
    plain = json.loads(run("check", files["right"], "--json", **{name: "9"}).stdout)
    assert plain["services"][0]["settings"]["retry.max_attempts"] == 5
    told = json.loads(run("check", files["right"], "--environ", "--json", **{name: "x"}).stdout)
    (problem,) = told["problems"]
    assert (problem["variable"], problem["file"], problem["line"]) == (name, None, None)


# Whatever is wrong with a command is told in a line or two, and never by a traceback.

URL = "https://api.mavio.example/x"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("check {wrong}", 1),
        ("check {none}", 2),
        ("check", 2),
        ("check --nope {right}", 2),
        ("explain {wrong} " + URL, 1),
        ("explain {none} " + URL, 2),
        ("explain {right} nonsense", 2),
        ("explain {right} " + URL + " --method =", 2),
        ("explain {right}", 2),
        ("parse {none}", 2),
        ("parse {right} --status 9999", 2),
        ("parse {right} --header nonsense", 2),
        ("presets nonsense", 2),
        ("formats x", 2),
        ("demo --seed x", 2),
        ("schema x", 2),
        ("nonsense", 2),
    ],
)
def test_the_exit_status_is_2_for_use_and_1_for_a_file(
    arguments: str, status: int, files: dict[str, Path]
) -> None:
    result = run(*(each.format(**files) for each in arguments.split()))
    assert result.exit_code == status
    assert "Traceback" not in result.output
    assert result.output.strip()
