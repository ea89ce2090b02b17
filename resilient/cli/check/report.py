"""Report on a file of services that is right.

For a program:

    {"file": PATH, "ok": true,
     "services": [{
         "name":      its name
         "match":     [PATTERN, ...]
         "settings":  {KEY: VALUE, ...}, every effective one by its dotted key: seconds as
                      numbers, false for a part that is left out
         "facts":     {NAME: VALUE, ...}, what is known of it and not acted on
         "sources":   {KEY: SOURCE, ...}, for each setting and each "facts.NAME" the table
                      that sets it, or the variable of the environment; null for a default
     }, ...],
     "default":  the same without name and match, for the URLs that no service covers; null
                 where the file leaves those to aiohttp
     "code":     only if the file names code, which --allow-code allows:
                 {"imported": [NAME, ...], as the file has them, "called": []}
    }

`resilient.cli.files` has what is reported of a file in which something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from resilient.cli.check.settings import Setting, facts_of, settings_of
from resilient.cli.code import code_as_json, code_shown
from resilient.cli.plain import facts_in
from resilient.cli.tables import headed, text
from resilient.pipeline.policy import Policy
from resilient.services.config.configuration import Configuration
from resilient.services.config.layers import DEFAULT, Layer

__all__ = ["as_json", "shown"]


def as_json(found: Configuration) -> dict[str, Any]:
    """Return the effective policy of every service, for a program."""
    return {
        "file": found.file,
        "ok": True,
        "services": [
            {
                "name": each.name,
                "match": list(each.match),
                **_policy(each.policy, found.layers[each.name]),
            }
            for each in found.services
        ],
        "default": found.default and _policy(found.default, found.layers[DEFAULT]),
        **code_as_json(found.code, ()),
    }


def _policy(policy: Policy, layer: Layer) -> dict[str, Any]:
    settings, facts = settings_of(policy, layer), facts_of(layer)
    return {
        "settings": {each.key: each.value for each in settings},
        "facts": facts_in(layer),
        "sources": {each.key: each.source for each in (*settings, *facts)},
    }


def shown(found: Configuration) -> Iterator[RenderableType]:
    """Show the effective policy of every service as a table, defaults included."""
    for each in found.services:
        yield from _part(each.name, ", ".join(each.match), each.policy, found.layers[each.name])
    covers = "the URLs that no service covers"
    count = f"{len(found.services)} service{'s' * (len(found.services) != 1)}"
    if found.default is None:
        count += f"; {covers} are left to aiohttp alone"
    else:
        count += " and a default"
        yield from _part(DEFAULT, covers, found.default, found.layers[DEFAULT])
    yield text(f"{found.file} is right: {count}")
    yield from code_shown(found.code, ())


def _part(name: str, covers: str, policy: Policy, layer: Layer) -> Iterator[RenderableType]:
    yield text(name, style="bold")
    yield text(covers, style="cyan")
    yield ""
    facts = facts_of(layer)
    yield _table((*settings_of(policy, layer), *facts))
    if facts:
        yield text("Facts are what is known of it; nothing acts on them.", style="dim")
    yield ""


def _table(settings: Iterable[Setting]) -> Table:
    table = headed("setting", "value", "set by")
    for each in settings:
        style = "dim" if each.source is None else ""
        table.add_row(
            text(each.key), text(*each.shown), text(each.source or "default"), style=style
        )
    return table
