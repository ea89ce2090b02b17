"""Docstrings say what something does, and leave no riddle to solve before that."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import resilient

ROOT = Path(resilient.__file__).parent

# A subordinate clause in the place of a sentence: "What the generator says, within [0, cap]."
# A question is one that ends as one.
RIDDLE = re.compile(r"(?:What|Whether|How|Who|Whose|Why|Where|When)\b[^?]*$")


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """The first line of each docstring of a file, and where it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text.partition("\n")[0]


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_docstring_begins_with_a_riddle(path: Path) -> None:
    assert [found for found in docstrings(path) if RIDDLE.match(found[1])] == []


@pytest.mark.parametrize(
    ("line", "is_riddle"),
    [
        ("What the window holds.", True),
        ("Whether it is open.", True),
        ("How long to wait", True),
        ("When it ends, if known.", True),
        ("Return what the window holds.", False),
        ("True if it is open.", False),
        ("How long is a wait?", False),
        ("Whatever a parser raises is passed over.", False),
    ],
)
def test_riddles_are_told_apart(line: str, is_riddle: bool) -> None:
    assert bool(RIDDLE.match(line)) == is_riddle
