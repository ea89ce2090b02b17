"""The command line: what it answers, and with which status."""

import logging
import sys
from importlib.metadata import entry_points

import click
import pytest

from resilient.__main__ import main
from resilient.cli import app
from resilient.cli.demo import play


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the process was given; to be extended."""
    given = ["resilient"]
    monkeypatch.setattr(sys, "argv", given)
    return given


Captured = pytest.CaptureFixture[str]


def test_the_console_script_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="resilient")
    assert script.load() is main


def test_no_arguments_show_the_help(arguments: list[str], capsys: Captured) -> None:
    assert main() == 0
    shown = capsys.readouterr()
    assert "Usage: " in shown.out
    assert "demo" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option: str, arguments: list[str], capsys: Captured) -> None:
    arguments.append(option)
    assert main() == 0
    assert "Usage: " in capsys.readouterr().out


def test_the_version(arguments: list[str], capsys: Captured) -> None:
    arguments.append("--version")
    assert main() == 0
    assert capsys.readouterr().out.startswith("resilient, version ")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["--nonsense"], "No such option"),
        (["demo", "--seed", "nonsense"], "'nonsense' is not a valid integer"),
        (["demo", "nonsense"], "unexpected extra argument"),
    ],
)
def test_what_it_does_not_know(
    given: list[str], complaint: str, arguments: list[str], capsys: Captured
) -> None:
    arguments += given
    assert main() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert complaint in shown.err


def test_the_seed_reaches_the_demo(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(play, "main", seeds.append)
    arguments += ["demo", "--seed", "7"]
    assert main() == 0
    assert seeds == [7]


def test_an_interrupt_is_quiet(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(seed: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "main", interrupted)
    arguments.append("demo")
    assert main() == 130
    shown = capsys.readouterr()
    assert shown.out + shown.err.strip() == ""


def test_another_command_line_runs_in_the_same_way(
    arguments: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @click.argument("number", type=int)
    def other(number: int) -> int:
        if number > 9:
            raise OSError(28, "No space left on device")
        return number

    # What it says last would go nowhere.
    monkeypatch.setattr(app, "mute", lambda: None)
    arguments.append("3")
    assert app.run(other, "others") == 3
    arguments[1] = "10"
    assert app.run(other, "others") == 2
    assert capsys.readouterr().err == "others: No space left on device\n"


def test_any_other_missing_module_is_an_error(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(seed: int) -> None:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(play, "main", broken)
    arguments.append("demo")
    with pytest.raises(ModuleNotFoundError):
        main()


def test_log_lines_do_not_break_the_display(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    logger = logging.getLogger("resilient")

    async def noisy(seed: int, console: object) -> None:
        logger.warning("the circuit is open")

    monkeypatch.setattr(play, "play", noisy)
    before = (logger.propagate, list(logger.handlers))
    play.main(1)
    assert capsys.readouterr() == ("", "")
    assert (logger.propagate, list(logger.handlers)) == before
