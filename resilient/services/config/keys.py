"""Tell which keys tables may have: the fields of the policies that they describe."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, get_args

from attrs import Attribute, fields, has, resolve_types

from resilient.pipeline.policy import Policy
from resilient.support.validation import Seconds

__all__ = [
    "KINDS",
    "described",
    "dotted_keys",
    "fields_of",
    "is_duration",
    "keys_of",
    "nested_kind",
]


def fields_of(kind: type[Any]) -> tuple[Attribute[Any], ...]:
    """Return the fields of a policy that a file may set, with their types."""
    # The key of a service's table is its name.
    return tuple(
        each
        for each in fields(resolve_types(kind, include_extras=True))
        if each.init and (kind, each.name) != (Policy, "name")
    )


def described(kind: type[Any]) -> dict[str, str]:
    """Return the descriptions of a class's attributes, from its docstring."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")
    section = re.split(r"\n(?=\S)", section)[0]
    found = re.split(r"^ {4}(\w+): ", section, flags=re.M)[1:]
    return {
        name: " ".join(text.split()) for name, text in zip(found[::2], found[1::2], strict=True)
    }


def keys_of(kind: type[Any]) -> list[str]:
    """Return the keys of the table that describes a policy."""
    return [each.name for each in fields_of(kind)]


def nested_kind(attribute: Attribute[Any]) -> type[Any] | None:
    """Return the kind of policy that a field holds, alone or several of it, or None."""
    kinds = get_args(attribute.type) or (attribute.type,)
    return next((each for each in kinds if has(each)), None)


def is_duration(attribute: Attribute[Any]) -> bool:
    """Tell whether a field holds seconds."""
    return attribute.type is Seconds or Seconds in get_args(attribute.type)


def _kinds(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for attribute in fields_of(kind):
        nested = nested_kind(attribute)
        if nested is not None:
            yield from _kinds(nested)


# The policies that tables describe: `Policy`, and what it holds.
KINDS: Final = tuple(dict.fromkeys(_kinds(Policy)))


@cache
def dotted_keys() -> Mapping[str, str]:
    """Return where in a service's table each key belongs, by the key alone."""
    found: dict[str, list[str]] = {}
    for path in _paths(Policy):
        found.setdefault(path[-1], []).append(".".join(path))
    return MappingProxyType({key: " or ".join(paths) for key, paths in found.items()})


def _paths(kind: type[Any], *above: str) -> Iterator[tuple[str, ...]]:
    for attribute in fields_of(kind):
        yield (*above, attribute.name)
        nested = nested_kind(attribute)
        if nested is not None:
            yield from _paths(nested, *above, attribute.name)
