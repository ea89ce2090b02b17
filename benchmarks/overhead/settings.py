"""How thoroughly to measure."""

from __future__ import annotations

from attrs import field, frozen

from benchmarks.settings import FLAG, SEED, command

__all__ = ["OverheadSettings"]


@frozen(kw_only=True)
class OverheadSettings:
    """What to measure, and how often.

    Attributes:
        quick: Few rounds: enough to see where things stand, with a wider spread.
        seed: Of the order in which the contenders of a round take their turns.
        peers: Whether to measure what people use instead.
    """

    quick: bool = field(default=False, validator=FLAG)
    seed: int = field(default=1, validator=SEED)
    peers: bool = field(default=True, validator=FLAG)

    def choose(self, thorough: int, quick: int) -> int:
        """The one number or the other."""
        return quick if self.quick else thorough

    @property
    def command(self) -> str:
        """What runs it again."""
        return command("overhead", seed=self.seed, quick=self.quick, without_peers=not self.peers)
