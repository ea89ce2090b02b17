import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from resilient.envelopes import (
    DEFAULT_PARSERS,
    FORMATS,
    Envelope,
    Format,
    parse_any,
    resolve_parser,
)
from resilient.errors import ConfigError

MODULE = """
from resilient.envelopes import Envelope

def parse(status, headers, body):
    return Envelope(code="acme")

class Holder:
    parse = staticmethod(parse)

NOT_A_PARSER = 5
"""

ENTRY_POINTS = """
[resilient.envelopes]
acme = acme_envelopes:parse
flat = acme_envelopes:parse
missing = acme_envelopes:nowhere
number = acme_envelopes:NOT_A_PARSER

[somebody.else]
stranger = acme_envelopes:parse
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that declares parsers, installed for one test."""
    (tmp_path / "acme_envelopes.py").write_text(MODULE)
    (tmp_path / "acme_broken.py").write_text("raise RuntimeError('broken on import')")
    info = tmp_path / "acme_envelopes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-envelopes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "acme_envelopes", raising=False)


@pytest.mark.parametrize("built_in", FORMATS, ids=lambda each: each.name)
def test_the_built_in_parsers_have_names(built_in: Format) -> None:
    assert resolve_parser(built_in.name) is built_in


def test_the_default_is_any_of_the_built_in_parsers() -> None:
    assert DEFAULT_PARSERS == ("any",)
    assert resolve_parser("any") is parse_any


def test_a_parser_is_itself() -> None:
    def parser(status: int, headers: Any, body: bytes) -> Envelope | None:
        return None

    assert resolve_parser(parser) is parser


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("name", ["acme", "acme_envelopes:parse", "acme_envelopes:Holder.parse"])
def test_an_entry_point_or_a_reference_is_loaded(name: str) -> None:
    assert resolve_parser(name)(400, {}, b"") == Envelope(code="acme")


@pytest.mark.usefixtures("acme")
def test_an_entry_point_cannot_take_the_name_of_a_built_in_parser() -> None:
    assert resolve_parser("flat") in FORMATS


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "number",
        "stranger",
        "acme_envelopes",
        "acme_envelopes:nowhere",
        "acme_envelopes:NOT_A_PARSER",
        "acme_envelopes:",
        "acme_nowhere:parse",
        "acme_broken:parse",
        ":",
        ":parse",
        "a b:c",
        "",
        5,
        None,
    ],
)
def test_what_is_no_parser_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError):
        resolve_parser(name)


@pytest.mark.usefixtures("acme")
def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(
        ConfigError, match=r"acme, any, .*flat, .*missing, nested, number, .*problem"
    ):
        resolve_parser("unheard-of")


@pytest.mark.parametrize(("typo", "meant"), [("nestd", "nested"), ("problems", "problem")])
def test_an_unknown_name_is_answered_with_the_nearest(typo: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean \"{meant}\"\?\), not '{typo}'"):
        resolve_parser(typo)


@pytest.mark.usefixtures("acme")
def test_a_reference_that_cannot_be_had_says_why() -> None:
    with pytest.raises(ConfigError, match=r"broken on import.*'acme_broken:parse'") as caught:
        resolve_parser("acme_broken:parse")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_built_in_names_import_nothing_more() -> None:
    code = (
        "import aiohttp, sys; before = set(sys.modules); import resilient.envelopes as e;"
        "e.parse_error(500, {}, b'{}');"
        "print({'importlib.metadata', 'difflib'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
