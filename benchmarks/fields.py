"""What the settings of several benchmarks may be."""

from __future__ import annotations

from typing import Any, Final

from resilient.validation import Validator, at_least, check, instance, optional

__all__ = ["FLAG", "SEED", "TEXT", "between"]

FLAG: Final = instance(bool, "True or False")
SEED: Final = at_least(0)
TEXT: Final = optional(check("text", lambda given: isinstance(given, str) and given != ""))


def between(least: float, most: float, unit: str = "") -> Validator:
    """A number from one to another, both included; a whole one if they are."""
    whole = isinstance(least, int)
    kinds = int if whole else int | float
    kind = f"{'an integer' if whole else 'a number'}{unit and ' of ' + unit}"

    def holds(given: Any) -> bool:
        return isinstance(given, kinds) and not isinstance(given, bool) and least <= given <= most

    return check(f"{kind} from {least:.15g} to {most:.15g}", holds)
