"""The settings that a policy comes to, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import Attribute, frozen, has

from resilient.cli.plain import plain
from resilient.composition import Policy
from resilient.services.config.keys import fields_of, is_duration, nested_kind
from resilient.services.config.layers import Layer
from resilient.services.config.problems import dotted

__all__ = ["Setting", "settings_of"]


@frozen
class Setting:
    """One effective setting.

    Attributes:
        key: Dotted, within the service's table.
        value: As JSON has it: seconds as numbers, False for a part that is left out.
        source: The dotted key of the table that sets it; None for a default.
        shown: The value in words, with its unit.
    """

    key: str
    value: Any
    source: str | None
    shown: str


def settings_of(policy: Policy, layer: Layer) -> tuple[Setting, ...]:
    """Every setting of a policy, in the order of its fields."""
    return tuple(_walk(policy, type(policy), layer, ()))


def _walk(part: Any, kind: type[Any], layer: Layer, above: tuple[str, ...]) -> Iterator[Setting]:
    for attribute in fields_of(kind):
        path = (*above, attribute.name)
        value = getattr(part, attribute.name)
        nested = nested_kind(attribute)
        if nested is not None and has(type(value)):
            yield from _walk(value, nested, layer, path)
        else:
            source = layer.source(path)
            yield Setting(
                dotted(path),
                plain(value),
                None if source is None else source.label,
                _shown(attribute, value),
            )


def _shown(attribute: Attribute[Any], value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if is_duration(attribute):
        return f"{value:g} s"
    simple = plain(value)
    if isinstance(simple, list):
        return ", ".join(_words(each) for each in simple) or "none"
    return _words(simple)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_words(each)}" for key, each in value.items() if each is not False)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
