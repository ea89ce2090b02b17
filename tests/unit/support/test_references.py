"""Objects by name: what is there, what is not, and what fails on the way."""

from __future__ import annotations

import collections.abc
import os
import sys
from pathlib import Path

import pytest

from resilient import ConfigError
from resilient.support.references import load_reference, split_reference


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere to import from."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def test_what_a_reference_stands_for() -> None:
    assert load_reference("os:getcwd") is os.getcwd
    assert load_reference("os.path:join") is os.path.join
    assert load_reference("collections.abc:Mapping.get") is collections.abc.Mapping.get
    assert split_reference("a.b:C.d") == ("a.b", ["C", "d"])


@pytest.mark.parametrize(
    "text",
    [
        *("", "os", "os.path.join", "KeyError"),
        *(
            ":",
            ":x",
            "os:",
            "os path:x",
            "..os:x",
            "\0:x",
            "os:get cwd",
            "os:x:y",
            "os:x.",
            "os:.x",
        ),
        *("__main__:x", "os:__dict__", "os:getcwd.__self__", "a.__init__:x", "os:__x"),
    ],
)
def test_what_is_no_reference(text: str) -> None:
    for use in (load_reference, split_reference):
        with pytest.raises(ConfigError) as caught:
            use(text)
        assert caught.value.allowed == '"package.module:name"'
        assert caught.value.given == repr(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acme_missing:x", "ModuleNotFoundError: No module named 'acme_missing'"),
        ("os.path.acme:x", "ModuleNotFoundError: "),
        ("os:acme", "AttributeError: "),
        ("os:path.join", "AttributeError: 'join' is in no module and in no class"),
        ("sys:flags.debug", "AttributeError: 'debug' is in no module and in no class"),
    ],
)
def test_what_is_not_there(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_reference(text)
    assert str(caught.value.allowed).startswith(f"importable ({reason}")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("acme_raises", "raise ZeroDivisionError('by zero')", "ZeroDivisionError: by zero"),
        ("acme_syntax", "def", "SyntaxError: "),
        ("acme_endless", "def f(): f()\nf()", "RecursionError: "),
        # A script that runs when it is imported would end the program.
        ("acme_exits", "import sys; sys.exit('usage: ...')", "SystemExit: usage: ..."),
    ],
)
def test_a_module_that_cannot_be_imported(name: str, code: str, reason: str, folder: Path) -> None:
    (folder / f"{name}.py").write_text(code)
    with pytest.raises(ConfigError) as caught:
        load_reference(f"{name}:x")
    assert str(caught.value.allowed).startswith(f"importable ({reason}")


def test_to_stop_while_a_module_is_imported_stops(folder: Path) -> None:
    (folder / "acme_stops.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_reference("acme_stops:x")
