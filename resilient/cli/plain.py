"""Values of policies as JSON has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import has

from resilient.services.config.keys import fields_of

__all__ = ["fact_lines", "plain"]


def plain(value: Any) -> Any:
    """A value as JSON has it, in the form in which a file would set it."""
    if value is None:
        return False
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, frozenset | set):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if has(type(value)):
        return {each.name: plain(getattr(value, each.name)) for each in fields_of(type(value))}
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    return f"{module}:{name}" if module and name else str(value)


def fact_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Facts about a service in words."""
    for name, fact in facts.items():
        yield f"{name}: {plain(fact)} (a fact: nothing here acts on it)"
