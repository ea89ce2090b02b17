"""How thoroughly to measure."""

from __future__ import annotations

from attrs import field, frozen

from resilient.validation import at_least, instance

__all__ = ["OverheadSettings"]

_FLAG = instance(bool, "True or False")


@frozen(kw_only=True)
class OverheadSettings:
    """What to measure, and how often.

    Attributes:
        quick: Few rounds: enough to see where things stand, with a wider spread.
        seed: Of the order in which the contenders of a round take their turns.
        peers: Whether to measure what people use instead.
    """

    quick: bool = field(default=False, validator=_FLAG)
    seed: int = field(default=1, validator=at_least(0))
    peers: bool = field(default=True, validator=_FLAG)

    def choose(self, thorough: int, quick: int) -> int:
        """The one number or the other."""
        return quick if self.quick else thorough
