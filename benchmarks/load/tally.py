"""What is counted of calls: by each worker by itself, then all together."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from benchmarks.load.latencies import Latencies

__all__ = ["BUCKET", "DROPPED", "LATE", "UNFINISHED", "Tally"]

# Seconds of which each has a count of its own.
BUCKET = 0.5

# Kinds of failures that are the generator's own.
DROPPED = "not made: too many calls in progress"
LATE = "not made: the machine was too slow"
UNFINISHED = "not over at the end"


@define
class Tally:
    """Counts of calls.

    Attributes:
        calls: How many were to be made.
        succeeded: How long those took that ended well: from when they were to arrive, and not
            from when the generator got round to them.
        failed: How long the others took, as far as they were made.
        failures: How many failed, by status or class of exception, or were not made.
        offered: How many were to arrive in which bucket of time.
        good: How many ended well in which bucket.
        lateness: How much later than they were to arrive calls were made.
        peak: The most that were in progress at once.
        openings: How often a circuit breaker opened.
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
        """Count a call that is due, in seconds from the start."""
        self.calls += 1
        self.offered[int(offset // BUCKET)] += 1
        self.lateness.record(lateness)

    def end(self, offset: float, ended: float, failure: str | None) -> None:
        """Count how a call that was due at `offset` ended."""
        if failure is None:
            self.succeeded.record(ended - offset)
            self.good[int(ended // BUCKET)] += 1
        else:
            self.failed.record(ended - offset)
            self.failures[failure] += 1

    def leave_out(self, reason: str) -> None:
        """Count a call that was due and not made: it failed, and has taken no time to do so."""
        self.failures[reason] += 1

    def add(self, other: Tally) -> None:
        """Count what another worker has counted, too."""
        self.calls += other.calls
        self.succeeded.add(other.succeeded)
        self.failed.add(other.failed)
        self.failures.update(other.failures)
        self.offered.update(other.offered)
        self.good.update(other.good)
        self.lateness.add(other.lateness)
        self.peak += other.peak
        self.openings += other.openings
