"""Read durations as servers write them: "30", "1.5s", "6m0s", "250ms", "1h2m", "PT30S" is none.

Go's `time.Duration` writes them so, and with it many gateways; Protocol Buffers write "3.5s".
(`services.config.durations` reads those of a file, which are one number with one unit, and in
which an "m" is refused as a likely slip.)
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST", "seconds_of"]

# RFC 9111 1.2.2: the value to take an overflowing delta-seconds for.
LONGEST: Final = float(2**31)

_NUMBER: Final = r"[0-9]{1,30}(?:\.[0-9]{1,30})?"
_DURATION: Final = (
    rf"(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?"
    rf"(?:({_NUMBER})ms)?(?:({_NUMBER})(?:us|µs|μs))?(?:({_NUMBER})ns)?"
)
_UNITS: Final = (86_400.0, 3600.0, 60.0, 1.0, 1e-3, 1e-6, 1e-9)


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration, no more than 2**31; None if it is none.

    A number without a unit is one of seconds. Never raises.
    """
    text = text.strip(" \t")
    if not text[:1].isdigit():
        return None
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return min(float(text), LONGEST)
    match = re.fullmatch(_DURATION, text, re.ASCII)
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS, strict=True)
    return min(sum(float(part) * unit for part, unit in parts if part), LONGEST)
