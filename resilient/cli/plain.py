"""Turn values of policies into JSON, and into words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from attrs import has

from resilient.services.config.keys import fields_of
from resilient.services.config.layers import Layer
from resilient.support.redact import without_userinfo

__all__ = ["FACTS", "facts_in", "in_words", "number", "plain"]

# The key of a table of facts: known of a service, and not acted on.
FACTS: Final = "facts"


def facts_in(layer: Layer) -> dict[str, Any]:
    """Return the facts of a table (known, and not acted on), as JSON has them."""
    return {name: _public(plain(value)) for name, value in layer.values.get(FACTS, {}).items()}


def _public(value: Any) -> Any:
    """Return a fact without the userinfo of URLs: nothing here says what it may hold."""
    if isinstance(value, dict):
        return {key: _public(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_public(each) for each in value]
    return without_userinfo(value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Return a value as JSON has it, in the form in which a file would set it.

    False stands for what is left out, text for what neither JSON nor a file knows.
    """
    if value is None:
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
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


def in_words(value: Any) -> str:
    """Put a value that JSON has into words; keys of a table that are left out are not named."""
    if isinstance(value, dict):
        given = {key: each for key, each in value.items() if each is not False}
        return " ".join(f"{key}={_quoted(each)}" for key, each in given.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def _quoted(value: Any) -> str:
    words = in_words(value)
    return f'"{words}"' if " " in words else words


def number(value: float) -> str:
    """Write a number with all the digits that somebody may have given it."""
    return f"{value:.15g}"
