"""The command line: what it answers, and with which status."""

import logging
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, entry_points
from pathlib import Path

import click
import pytest

from resilient.__main__ import main
from resilient.cli import app
from resilient.cli.demo import play
from tests.unit.cli.support import environment

ROOT = Path(__file__).parents[3]


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


def test_the_version_of_a_checkout_that_is_not_installed(
    arguments: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(app, "version", version)
    monkeypatch.setattr(app, "__file__", str(ROOT / "resilient" / "cli" / "app.py"))
    arguments.append("--version")
    assert main() == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert capsys.readouterr().out == (
        f"resilient, version {project['version']} (a checkout that is not installed)\n"
    )
    # Copied from there without the rest.
    monkeypatch.setattr(app, "__file__", "/nowhere/resilient/cli/app.py")
    assert main() == 0
    assert capsys.readouterr().out == "resilient, version unknown (not installed)\n"


def test_the_working_directory_is_no_place_to_import_from(tmp_path: Path) -> None:
    """As with the console script: what lies there is not taken for a library."""
    for name in ("click", "rich", "tomllib", "cattrs"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for the library')")
    done = subprocess.run(
        [sys.executable, "-m", "resilient", "--version"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("resilient, version ")


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
    told: list[bool] = []

    def noted(seed: int, *, telemetry: bool) -> None:
        seeds.append(seed)
        told.append(telemetry)

    monkeypatch.setattr(play, "main", noted)
    arguments += ["demo", "--seed", "7"]
    assert main() == 0
    arguments += ["--telemetry"]
    assert main() == 0
    assert (seeds, told) == ([7, 7], [False, True])


def test_an_interrupt_is_quiet(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(seed: int, **_: object) -> None:
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
    def broken(seed: int, **_: object) -> None:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(play, "main", broken)
    arguments.append("demo")
    with pytest.raises(ModuleNotFoundError):
        main()


def test_log_lines_do_not_break_the_display(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    logger = logging.getLogger("resilient")

    async def noisy(seed: int, console: object, **_: object) -> None:
        logger.warning("the circuit is open")

    monkeypatch.setattr(play, "play", noisy)
    before = (logger.propagate, list(logger.handlers))
    play.main(1)
    assert capsys.readouterr() == ("", "")
    assert (logger.propagate, list(logger.handlers)) == before
