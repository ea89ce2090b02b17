"""Read durations: "250ms", "30s", "5min", "2h"."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from resilient.errors import ConfigError

__all__ = ["ALLOWED", "PATTERN", "to_seconds"]

ALLOWED: Final = 'a number of seconds, or a text such as "250ms", "30s", "5min" or "2h"'

_UNITS: Final = MappingProxyType({"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0})

# What else people write. "m" alone is too easily a slip for "ms" to be taken for minutes.
_MEANT: Final = MappingProxyType(
    {
        "m": "min",
        "mins": "min",
        "minute": "min",
        "minutes": "min",
        "sec": "s",
        "secs": "s",
        "second": "s",
        "seconds": "s",
        "msec": "ms",
        "milliseconds": "ms",
        "hr": "h",
        "hour": "h",
        "hours": "h",
    }
)

_DURATION: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([a-z]*)")

# The same as a pattern of JSON Schema, with the units that are known.
PATTERN: Final = rf"^\s*[0-9]{{1,20}}(\.[0-9]{{1,20}})? ?({'|'.join(_UNITS)})\s*$"


def to_seconds(text: str) -> float:
    """Return the seconds of a duration that is given with its unit.

    Raises:
        ConfigError: The text is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    number, unit = match.groups() if match else ("", "")
    if unit in _UNITS:
        # Divided, not multiplied: 0.3 s is 300 ms to the last bit.
        return float(number) / 1000 if unit == "ms" else float(number) * _UNITS[unit]
    allowed = ALLOWED
    if number and not unit:
        allowed += f" (did you mean {number}, without quotes?)"
    elif unit in _MEANT:
        allowed += f' (did you mean "{number}{_MEANT[unit]}"?)'
    raise ConfigError.of("a duration", text, allowed)
