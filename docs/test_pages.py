"""Every block of code in the site runs, and prints what the page says.

A page is run from top to bottom in an empty folder, block by block:

- `python`: runs as it stands. A first line `# NAME.py` makes it a file of the folder instead, for a
  command that follows.
- `toml`: a first line of that form makes it a file too; without, it is a file of services.
- `console`: each `$ COMMAND` runs in the folder; the lines after it are its output.
- `text` right after a block of Python is what that prints. Ports, times and other numbers with a
  point differ from run to run and are not compared; a line `...` stands for any lines.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import resilient
from resilient import load_services
from resilient.services.config.keys import dotted_keys
from tests.examples import examples_of, output_of

HERE = Path(__file__).parent
PAGES = sorted(path for path in HERE.rglob("*.md") if "```" in path.read_text(encoding="utf-8"))
FENCE = re.compile(r"^```(\S+)?(?: .*)?\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"# (\S+\.(?:py|toml))\n")


def alike(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d+\.\d+|\d+(?= s\b)", "N", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def assert_said(said: str, shown: str) -> None:
    wanted = re.escape(alike(shown)).replace(r"\.\.\.", ".*")
    assert re.fullmatch(wanted, alike(said), re.S), f"the page shows\n{shown}\nand it says\n{said}"


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    plain["PYTHONUNBUFFERED"] = "1"  # so that the log stands among what is printed
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=os.environ | plain,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def calls_in(text: str) -> Iterator[ast.Call]:
    """The calls that a page shows in the midst of its words, such as `Backoff(cap=...)`."""
    for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", text)):
        with contextlib.suppress(SyntaxError):
            tree = ast.parse(code.removeprefix("with ").removesuffix(":"))
            yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(HERE).as_posix())
def test_the_arguments_that_a_page_names_are_there(page: Path) -> None:
    unknown = []
    for call in calls_in(page.read_text(encoding="utf-8")):
        name = ast.unparse(call.func).removeprefix("resilient.")
        # Names that others have too are those of the page's other library.
        kind = getattr(resilient, name, None) if name not in ("Retry",) else None
        if kind is not None:
            known = inspect.signature(kind).parameters
            unknown += [f"{name}({each.arg}=)" for each in call.keywords if each.arg not in known]
    assert unknown == []


def test_the_keys_that_the_pages_name_are_there() -> None:
    keys = {key for paths in dotted_keys().values() for key in paths.split(" or ")}
    parts = "|".join(sorted({key.partition(".")[0] for key in keys if "." in key}))
    unknown = [
        f"{page.name}: {key}"
        for page in PAGES
        for key in re.findall(rf"`((?:{parts})\.[a-z_.]+)`", page.read_text(encoding="utf-8"))
        # tenacity's, of a function that it decorates.
        if key not in {*keys, "retry.statistics"}
    ]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(HERE).as_posix())
def test_what_a_page_shows_is_so(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = {example.parsed: example for example in examples_of(page)}
    said = None
    for kind, block in FENCE.findall(page.read_text(encoding="utf-8")):
        named = NAMED.match(block)
        if kind == "text" and said is not None:
            assert_said(said, block)
            said = None
            continue
        assert not said, f"the page does not show that this is printed:\n{said}"
        said = None
        if named and kind in ("python", "toml"):
            Path(named[1]).write_text(block, encoding="utf-8")
        elif kind == "python":
            said = output_of(examples[block])
        elif kind == "toml":
            load_services(tomllib.loads(block))
        elif kind == "console":
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
                assert_said(run(command, tmp_path), shown)
        else:
            assert kind in ("text", "{toctree}", "{include}"), f"nothing runs a block of {kind!r}"
    assert not said, f"the page does not show that this is printed:\n{said}"
