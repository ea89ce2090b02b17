"""Read rates: "10/s", "300/min", "1000/h", "200/45s"."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

__all__ = ["RATE", "parse_rate"]

_UNITS: Final = MappingProxyType({"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0})

_RATE: Final = re.compile(rf"([1-9][0-9]{{0,8}})/([1-9][0-9]{{0,5}})?({'|'.join(_UNITS)})")

RATE: Final = (
    'a text such as "10/s", "300/min", "1000/h" or "200/45s": a positive number of requests, and '
    f"a time in one of {', '.join(_UNITS)}"
)


def parse_rate(text: object) -> tuple[int, float] | None:
    """Return a number of requests and the seconds for them; None if a text is no rate."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    requests, count, unit = match.groups()
    return int(requests), int(count or 1) * _UNITS[unit]
