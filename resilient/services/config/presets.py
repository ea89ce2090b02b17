"""The presets that come with the package: files in the form that everybody's are in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = ["preset_tables"]


@cache
def preset_tables() -> Mapping[str, Mapping[str, Any]]:
    """The presets by name."""
    import tomllib

    found: dict[str, Mapping[str, Any]] = {}
    for file in files("resilient.services").joinpath("presets").iterdir():
        if file.name.endswith(".toml"):
            found |= tomllib.loads(file.read_text(encoding="utf-8"))["presets"]
    return MappingProxyType(dict(sorted(found.items())))
