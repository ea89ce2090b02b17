"""The command line: what each command measures, answers and writes, and its status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmarks.cli.app
import resilient.cli.app
from benchmarks.__main__ import main
from benchmarks.catalogue import BENCHMARKS
from benchmarks.cli import perform
from benchmarks.report import outputs
from tests.unit.benchmarks.cli import stand_in
from tests.unit.cli.support import environment

Captured = pytest.CaptureFixture[str]

FOUND = {"first": 1.5, "second": 2}


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The whole door, with stand-ins behind it; returns the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(perform, "BENCHMARKS", stand_in.BENCHMARKS)

    def command_line(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
        return main()

    return command_line


def facts(path: str = "r.json") -> Any:
    return json.loads(Path(path).read_text())


def parameters(path: str = "r.json") -> Any:
    return facts(path)["results"][0]["parameters"]


def figures(result: Any) -> dict[str, float]:
    return {each["what"]: each["value"] for each in result["tables"][0]["figures"]}


def test_without_a_command_there_is_help(command_line: Any, capsys: Captured) -> None:
    assert command_line() == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for each in ("Usage: ", "all", "load", "overhead", "report", "storm"):
        assert each in shown.out


def test_what_is_not_given_is_left_to_the_settings(command_line: Any) -> None:
    assert command_line("load", "--json", "r.json") == 0
    found = parameters()
    assert (found["seed"], found["scenarios"], found["policies"]) == (17, ["outage"], ["none"])
    assert (found["quick"], found["peers"], found["rate"]) == (False, True, 500.0)


def test_options_of_load_are_its_settings(command_line: Any) -> None:
    arguments = ["load", "tail", "stalls", "--quick", "--seed", 0, "--json", "r.json"]
    arguments += ["--policy", "retry", "--policy", "pipeline", "--policy-file", "p.toml"]
    arguments += ["--service", "mavio", "--rate", 2.5, "--seconds", 3, "--workers", 4, "--port", 0]
    assert command_line(*arguments) == 0
    assert parameters() == {
        "quick": True,
        "seed": 0,
        "peers": True,
        "parts": [],
        "rows": [],
        "instructions": False,
        "scenarios": ["tail", "stalls"],
        "policies": ["retry", "pipeline"],
        "policy_file": "p.toml",
        "service": "mavio",
        "rate": 2.5,
        "seconds": 3.0,
        "workers": 4,
        "port": 0,
        "clients": 1000,
    }


def test_options_of_storm_are_its_settings(command_line: Any) -> None:
    arguments = ["storm", "budget", "--clients", 5, "--policy-file", "p", "--service", "s"]
    assert command_line(*arguments, "--json", "r.json") == 0
    found = parameters()
    assert (found["scenarios"], found["clients"]) == (["budget"], 5)
    assert (found["policy_file"], found["service"]) == ("p", "s")


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ([], {}),
        (["--without-peers"], {"peers": False}),
        (["calls", "memory"], {"parts": ["calls", "memory"]}),
        (["--rows", "wrap", "--rows", "Retry"], {"rows": ["wrap", "Retry"]}),
        (["--instructions"], {"instructions": True}),
    ],
)
def test_options_of_overhead_are_its_settings(
    given: list[str], changed: dict[str, Any], command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {**stand_in.BENCHMARKS, "overhead": stand_in.BENCHMARKS["load"]}
    monkeypatch.setattr(perform, "BENCHMARKS", both)
    assert command_line("overhead", *given, "--json", "r.json") == 0
    found = parameters()
    wanted = {"peers": True, "parts": [], "rows": [], "instructions": False} | changed
    assert {name: found[name] for name in wanted} == wanted


def test_instructions_without_what_counts_them_are_refused_in_one_line(
    command_line: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "BENCHMARKS", BENCHMARKS)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command_line("overhead", "--instructions") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "valgrind, which is not installed" in shown.err


def test_every_option_is_a_setting_of_its_benchmark() -> None:
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.name == name
        assert benchmark.settings_class == f"benchmarks.{name}.settings:{name.title()}Settings"
        assert benchmark.measuring == f"benchmarks.{name}.benchmark:measure"
        assert name in benchmarks.cli.app.app.commands


def test_all_runs_everything_and_writes_a_report(command_line: Any, capsys: Captured) -> None:
    assert command_line("all", "--quick", "--seed", 5) == 0
    found = facts("benchmarks-report.json")
    assert [each["name"] for each in found["results"]] == ["quick", "settings", "settings"]
    assert [each["seed"] for each in found["results"]] == [0, 5, 5]
    assert all(each["parameters"]["quick"] for each in found["results"])
    assert [figures(each) for each in found["results"]] == [FOUND] * 3
    assert all(each["is_complete"] for each in found["results"])
    assert (found["stopped"], found["missing"]) == ("", [])
    assert {"python", "versions", "date"} <= found["machine"].keys()
    assert "A stand-in" in Path("benchmarks-report.html").read_text()
    shown = capsys.readouterr()
    assert shown.out.count("A stand-in") == 3
    assert "wrote benchmarks-report.html" in shown.err


def test_one_alone_writes_nothing_unasked(command_line: Any, tmp_path: Path) -> None:
    assert command_line("overhead") == 0
    assert list(tmp_path.iterdir()) == []


def test_the_answer_alone_is_on_the_standard_output(command_line: Any, capsys: Captured) -> None:
    assert command_line("load", "--json", "-") == 0
    shown = capsys.readouterr()
    assert figures(json.loads(shown.out)["results"][0]) == FOUND
    assert shown.err.splitlines() == ["1 of 1: standing in"]


def test_an_interrupt_leaves_what_was_measured_so_far(command_line: Any, capsys: Captured) -> None:
    assert command_line("all", "--seed", 1001) == 130
    found = facts("benchmarks-report.json")
    assert [each["is_complete"] for each in found["results"]] == [True, False]
    assert figures(found["results"][1]) == {"first": 1.5}
    assert (found["stopped"], found["missing"]) == ("interrupted", ["storm"])
    page = Path("benchmarks-report.html").read_text()
    assert "Stopped before the end:</strong> interrupted" in page
    shown = capsys.readouterr()
    assert "INTERRUPTED" in shown.out
    assert "interrupted; what was measured so far follows" in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(("seed", "status"), [(1001, 130), (1002, 2), (1003, 2)])
def test_where_nothing_was_measured_an_earlier_report_stays(
    seed: int, status: int, command_line: Any, capsys: Captured
) -> None:
    Path("r.json").write_text("earlier")
    given = ("load", "--json", "r.json", "--seed", stand_in.BEFORE_ANYTHING + seed)
    assert command_line(*given) == status
    assert Path("r.json").read_text() == "earlier"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seed", "why"),
    [
        (1002, "address already in use"),
        (1003, "SCENARIO must be some of outage, brown-out, not 'nonsense'"),
    ],
)
def test_what_fails_is_told_in_a_line_and_what_was_measured_is_kept(
    seed: int, why: str, command_line: Any, capsys: Captured
) -> None:
    given = ("--json", "r.json", "--seed", stand_in.BEFORE_ANYTHING + seed)
    assert command_line("load", *given) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line == f"Error: {why}"
    assert command_line("all", *given) == 2
    found = facts()
    assert [each["is_complete"] for each in found["results"]] == [True]
    assert found["missing"] == ["load", "storm"]
    assert found["stopped"]
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_ours_is_not_hidden_and_what_was_measured_is_kept(command_line: Any) -> None:
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        command_line("load", "--json", "r.json", "--seed", 1004)
    found = facts()
    assert found["stopped"] == "ZeroDivisionError: a fault of ours"
    assert not found["results"][0]["is_complete"]


def test_ctrl_c_is_one_before_there_is_a_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    # What is imported here is what takes its time.
    monkeypatch.setattr(resilient.cli.app, "run", interrupted)
    assert main() == 130
    assert capsys.readouterr() == ("", "")


INSTALL = 'install it in a checkout with: pip install -e ".[bench,peers]"\n'


def test_a_library_that_is_missing_later_is_told_in_a_line(
    command_line: Any, capsys: Captured
) -> None:
    assert command_line("load", "--seed", 1005) == 2
    assert capsys.readouterr().err.endswith(f"benchmarks: this needs jinja2; {INSTALL}")


def test_a_library_for_the_report_is_missed_before_anything_runs(
    command_line: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    assert command_line("load", "--html", "r.html", "--json", "r.json") == 2
    assert capsys.readouterr().err == f"benchmarks: this needs jinja2; {INSTALL}"
    assert list(Path().iterdir()) == []


def test_a_library_of_the_command_line_is_missed_in_a_line() -> None:
    code = "import sys; sys.modules['click'] = None; import benchmarks.__main__ as it; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(it.main())", "load"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == f"benchmarks: this needs click; {INSTALL}"


def test_any_other_missing_module_is_an_error(
    command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        stand_in.FAILURES, 1005, ModuleNotFoundError("No module named 'other'", name="other")
    )
    with pytest.raises(ModuleNotFoundError):
        command_line("load", "--seed", 1005)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["load", "--rate", "fast"], "'fast' is not a valid float"),
        (["load", "--clients", "3"], "No such option"),
        (["load", "--rate", "-1"], "--rate must be a positive, finite number of calls per second"),
        (["load", "--html", "missing/r.html"], "missing/r.html: cannot be written"),
        (["load", "--svg", "missing/svg"], "missing/svg: cannot be written"),
        (["all", "--json", "."], ".: cannot be written: it is a directory"),
        (["storm", "--json", "r", "--markdown", "./r"], "it is given twice"),
        (["report"], "Missing argument 'RESULTS.json'"),
        (["report", "missing.json"], "missing.json: No such file or directory"),
        (["report", "wrong.json"], "wrong.json: is no report of these benchmarks: not JSON"),
        (["report", "."], "Is a directory"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line_before_anything_runs(
    given: list[str], why: str, command_line: Any, capsys: Captured, tmp_path: Path
) -> None:
    (tmp_path / "wrong.json").write_text("wrong")
    assert command_line(*given) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert why in shown.err
    assert "standing in" not in shown.err
    assert "Traceback" not in shown.err
    assert [each.name for each in tmp_path.iterdir()] == ["wrong.json"]


def test_a_file_that_cannot_be_written_in_the_end_is_told(
    command_line: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "write_atomically", full)
    assert command_line("load", "--json", "r.json", "--markdown", "r.md") == 2
    shown = capsys.readouterr()
    assert "A stand-in" in shown.out
    for name in ("r.json", "r.md"):
        assert f"{name}: cannot be written: No space left on device" in shown.err


def test_an_earlier_report_is_shown_again(command_line: Any, capsys: Captured) -> None:
    assert command_line("load", "--json", "r.json") == 0
    first = capsys.readouterr().out
    assert command_line("report", "r.json") == 0
    assert capsys.readouterr().out == first


def test_an_earlier_report_becomes_what_is_asked_for(command_line: Any, capsys: Captured) -> None:
    readme = Path("README.md")
    readme.write_text("<!-- benchmarks:settings -->\n<!-- /benchmarks:settings -->\n")
    assert command_line("load", "--json", "r.json") == 0
    capsys.readouterr()
    assert command_line("report", "r.json", "--markdown", "r.md", "--into", readme) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == ["wrote r.md", "wrote README.md"]
    assert "| first | 1.50× |" in readme.read_text("utf-8")
    assert "| first | 1.50× |" in Path("r.md").read_text("utf-8")


def test_marks_that_are_missing_are_told(command_line: Any, capsys: Captured) -> None:
    Path("README.md").write_text("nothing")
    assert command_line("load", "--json", "r.json") == 0
    assert command_line("report", "r.json", "--into", "README.md") == 2
    assert "it has no <!-- benchmarks:settings -->" in capsys.readouterr().err
    assert Path("README.md").read_text() == "nothing"
