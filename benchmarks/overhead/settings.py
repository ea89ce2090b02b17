"""The settings of the overhead benchmark."""

from __future__ import annotations

from attrs import field, frozen

from benchmarks.settings import FLAG, SEED, command

__all__ = ["OverheadSettings"]


@frozen(kw_only=True)
class OverheadSettings:
    """The settings of the overhead benchmark.

    Attributes:
        quick: Measure few rounds, for a first look with a wider spread. Default False.
        seed: The seed of the order of turns in a round. Default 1.
        peers: Measure what people use instead, too. Default True.
    """

    quick: bool = field(default=False, validator=FLAG)
    seed: int = field(default=1, validator=SEED)
    peers: bool = field(default=True, validator=FLAG)

    def choose(self, thorough: int, quick: int) -> int:
        """Return `quick` in a quick run, else `thorough`."""
        return quick if self.quick else thorough

    @property
    def command(self) -> str:
        """The command line that runs the benchmark with these settings again."""
        return command("overhead", seed=self.seed, quick=self.quick, without_peers=not self.peers)
