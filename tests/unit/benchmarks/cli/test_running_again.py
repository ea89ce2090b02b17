"""The command line in a result repeats its run."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.catalogue import BENCHMARKS
from benchmarks.cli import perform
from benchmarks.cli.app import app
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.storm.settings import SCENARIOS as STORM_SCENARIOS

FILE = """
[services.--odd]
match = "https://odd.example"

[services.other]
match = "https://other.example"
"""
NAME = "my --quick file.toml"


@pytest.fixture(autouse=True)
def _policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(NAME).write_text(FILE)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the settings that the command line would have run."""
    ran: list[tuple[str, Any]] = []

    def note(tasks: Mapping[str, Mapping[str, Any]], outputs: object) -> int:
        ran.extend((name, BENCHMARKS[name].settings(**each)) for name, each in tasks.items())
        return 0

    monkeypatch.setattr(perform, "_measure", note)
    return ran


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("overhead", {}),
        ("overhead", {"quick": True, "seed": 0, "peers": False}),
        ("overhead", {"parts": ("sockets", "calls"), "rows": ("a listener", "wrap")}),
        ("load", {}),
        ("load", {"scenarios": ("dead", "calm"), "policies": ("retry", "none"), "quick": True}),
        ("load", {"rate": math.pi, "seconds": 1e-3, "workers": 3, "port": 8080, "seed": 2**70}),
        ("load", {"rate": 50, "patience": 2.5, "policy_file": NAME, "service": "--odd"}),
        ("storm", {}),
        ("storm", {"scenarios": ("crowd", "jitter"), "clients": 1234, "seconds": 20.125}),
        ("storm", {"seed": 0, "quick": True, "policy_file": NAME, "service": "other"}),
        ("storm", {"seconds": 100, "policy_file": NAME}),
    ],
)
def test_a_run_can_be_repeated_exactly(
    name: str, settings: dict[str, Any], given: list[tuple[str, Any]]
) -> None:
    wanted = BENCHMARKS[name].settings(**settings)
    python, option, module, *words = shlex.split(wanted.command)
    assert (python, option, module) == ("python", "-m", "benchmarks")
    assert app.main(words, standalone_mode=False) == 0
    assert given == [(name, wanted)]


def test_help_names_what_can_be_named() -> None:
    for command, names in (
        ("load", [each.name for each in SCENARIOS]),
        ("storm", STORM_SCENARIOS),
    ):
        words = re.findall(r"[\w-]+", app.commands[command].help or "")
        assert set(names) <= set(words)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_setting_can_be_given(name: str) -> None:
    """Else there would be runs that no command repeats."""
    outputs = {"json", "html", "svg", "markdown"}
    without_peers = {"without_peers"} if name == "overhead" else set()
    given = {each.name for each in app.commands[name].params} - outputs - without_peers
    peers = {"peers"} if name == "overhead" else set()
    settings = BENCHMARKS[name].settings()
    assert given == {each.name for each in type(settings).__attrs_attrs__ if each.init} - peers
