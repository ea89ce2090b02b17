"""Tell which code of a file was run, since the file names it and --allow-code allows that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType

from resilient.cli.tables import text

__all__ = ["code_as_json", "code_shown"]


def code_as_json(imported: Iterable[str], called: Iterable[str]) -> dict[str, Any]:
    """Return the key "code" for a program; nothing where no code was imported."""
    if not (names := list(imported)):
        return {}
    return {"code": {"imported": names, "called": list(called)}}


def code_shown(imported: Iterable[str], called: Iterable[str]) -> Iterator[RenderableType]:
    """Show the same to a person."""
    if names := list(imported):
        yield ""
        yield text(f"Code that the file names was imported: {', '.join(names)}")
        yield text(f"and called: {', '.join(called) or 'none of it'}")
