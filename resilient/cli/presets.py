"""List the presets that come with the package.

For a program:

    {"presets": [{
        "name":      its name, for `extends`
        "settings":  {KEY: VALUE, ...}, what it sets, by dotted keys: seconds as numbers, false for
                     a part that is left out
        "facts":     {NAME: VALUE, ...}, what is known of the service and not acted on; "source" has
                     the addresses of its documents, and "checked" says when they were read
    }, ...]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen
from rich.console import RenderableType

from resilient.cli.check.settings import Setting, facts_of, settings_of
from resilient.cli.output import Unusable
from resilient.cli.tables import grid, headed, text
from resilient.errors import ConfigError
from resilient.services.config.configuration import read_configuration
from resilient.services.config.layers import preset_names
from resilient.services.config.problems import nearest

__all__ = ["Preset", "as_json", "read_presets", "shown"]


@frozen
class Preset:
    """A preset.

    Attributes:
        name: Its name.
        settings: What it sets.
        facts: What is known of the service and not acted on.
    """

    name: str
    settings: tuple[Setting, ...]
    facts: tuple[Setting, ...]

    @property
    def known(self) -> Mapping[str, Any]:
        """The values of its facts by their names."""
        return {each.key.partition(".")[2]: each.value for each in self.facts}


def read_presets(name: str | None = None) -> tuple[Preset, ...]:
    """Return all presets by their names, or the one of a name.

    Raises:
        Unusable: There is none of that name.
    """
    names = sorted(preset_names())
    if name is not None and name not in names:
        meant = nearest(name, names)
        hint = f" (did you mean {meant}?)" if meant else ""
        error = ConfigError.of("a preset", name, f"one of {', '.join(names)}{hint}")
        raise Unusable(str(error))
    chosen = names if name is None else [name]
    services = {
        each: {"extends": each, "match": f"https://{place}.example"}
        for place, each in enumerate(chosen)
    }
    found = read_configuration({"services": services})
    return tuple(
        Preset(
            each.name,
            tuple(
                setting
                for setting in settings_of(each.policy, found.layers[each.name])
                if setting.source is not None
            ),
            facts_of(found.layers[each.name]),
        )
        for each in found.services
    )


def as_json(presets: Iterable[Preset]) -> dict[str, Any]:
    """Return the presets for a program."""
    return {
        "presets": [
            {
                "name": each.name,
                "settings": {setting.key: setting.value for setting in each.settings},
                "facts": dict(each.known),
            }
            for each in presets
        ]
    }


def shown(presets: tuple[Preset, ...]) -> Iterator[RenderableType]:
    """Show the presets to a person: in a table, or all of one."""
    if len(presets) == 1:
        lines = grid(28, None)
        for setting in (*presets[0].settings, *presets[0].facts):
            lines.add_row(text(setting.key, style="bold"), text(*setting.shown))
        yield lines
        return
    table = headed("preset", "errors", "described in")
    for each in presets:
        known = each.known
        table.add_row(
            text(each.name),
            text(known.get("error_format", "-")),
            text(known.get("source", ["-"])[0]),
        )
    yield table
