"""Ctrl-C in a process of its own, and readers who have seen enough."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.benchmarks.cli.stand_in import WAIT
from tests.unit.cli.support import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")

# In a shell's background, and so perhaps here, Ctrl-C is ignored.
DOOR = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from benchmarks.__main__ import main
from benchmarks.cli import perform
from benchmarks.report import outputs
from tests.unit.benchmarks.cli.stand_in import BENCHMARKS
perform.BENCHMARKS = BENCHMARKS
"""
EXIT = "sys.exit(main())"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the door in the directory of the test."""
    started = []

    def start(*arguments: str, code: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{DOOR}{code}\n{EXIT}", *arguments],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


def test_ctrl_c_leaves_what_was_measured_so_far(start: Start, tmp_path: Path) -> None:
    process = start("all", "--seed", str(WAIT))
    # The first is done, the second about to wait.
    read_until(process, "standing in")
    read_until(process, "waiting")
    process.send_signal(signal.SIGINT)
    shown, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "INTERRUPTED" in shown
    assert "Traceback" not in complaints
    found = json.loads((tmp_path / "benchmarks-report.json").read_text())
    assert [each["is_complete"] for each in found["results"]] == [True, False]
    assert found["missing"] == ["storm"]
    assert "interrupted" in (tmp_path / "benchmarks-report.html").read_text()


SLOW = """
import time
def slow(path, report):
    print("writing", file=sys.stderr, flush=True)
    for _ in range(1200):
        time.sleep(0.05)
    yield path, b"late"
outputs._json = slow
"""


def test_a_second_ctrl_c_stops_at_once(start: Start, tmp_path: Path) -> None:
    process = start("load", "--seed", str(WAIT), "--json", "r.json", code=SLOW)
    read_until(process, "waiting")
    process.send_signal(signal.SIGINT)
    read_until(process, "writing")
    process.send_signal(signal.SIGINT)
    shown, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert shown == ""
    assert "Traceback" not in complaints
    assert list(tmp_path.iterdir()) == []


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", DOOR + EXIT, "load", "--json", "-", "--markdown", "r.md"],
            cwd=tmp_path,
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["1 of 1: standing in", "wrote r.md"]


def test_a_terminal_that_knows_nothing_but_ascii(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DOOR + EXIT, "load", "--policy", "時間", "--markdown", "\udcff.md"],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="ascii:strict", PYTHONUTF8="0"),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert rb"policies: \u6642\u9593" in b" ".join(done.stdout.split())
    assert rb"wrote \udcff.md" in done.stderr
