"""Progress that is shown on the standard error."""

from __future__ import annotations

import io
import sys

import pytest

from benchmarks.cli.progress import shown_progress

NAME = "round [bold] \x1b[31m \udcff 時間"


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def watch(*expected: float) -> None:
    with shown_progress(expected) as progress:
        progress.advance()
        progress.begin(NAME, 4)
        for _ in range(3):
            progress.advance(2)
        progress.begin("nobody can tell")
        progress.advance()
        progress.begin("nothing", 0)


def test_a_file_gets_a_line_for_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    watch()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        r"round [bold] \x1b[31m \udcff 時間",
        "nobody can tell",
        "nothing",
    ]


def test_a_file_is_told_how_many_parts_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    watch(1, 1, 1)
    assert [each.partition(":")[0] for each in capsys.readouterr().err.splitlines()] == [
        "1 of 3",
        "2 of 3",
        "3 of 3",
    ]


@pytest.mark.parametrize("columns", ["1", "40", "200"])
def test_a_terminal_gets_a_bar(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", columns)
    watch(1, 2, 3)
    shown = terminal.getvalue()
    assert "2 of 3" in shown or columns == "1"
    assert NAME not in shown
    assert r"round [bold] \x1b[31m \udcff 時間" in shown or columns != "200"


def test_nobody_needs_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    watch()


def test_a_bar_leaves_a_standard_output_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setenv("TERM", "xterm")
    watch()
    assert sys.stdout is None
