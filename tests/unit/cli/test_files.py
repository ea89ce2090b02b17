"""Files that fall short: a line for each problem, and the status that says so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.support import SERVICES, environment, run, words

URL = "https://api.mavio.example/meetings"

COMMANDS = pytest.mark.parametrize("command", [["check"], ["explain", URL]], ids=lambda it: it[0])

# Six things are wrong with it, in as many places.
WRONG = """
[services.a]
match = "https://a.example"
extends = "b"

[services.b]
match = "https://a.example/"
extends = "a"
api_key = "hunter2"

[services.c]
extends = "mavoi"
match = "ftp://x"
retry = { max_attempts = 0 }
"""


def file(directory: Path, content: str | bytes, name: str = "services.toml") -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfe[", ".toml:1:1: is not UTF-8"),
        (b"# fine\n# \xe9\n", ".toml:2:3: is not UTF-8"),
        ("[services", "is not valid TOML: "),
        ("a = 1\na = 2\n", "is not valid TOML: "),
        ("x = " + "[" * 100_000, "is nested too deeply"),
        ("", "services must be given: "),
        ("[services.default]\nmatch = 'https://x.example'", "services.default is reserved"),
        (b" " * 10_000_000, "is larger than a file of services may be (2 MiB)"),
        ("[default]\nextends = 'standrad'", "(did you mean standard?)"),
        ("[default]\nextends = 'default'", "default.extends must be "),
    ],
)
@COMMANDS
def test_what_is_wrong_is_told_in_a_line_of_its_own(
    command: list[str], content: str | bytes, complaint: str, tmp_path: Path
) -> None:
    path = file(tmp_path, content)
    result = run(command[0], path, *command[1:])
    assert result.exit_code == 1
    line, count = result.stdout.splitlines()
    assert line.startswith(f"{path}:")
    assert complaint in line
    assert count == f"1 problem in {path}"
    assert result.stderr == ""


@COMMANDS
def test_a_file_that_cannot_be_read_is_no_file_with_a_problem(
    command: list[str], tmp_path: Path
) -> None:
    for path in (tmp_path / "none.toml", tmp_path, Path("nul\0.toml"), tmp_path / "a" / "b.toml"):
        result = run(command[0], path, *command[1:])
        assert result.exit_code == 2
        (line,) = result.stdout.splitlines()
        assert "cannot be read: " in line
        result = run(command[0], path, *command[1:], "--json")
        assert result.exit_code == 2
        told = json.loads(result.stdout)
        assert (told["file"], told["ok"]) == (str(path), False)
        (problem,) = told["problems"]
        assert "cannot be read: " in problem["message"]


@COMMANDS
def test_the_help_says_which_status_is_which(command: list[str], tmp_path: Path) -> None:
    said = words(run(command[0], "--help").stdout)
    assert re.search("The exit status is 1 if something is wrong with (the|a) file, 2 if", said)


def test_all_problems_are_told_at_once_and_counted(tmp_path: Path) -> None:
    path = file(tmp_path, WRONG)
    result = run("check", path)
    assert result.exit_code == 1
    *lines, count = result.stdout.splitlines()
    assert count == f"6 problems in {path}"
    keys = [line.split()[1] for line in lines]
    assert sorted(keys) == [
        "services.a.extends",
        "services.b.api_key",
        "services.b.match",
        "services.c.extends",
        "services.c.match",
        "services.c.retry.max_attempts",
    ]
    assert "(a -> b -> a)" in result.stdout
    assert "hunter2" not in result.stdout


@COMMANDS
def test_problems_for_a_program(command: list[str], tmp_path: Path) -> None:
    path = file(tmp_path, WRONG)
    result = run(command[0], path, *command[1:], "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["file"], told["ok"], len(told["problems"])) == (str(path), False, 6)
    for problem in told["problems"]:
        assert problem.keys() == {
            "key", "given", "allowed", "file", "line", "column", "variable", "message"
        }  # fmt: skip
    by_key = {problem["key"]: problem for problem in told["problems"]}
    problem = by_key["services.c.retry.max_attempts"]
    assert problem["given"] == "0"
    assert problem["allowed"] == "an integer of at least 1"
    assert problem["message"].startswith(f"{path}:14:26: services.c.retry.max_attempts must be ")
    assert "hunter2" not in result.stdout


def test_a_problem_stays_in_its_line_whatever_the_names(tmp_path: Path) -> None:
    path = file(tmp_path, '["a\\nb\\u001b[31m"]\n[services."x\\ny"]', "line\nline.toml")
    result = run("check", path)
    assert len(result.stdout.splitlines()) == 3
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    "name", ["with spaces.toml", "dienst-時間.toml", "-dash.toml", "%s{}.toml"]
)
def test_a_file_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path, SERVICES, name)
    monkeypatch.chdir(tmp_path)
    result = run("check", "--", name)
    assert result.exit_code == 0
    assert result.stdout.endswith(f"\n{name} is right: 2 services and a default\n")


def test_a_name_that_looks_like_an_option_needs_the_usual_dashes(tmp_path: Path) -> None:
    result = run("check", "-dash.toml")
    assert result.exit_code == 2
    assert "No such option" in result.stderr


@pytest.mark.parametrize("library", ["cattrs", "click", "rich"])
def test_a_missing_library_is_told_in_a_line(library: str, tmp_path: Path) -> None:
    path = file(tmp_path, SERVICES)
    start = "from resilient.__main__ import main; sys.exit(main())"
    without = f"import sys; sys.modules[{library!r}] = None; {start}"
    done = subprocess.run(
        [sys.executable, "-c", without, "explain", str(path), URL],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"resilient: the command line needs {library}; "
        'install it with: pip install "resilient-aiohttp[cli]"\n'
    )
