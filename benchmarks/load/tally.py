"""Count calls: each worker by itself, then all together."""

from __future__ import annotations

from array import array
from collections import Counter
from math import ceil

from attrs import define, field

from benchmarks.recovery import BUCKET

__all__ = [
    "DROPPED",
    "LATE",
    "UNFINISHED",
    "Latencies",
    "Tally",
]

# Kinds of failures that the generator itself causes.
DROPPED = "not made: too many calls in progress"
LATE = "not made: the machine was too slow"
UNFINISHED = "not over at the end"


class Latencies:
    """Durations in seconds, of which quantiles are asked."""

    __slots__ = ("_durations", "_is_sorted")

    def __init__(self) -> None:
        self._durations = array("d")
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._durations)

    def record(self, seconds: float) -> None:
        """Count a duration."""
        self._durations.append(seconds)
        self._is_sorted = False

    def add(self, other: Latencies) -> None:
        """Count the durations of another one too."""
        self._durations.extend(other._durations)
        self._is_sorted = False

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this share of the durations did not exceed; None without any.

        A share of 1 gives the longest.
        """
        if not self._durations:
            return None
        if not self._is_sorted:
            self._durations = array("d", sorted(self._durations))
            self._is_sorted = True
        return self._durations[max(ceil(share * len(self._durations)), 1) - 1]


@define
class Tally:
    """Counts of calls.

    Attributes:
        calls: Calls that were due.
        succeeded: Durations of the calls that succeeded, counted from when they were due.
        failed: Durations of the calls that were made and failed, counted likewise.
        failures: Calls that failed or were not made, by status, class of exception or reason.
        offered: Calls that were due, by slice of time.
        good: Calls that succeeded, by slice of time.
        lateness: Seconds from when calls were due to when they were made.
        peak: The most calls in progress at once.
        openings: Times that a circuit opened.
    """

    calls: int = 0
    succeeded: Latencies = field(factory=Latencies)
    failed: Latencies = field(factory=Latencies)
    failures: Counter[str] = field(factory=Counter)
    offered: Counter[int] = field(factory=Counter)
    good: Counter[int] = field(factory=Counter)
    lateness: Latencies = field(factory=Latencies)
    peak: int = 0
    openings: int = 0

    def arrive(self, offset: float, lateness: float) -> None:
        """Count a call that was due at `offset` and is made `lateness` later, in seconds."""
        self.calls += 1
        self.offered[int(offset // BUCKET)] += 1
        self.lateness.record(lateness)

    def end(self, offset: float, ended: float, failure: str | None) -> None:
        """Count the end of a call that was due at `offset`; `failure` is None for a success."""
        if failure is None:
            self.succeeded.record(ended - offset)
            self.good[int(ended // BUCKET)] += 1
        else:
            self.failed.record(ended - offset)
            self.failures[failure] += 1

    def skip(self, reason: str) -> None:
        """Count a call that was due and not made as a failure without a duration."""
        self.failures[reason] += 1

    def add(self, other: Tally) -> None:
        """Add the counts of another worker."""
        self.calls += other.calls
        self.succeeded.add(other.succeeded)
        self.failed.add(other.failed)
        self.failures.update(other.failures)
        self.offered.update(other.offered)
        self.good.update(other.good)
        self.lateness.add(other.lateness)
        self.peak += other.peak
        self.openings += other.openings
