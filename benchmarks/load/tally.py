"""Durations, counted in a histogram that keeps three digits of each (HdrHistogram)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from attrs import define, field
from hdrh.histogram import HdrHistogram

__all__ = [
    "BUCKET",
    "DROPPED",
    "LATE",
    "UNFINISHED",
    "WINDOW",
    "Latencies",
    "Tally",
    "peak_rate",
    "time_to_recover",
]

_MICROSECONDS = 1e6

# Longer ones count as this, in microseconds.
_LONGEST = 3_600_000_000
_DIGITS = 3


class Latencies:
    """A histogram of seconds. Histograms of several processes add up, without loss."""

    __slots__ = ("_histogram", "_known")

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _LONGEST, _DIGITS)
        # Each quantile is looked for once: that takes a while, and results ask again and again.
        self._known: dict[float, float] = {}

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, seconds: float) -> None:
        """Count one."""
        self._known.clear()
        self._histogram.record_value(min(max(round(seconds * _MICROSECONDS), 1), _LONGEST))

    def add(self, other: Latencies) -> None:
        """Count what another one has counted, too."""
        self._known.clear()
        self._histogram.add(other._histogram)

    def quantile(self, share: float) -> float | None:
        """The seconds that such a share of them did not exceed; 1 is the longest.

        None if there are none.
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

    def skip(self, reason: str) -> None:
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


# Seconds in which the most arrivals are looked for.
WINDOW = 1.0

# Seconds for which calls have to go on ending well, and which share of them.
_LASTING = 2.0
_WELL = 0.9


def peak_rate(times: Iterable[float], *, start: float = -math.inf, window: float = WINDOW) -> float:
    """The most of them within a window of so many seconds, per second.

    Args:
        times: In order.
        start: Those before it do not count.
        window: How long a window is, wherever it begins.
    """
    chosen = [each for each in times if each >= start]
    first = most = 0
    for last, time in enumerate(chosen):
        while chosen[first] <= time - window:
            first += 1
        most = max(most, last - first + 1)
    return most / window


def time_to_recover(
    offered: Counter[int], good: Counter[int], *, end: float, until: float
) -> float | None:
    """Seconds from the end of an outage until calls end well as quickly as they arrive.

    They do from the first bucket of time on in which nine tenths as many end well as arrive,
    and in those of the next two seconds, too. Measured to the end of that bucket, less its
    length, so to within a bucket.

    Args:
        offered: Arrivals by bucket.
        good: Calls that ended well, by bucket.
        end: When the outage ended, in seconds from the start.
        until: When the last call arrived.

    Returns:
        None if they did not, as far as was measured.
    """
    whole = range(math.floor(end / BUCKET), math.floor(until / BUCKET))
    well = [good[bucket] >= _WELL * offered[bucket] for bucket in whole]
    lasting = round(_LASTING / BUCKET)
    for place, bucket in enumerate(whole):
        if len(well) - place >= lasting and all(well[place : place + lasting]):
            return max(bucket * BUCKET - end, 0.0)
    return None
