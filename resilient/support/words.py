"""Put numbers into words."""

from __future__ import annotations

__all__ = ["brief"]


def brief(number: float) -> str:
    """Return a number in about three digits, and never with an exponent of ten.

    `f"{3600:.3g}"` is "3.6e+03", which nobody reads at a glance.
    """
    return f"{number:.3g}" if abs(number) < 999.5 else f"{number:.0f}"
