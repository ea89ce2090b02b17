"""The map in CONTRIBUTING.md names every room, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import resilient

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"
ROOT = Path(resilient.__file__).parent


def test_the_map_names_every_room() -> None:
    rows = re.findall(r"^\| (`.*?) \|", CONTRIBUTING.read_text(encoding="utf-8"), re.M)
    named = re.findall(r"`([^`]+)`", "".join(row for row in rows if "resilient/" not in row))
    rooms = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")}
    files = {path.name for path in ROOT.glob("*.py") if path.name != "__init__.py"}
    assert sorted(named) == sorted(rooms | files)


def test_the_folders_at_the_top_are_named() -> None:
    top = CONTRIBUTING.parent
    folders = {path.parent.name for path in top.glob("[a-z]*/*.py")} - {"build"}
    assert {"tests", "benchmarks"} <= folders
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert [name for name in sorted(folders) if f"`{name}/" not in text] == []
