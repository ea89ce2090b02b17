"""Durations, counted in a histogram that keeps three digits of each (HdrHistogram)."""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

__all__ = ["Latencies"]

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
