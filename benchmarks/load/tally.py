"""Count calls: each worker by itself, then all together."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define, field
from hdrh.histogram import HdrHistogram

from benchmarks.recovery import BUCKET

__all__ = [
    "DROPPED",
    "LATE",
    "UNFINISHED",
    "Latencies",
    "Tally",
]

_MICROSECONDS = 1e6

# The longest duration, in microseconds; longer ones count as this.
_LONGEST = 3_600_000_000
_DIGITS = 3


# Kinds of failures that the generator itself causes.
DROPPED = "not made: too many calls in progress"
LATE = "not made: the machine was too slow"
UNFINISHED = "not over at the end"


class Latencies:
    """A histogram of seconds with three digits (HdrHistogram). Several add up without loss."""

    __slots__ = ("_histogram", "_known")

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _LONGEST, _DIGITS)
        # Quantiles are kept, since they are slow to find and results ask for them repeatedly.
        self._known: dict[float, float] = {}

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, seconds: float) -> None:
        """Count a duration."""
        self._known.clear()
        self._histogram.record_value(min(max(round(seconds * _MICROSECONDS), 1), _LONGEST))

    def add(self, other: Latencies) -> None:
        """Add the counts of another histogram."""
        self._known.clear()
        self._histogram.add(other._histogram)

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this share of the durations did not exceed; None without any.

        A share of 1 gives the longest.
        """
        if not len(self):
            return None
        found = self._known.get(share)
        if found is None:
            value = self._histogram.get_value_at_percentile(share * 100)
            found = self._known[share] = float(value) / _MICROSECONDS
        return found

    def __getstate__(self) -> Any:
        return self._histogram.encode()

    def __setstate__(self, state: Any) -> None:
        self._histogram = HdrHistogram.decode(state)
        self._known = {}


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
