"""The machine and the versions that a figure was measured with."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["describe_machine"]

_ALWAYS = ("aiohttp", "attrs", "backoff", "resilient-aiohttp", "yarl")


def describe_machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """What a figure depends on, by name; nothing that tells whose machine it is.

    Args:
        packages: Distributions whose versions count, besides our own and what it is built on.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {name: _version(name) for name in sorted({*_ALWAYS, *packages})},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
