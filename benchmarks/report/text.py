"""Write numbers with the digits that a measurement has, units, values, and names of files."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field

from benchmarks.results import Figure

__all__ = [
    "ABSENT",
    "Anchors",
    "distinct",
    "format_number",
    "format_quartiles",
    "format_value",
    "format_with_unit",
    "printed_unit",
    "slug",
    "unit_suffix",
]

ABSENT: Final = "absent"

# From here on, and below the next, numbers have an exponent.
_MANY = 1e12
_FEW = 1e-3
_IN_PRINT = {"us": "µs", "x": "×"}
_LONGEST = 80


def format_number(value: float) -> str:
    """Write a number with three significant digits, a whole number with all of them.

    >>> [format_number(each) for each in (1234567, 12345.6, 3.14159, 0.00012)]
    ['1,234,567', '12,346', '3.14', '1.20e-4']
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    size = abs(value)
    if size < _MANY and value == int(value):
        return f"{int(value):,}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    if not _FEW <= size < _MANY:
        return f"{mantissa}e{int(exponent)}"
    return f"{value:,.{max(0, 2 - int(exponent))}f}"


def format_with_unit(value: float, unit: str) -> str:
    """Write a number and its unit: "2.10x", "8.20%", "12.0 us"."""
    return f"{format_number(value)}{unit_suffix(unit)}"


def unit_suffix(unit: str) -> str:
    """Return a unit as it follows a number, with a space where one belongs."""
    attached = unit in ("", "x", "×", "%")
    return f"{'' if attached else ' '}{unit}"


def printed_unit(unit: str) -> str:
    """Return a unit for pages, which can show signs that some terminals cannot."""
    return _IN_PRINT.get(unit, unit)


def format_quartiles(figure: Figure) -> str:
    """Write the quartiles of a figure; "" if it has none."""
    low, high = figure.low, figure.high
    if low is None or high is None:
        return ""
    return f"{format_number(low)} to {format_number(high)}"


def format_value(value: Any) -> str:
    """Write the value of a parameter, much as in JSON."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else format_number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {format_value(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(format_value, value)) or "none"
    return str(value)


def slug(*parts: str) -> str:
    """Return a name in lower-case ASCII letters and digits, with hyphens between words."""
    text = unicodedata.normalize("NFKD", " ".join(parts)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST].strip("-") or "untitled"


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names in order; a repeated one gets a number at its end."""
    taken = Anchors()
    return [taken.add(name) for name in names]


@define
class Anchors:
    """Names of which each is given once.

    Attributes:
        taken: The names that were given.
    """

    taken: set[str] = field(factory=set)

    def name(self, *parts: str) -> str:
        """Return a name for an address, as `slug` makes it, that was not given before."""
        return self.add(slug(*parts))

    def add(self, name: str) -> str:
        """Return a name; with a number at its end if it was given before."""
        unique, count = name, 1
        while unique in self.taken:
            count += 1
            unique = f"{name}-{count}"
        self.taken.add(unique)
        return unique
