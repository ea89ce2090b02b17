"""`--allow-code`: without it nothing that a file names is imported; with it, it is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.support import environment, facts_of, run, words

URL = "https://own.example/x"
COMMANDS = pytest.mark.parametrize("command", [["check"], ["explain", URL]], ids=lambda it: it[0])

NAMING = """
[services.own]
match = "https://own.example"
retry.judge = "rules:judge"
retry.exceptions = ["rules:Gone"]
retry.backoff.wait = "rules:waits"
errors.parsers = ["rules:parse", "flat"]
"""

RULES = """
print("imported")
import json  # not the one beside this

class Gone(Exception): ...

def judge(request, outcome):
    print("judged")

def parse(status, headers, body):
    print("parsed")

def waits():
    print("waits")
    while True:
        yield json.loads("2")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the file is; and its rules, and what may be taken for something else."""
    folder = tmp_path / "configured"
    folder.mkdir()
    (folder / "services.toml").write_text(NAMING)
    (folder / "rules.py").write_text(RULES)
    for name in ("json", "click", "rich", "backoff", "cattrs"):
        (folder / f"{name}.py").write_text("raise SystemExit('taken for the library')")
    (tmp_path / "rules.py").write_text("raise SystemExit('of the working directory')")
    return folder


def started(
    *arguments: str, directory: Path, start: tuple[str, ...] = ("-m", "resilient")
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, in some working directory."""
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
    )


# As the console script does: without the working directory among the places to import from.
CONSOLE_SCRIPT = (
    "-c",
    "import sys; sys.path.remove(''); from resilient.__main__ import main; sys.exit(main())",
)


@COMMANDS
def test_without_it_nothing_is_imported(command: list[str], folder: Path) -> None:
    name, *rest = command
    done = started(name, str(folder / "services.toml"), *rest, directory=folder)
    assert done.returncode == 1
    assert done.stderr == ""
    *lines, count = done.stdout.splitlines()
    assert count.startswith("4 problems in ")
    assert all('names code, "rules:' in line for line in lines)
    assert all("--allow-code on the command line" in line for line in lines)


@COMMANDS
@pytest.mark.parametrize("start", [("-m", "resilient"), CONSOLE_SCRIPT], ids=["module", "script"])
@pytest.mark.parametrize("inside", [False, True])
def test_with_it_what_is_named_is_found_beside_the_file(
    command: list[str], start: tuple[str, ...], inside: bool, folder: Path
) -> None:
    name, *rest = command
    path, directory = (
        ("services.toml", folder) if inside else ("configured/services.toml", folder.parent)
    )
    done = started(name, path, *rest, "--allow-code", "--json", directory=directory, start=start)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["code"]["imported"] == ["rules:parse", "rules:Gone", "rules:waits", "rules:judge"]
    # What it prints stands apart from the answer.
    printed = done.stderr.split()
    assert printed[0] == "imported"
    if name == "check":
        assert told["code"]["called"] == []
        assert printed == ["imported"]
    else:
        assert told["code"]["called"] == ["rules:waits", "rules:parse"]
        assert set(printed) == {"imported", "waits", "parsed"}
        assert told["times"]["waits"][0] == {"after_attempt": 1, "least": 0, "most": 2}


@pytest.mark.usefixtures("forgetful")
def test_what_was_run_is_said(folder: Path) -> None:
    path = folder / "services.toml"
    said = words(run("check", path, "--allow-code").stdout)
    names = "rules:parse, rules:Gone, rules:waits, rules:judge"
    assert said.endswith(f"Code that the file names was imported: {names} and called: none of it")
    said = words(run("explain", path, URL, "--allow-code").stdout)
    assert said.endswith(f"was imported: {names} and called: rules:waits, rules:parse")
    # For another URL it is imported as well, but not called.
    said = words(run("explain", path, "https://other.example", "--allow-code").stdout)
    assert said.endswith(f"was imported: {names} and called: none of it")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("rules", None)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("settings", "called"),
    [
        ("retry.backoff.jitter = 'decorrelated'", ["rules:parse"]),
        ("retry.max_attempts = 1", ["rules:parse"]),
        ("retry.max_retry_after = 1", ["rules:waits", "rules:parse"]),
    ],
)
def test_what_is_not_needed_is_not_called(settings: str, called: list[str], folder: Path) -> None:
    path = folder / "services.toml"
    path.write_text(f"{NAMING}\n{settings}")
    assert facts_of("explain", path, URL, "--allow-code")["code"]["called"] == called
    assert facts_of("explain", path, "wss://own.example", "--allow-code")["code"]["called"] == [
        each for each in called if each != "rules:parse"
    ]


@COMMANDS
def test_where_no_code_is_named_nothing_is_said_of_it(command: list[str], folder: Path) -> None:
    path = folder / "services.toml"
    path.write_text("[services.own]\nmatch = 'https://own.example'")
    name, *rest = command
    assert "code" not in facts_of(name, path, *rest, "--allow-code")


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("rules", "ends"),
    [
        ("def waits():\n    raise SystemExit(3)\n    yield", "no wait: SystemExit"),
        ("def waits():\n    yield 1\n    yield 'x'", "1 wait and no more: ValueError"),
        ("def waits(step):\n    yield step", "no wait: TypeError"),
    ],
)
def test_a_wait_generator_that_fails_ends_no_program(rules: str, ends: str, folder: Path) -> None:
    path = folder / "services.toml"
    path.write_text(
        "[services.own]\nmatch = 'https://own.example'\n"
        "retry = { max_attempts = 5, backoff = { wait = 'rules:waits' } }"
    )
    (folder / "rules.py").write_text(rules)
    result = run("explain", path, URL, "--allow-code")
    assert result.exit_code == 0
    assert f"the wait generator gives {ends}" in words(result.stdout)


@COMMANDS
@pytest.mark.parametrize("statement", ["sys.exit(0)", "raise SystemExit", "exit()"])
@pytest.mark.usefixtures("forgetful")
def test_a_module_that_exits_is_a_problem(command: list[str], statement: str, folder: Path) -> None:
    (folder / "rules.py").write_text(f"import sys; {statement}")
    name, *rest = command
    result = run(name, folder / "services.toml", *rest, "--allow-code")
    assert result.exit_code == 1
    assert "importable (SystemExit: " in result.stdout


def test_the_places_to_import_from_stay_as_they_were(folder: Path) -> None:
    before = list(sys.path)
    run("check", folder / "services.toml")
    (folder / "rules.py").write_text("import sys; sys.path.clear()")
    run("check", folder / "services.toml", "--allow-code")
    assert sys.path == before
    sys.modules.pop("rules", None)


@COMMANDS
def test_the_help_says_what_it_means(command: list[str]) -> None:
    said = words(run(command[0], "--help").stdout)
    assert "--allow-code Import the functions and classes that FILE names, which runs code" in said
    assert "imported" in said
    assert "called" in said
