"""Answers: written at once, whoever reads them, and harmless to a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest
from rich.rule import Rule
from rich.text import Text

from resilient.__main__ import main
from resilient.cli.output import printable, rendered
from resilient.cli.tables import text as cell
from tests.unit.cli.support import SERVICES, environment, run

Captured = pytest.CaptureFixture[str]
CommandLine = Callable[[list[str], "TextIO | None"], int]

MANY = "\n".join(f'[services.s{i}]\nmatch = "https://h{i}.example"' for i in range(100))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "right.toml").write_text(SERVICES)
    (tmp_path / "wrong.toml").write_text("[services.a]\n[services.b]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé, 時間", "plain, ünïcödé, 時間"),
        ("two\nlines\r\tof", r"two\nlines\r\tof"),
        ("\x1b[31mred\x1b[0m\x9b1m\x07", r"\x1b[31mred\x1b[0m\x9b1m\x07"),
        ("txt.\u202eexe", r"txt.\u202eexe"),
        ("\udcff", r"\udcff"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("", ""),
    ],
)
def test_text_is_in_one_line_and_no_terminal_obeys_it(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_end_where_their_text_does() -> None:
    assert list(rendered(["a   \n b ", "c "])) == ["a\n b", "c"]


def test_a_line_in_a_pipe_is_as_long_as_it_likes_to_a_hundred() -> None:
    assert list(rendered([Rule()])) == ["─" * 100]


@pytest.mark.parametrize("columns", ["1", "12", "40", "79", "300"])
@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_terminal_of_any_width_will_do(command: str, columns: str, directory: Path) -> None:
    arguments = [] if command == "check" else ["https://api.mavio.example"]
    result = run(
        command,
        directory / "right.toml",
        *arguments,
        COLUMNS=columns,
        FORCE_COLOR="1",
        NO_COLOR="1",
    )
    assert result.exit_code == 0
    plain = Text.from_ansi(result.stdout).plain
    assert max(map(len, plain.splitlines())) <= int(columns)


def test_colours_are_for_terminals(directory: Path) -> None:
    arguments = ("explain", directory / "right.toml", "https://api.mavio.example")
    assert "\x1b" not in run(*arguments).stdout
    assert "\x1b[1m" in run(*arguments, FORCE_COLOR="1", TERM="xterm").stdout
    coloured = run(*arguments, FORCE_COLOR="1", TERM="xterm").stdout
    uncoloured = run(*arguments, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout
    assert "\x1b[31m" in coloured
    assert "\x1b[31m" not in uncoloured
    assert Text.from_ansi(coloured).plain == Text.from_ansi(uncoloured).plain


COMMANDS = [
    (["check", "right.toml"], 0),
    (["check", "right.toml", "--json"], 0),
    (["check", "wrong.toml"], 1),
    (["check", "wrong.toml", "--json"], 1),
    (["explain", "right.toml", "https://api.mavio.example"], 0),
    (["explain", "wrong.toml", "https://api.mavio.example"], 1),
]


@pytest.fixture
def command_line(directory: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Runs the command line with something in the place of the standard output."""
    monkeypatch.chdir(directory)

    def command_line(arguments: list[str], stdout: TextIO | None) -> int:
        monkeypatch.setattr(sys, "argv", ["resilient", *arguments])
        monkeypatch.setattr(sys, "stdout", stdout)
        return main()

    return command_line


@pytest.mark.parametrize(("arguments", "status"), COMMANDS, ids=str)
def test_a_reader_who_has_seen_enough_changes_no_status(
    arguments: list[str], status: int, command_line: CommandLine, capsys: Captured
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        assert command_line(arguments, pipe) == status
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
def test_the_head_of_a_long_answer(directory: Path) -> None:
    (directory / "many.toml").write_text(MANY)
    script = f"{sys.executable} -m resilient check many.toml | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=directory, env=environment(), capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"s0\n", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device is full")
@pytest.mark.parametrize("arguments", [*(given for given, _ in COMMANDS), ["--help"]], ids=str)
def test_a_full_disk_is_told_in_a_line(
    arguments: list[str], command_line: CommandLine, capsys: Captured
) -> None:
    with open("/dev/full", "w") as full:
        assert command_line(arguments, full) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize(("arguments", "status"), COMMANDS, ids=str)
def test_nobody_needs_to_listen(
    arguments: list[str], status: int, command_line: CommandLine, capsys: Captured
) -> None:
    assert command_line(arguments, None) == status
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_what_the_encoding_does_not_know_is_escaped(
    encoding: str, directory: Path, command_line: CommandLine
) -> None:
    (directory / "names.toml").write_text(
        '[services."zeitdienst-時間"]\nmatch = "https://x.example"\nfacts = { note = "naïve" }',
        encoding="utf-8",
    )
    for name, status in (("names.toml", 0), ("時間.toml", 2)):
        bytes_ = io.BytesIO()
        paper = io.TextIOWrapper(bytes_, encoding, errors="strict")
        assert command_line(["check", name], paper) == status
        shown = bytes_.getvalue().decode(encoding)
        assert ("時間" if "utf" in encoding else r"\u6642\u9593") in shown


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_file_whose_name_is_no_text(directory: Path, command_line: CommandLine) -> None:
    name = os.fsdecode(b"caf\xe9 \x1b[31m.toml")
    (directory / name).write_text(SERVICES)
    for arguments, shown in (
        (["check", name], r"caf\udce9 \x1b[31m.toml is right: 2 services and a default"),
        (["check", name + "x"], r"caf\udce9 \x1b[31m.tomlx: cannot be read: "),
        (["check", "--json", name], r'"file": "caf\udce9 \u001b[31m.toml"'),
    ):
        bytes_ = io.BytesIO()
        paper = io.TextIOWrapper(bytes_, "utf-8", errors="strict")
        command_line(arguments, paper)
        assert shown in bytes_.getvalue().decode()


def test_markup_is_text_like_any_other() -> None:
    assert list(rendered([cell("[bold]x[/]", ":smile:")])) == ["[bold]x[/]\n:smile:"]
