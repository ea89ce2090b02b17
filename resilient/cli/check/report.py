"""What `check` reports of a file that is right."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilient.cli.check.settings import Setting, settings_of
from resilient.cli.plain import fact_lines, plain
from resilient.composition import Policy
from resilient.services.config.configuration import Configuration
from resilient.services.config.layers import DEFAULT, Layer

__all__ = ["as_json", "show"]


def as_json(found: Configuration) -> dict[str, Any]:
    """The effective policy of every service, for a program."""
    return {
        "file": found.file,
        "ok": True,
        "services": [
            {
                "name": each.name,
                "match": list(each.match),
                "facts": plain(each.facts),
                **_policy(each.policy, found.layers[each.name]),
            }
            for each in found.services
        ],
        "default": found.default and _policy(found.default, found.layers[DEFAULT]),
    }


def _policy(policy: Policy, layer: Layer) -> dict[str, Any]:
    settings = settings_of(policy, layer)
    return {
        "settings": {each.key: each.value for each in settings},
        "sources": {each.key: each.source for each in settings},
    }


def show(found: Configuration, console: Console) -> None:
    """The effective policy of every service, as a table, with what was defaulted."""
    for each in found.services:
        covers = Text(", ".join(each.match))
        console.print(Text.assemble((each.name, "bold"), "  ", covers))
        for line in fact_lines(each.facts):
            console.print(Text(f"  {line}", "dim"))
        console.print(_table(settings_of(each.policy, found.layers[each.name])))
    rest = Text("the rest", "bold")
    if found.default is None:
        console.print(Text.assemble(rest, "  is left to aiohttp alone"))
    else:
        console.print(Text.assemble(rest, "  URLs that no service covers"))
        console.print(_table(settings_of(found.default, found.layers[DEFAULT])))


def _table(settings: tuple[Setting, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("setting", "value", "set by"):
        table.add_column(column, overflow="fold")
    for each in settings:
        style = "dim" if each.source is None else ""
        table.add_row(Text(each.key), Text(each.shown), Text(each.source or "default"), style=style)
    return table
