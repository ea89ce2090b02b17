"""The settings of the overhead benchmark."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from benchmarks.settings import FLAG, SEED, check_names, command
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple, each

__all__ = ["INSTRUCTIONS", "PARTS", "PROFILER", "OverheadSettings"]

# The parts by name, in the order in which they are measured.
PARTS: Final = (
    "calls",
    "sessions",
    "refusals",
    "sockets",
    "memory",
    "stalls",
    "garbage",
    "imports",
)
# For each part of which progress is shown, about how many seconds it takes: thorough, and quick.
_EXPECTED: Final[Mapping[str, tuple[tuple[float, float], ...]]] = {
    "calls": ((9, 3),),
    "sessions": ((0.3, 0.1),),
    "refusals": ((0.8, 0.3),),
    "sockets": ((26, 2), (39, 4)),
    "memory": ((40, 30),),
    "stalls": ((10, 4),),
    "garbage": ((30, 4),),
    "imports": ((25, 5),),
    "instructions": ((60, 60),),
}
# Measured only where it is asked for, since it takes minutes and needs a program.
INSTRUCTIONS: Final = "instructions"
PROFILER: Final = "valgrind"


@frozen(kw_only=True)
class OverheadSettings:
    """The settings of the overhead benchmark.

    Attributes:
        parts: The parts to measure. Default: all but the instructions.
        rows: Measure only rows whose names have one of these texts in them, in whatever case,
            beside the two references. Default: all.
        instructions: Count instructions as well, where valgrind is. Default False.
        quick: Measure few rounds, for a first look with a wider spread. Default False.
        seed: The seed of the order of turns in a round. Default 1.
        peers: Measure what people use instead, too. Default True.

    Raises:
        ConfigError: An unknown part, or instructions are to be counted and there is no valgrind.
    """

    parts: tuple[str, ...] = field(
        default=(), converter=as_tuple, validator=each(str, "a list of names of parts")
    )
    rows: tuple[str, ...] = field(
        default=(), converter=as_tuple, validator=each(str, "a list of texts in names of rows")
    )
    instructions: bool = field(default=False, validator=FLAG)
    quick: bool = field(default=False, validator=FLAG)
    seed: int = field(default=1, validator=SEED)
    peers: bool = field(default=True, validator=FLAG)

    def __attrs_post_init__(self) -> None:
        check_names(self.parts, (*PARTS, INSTRUCTIONS), "OverheadSettings.parts")
        if INSTRUCTIONS in self.chosen_parts and shutil.which(PROFILER) is None:
            raise ConfigError(f"instructions are counted by {PROFILER}, which is not installed")

    @property
    def chosen_parts(self) -> tuple[str, ...]:
        """The parts that are measured, in their order."""
        chosen = set(self.parts or PARTS)
        if self.instructions:
            chosen.add(INSTRUCTIONS)
        return tuple(name for name in (*PARTS, INSTRUCTIONS) if name in chosen)

    def wants(self, row: str) -> bool:
        """Return True if a row of this name is measured."""
        if not self.rows:
            return True
        return any(text.casefold() in row.casefold() for text in self.rows)

    def choose(self, thorough: int, quick: int) -> int:
        """Return `quick` in a quick run, else `thorough`."""
        return quick if self.quick else thorough

    @property
    def expected_seconds(self) -> tuple[float, ...]:
        """The seconds of each part, about: in proportion to one another."""
        parts = (each for part in self.chosen_parts for each in _EXPECTED[part])
        return tuple(quick if self.quick else thorough for thorough, quick in parts)

    @property
    def command(self) -> str:
        """The command line that runs the benchmark with these settings again."""
        return command(
            "overhead",
            *self.parts,
            rows=self.rows,
            instructions=self.instructions,
            seed=self.seed,
            quick=self.quick,
            without_peers=not self.peers,
        )
