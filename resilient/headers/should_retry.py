"""Read `x-should-retry`, by which several APIs say whether to try again."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["should_retry"]


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return what `x-should-retry` says, true or false, or None if it says neither."""
    said = headers.get("x-should-retry", "").strip(" \t").lower()
    return {"true": True, "false": False}.get(said)
