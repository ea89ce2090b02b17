"""List the effective settings of a policy, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import Attribute, frozen, has

from resilient.cli.plain import FACTS, facts_in, in_words, number, plain
from resilient.core.statuses import in_words as statuses_in_words
from resilient.pipeline.policy import Policy
from resilient.services.config.keys import fields_of, is_duration, nested_kind
from resilient.services.config.layers import Layer
from resilient.services.config.problems import dotted

__all__ = ["Setting", "facts_of", "settings_of"]


@frozen
class Setting:
    """One effective setting.

    Attributes:
        key: Dotted, within the service's table.
        value: The value as JSON has it: seconds as numbers, False for a part that is left out.
        source: The dotted key of the table that sets it, or the variable of the environment; None
            for a default.
        shown: The value in words, with its unit, a line for each table in an array.
    """

    key: str
    value: Any
    source: str | None
    shown: tuple[str, ...]


def settings_of(policy: Policy, layer: Layer) -> tuple[Setting, ...]:
    """Return every setting of a policy, in the order of its fields."""
    return tuple(_walk(policy, type(policy), layer, ()))


def facts_of(layer: Layer) -> tuple[Setting, ...]:
    """Return the facts of a service, as settings that nothing acts on."""
    found = []
    for name, value in facts_in(layer).items():
        path = (FACTS, name)
        found.append(Setting(dotted(path), value, layer.source_label(path), (in_words(value),)))
    return tuple(found)


def _walk(part: Any, kind: type[Any], layer: Layer, above: tuple[str, ...]) -> Iterator[Setting]:
    for attribute in fields_of(kind):
        path = (*above, attribute.name)
        value = getattr(part, attribute.name)
        nested = nested_kind(attribute)
        if nested is not None and has(type(value)):
            yield from _walk(value, nested, layer, path)
        else:
            shown = _shown(attribute, value)
            yield Setting(dotted(path), plain(value), layer.source_label(path), shown)


def _shown(attribute: Attribute[Any], value: Any) -> tuple[str, ...]:
    if value is None:
        return ("none",)
    if is_duration(attribute):
        return (f"{number(value)} s",)
    if attribute.type == frozenset[int]:
        return (statuses_in_words(value) or "none",)
    simple = plain(value)
    if simple and isinstance(simple, list) and all(isinstance(each, dict) for each in simple):
        return tuple(map(in_words, simple))
    return (in_words(simple),)
