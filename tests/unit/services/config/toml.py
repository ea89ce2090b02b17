"""TOML, written; the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from typing import Any

__all__ = ["dumps"]


def dumps(tables: Mapping[str, Any]) -> str:
    """A document, each key of its top level on a line."""
    return "".join(f"{_text(key)} = {_value(each)}\n" for key, each in tables.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        pairs = (f"{_text(key)} = {_value(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    assert isinstance(value, int | float)
    return repr(value)


def _text(text: str) -> str:
    # JSON lets DEL stand, TOML does not.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
