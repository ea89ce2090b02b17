"""What a server says of trying again."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["should_retry"]


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Read `x-should-retry`, which several APIs send; None if it is not there or says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())
