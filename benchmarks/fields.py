"""What the settings of several benchmarks may be."""

from __future__ import annotations

from typing import Any, Final

from resilient.support.validation import Validator, at_least, check, instance, optional

__all__ = ["FLAG", "SEED", "TEXT", "between"]

FLAG: Final = instance(bool, "True or False")
SEED: Final = at_least(0)
TEXT: Final = optional(check("text", lambda given: isinstance(given, str) and given != ""))


def between(least: float, most: float, unit: str = "", *, above: bool = False) -> Validator:
    """A number from one to another, both included; a whole one if they are.

    Args:
        least: The least.
        most: The greatest.
        unit: What it counts.
        above: Whether it has to be above the least.
    """
    whole = isinstance(least, int)
    kinds = int if whole else int | float
    kind = f"{'an integer' if whole else 'a number'}{unit and ' of ' + unit}"

    def holds(given: Any) -> bool:
        if not isinstance(given, kinds) or isinstance(given, bool):
            return False
        return least <= given <= most and not (above and given == least)

    start = f"above {least:.15g}, up to" if above else f"from {least:.15g} to"
    return check(f"{kind} {start} {most:.15g}", holds)
