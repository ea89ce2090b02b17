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

    __slots__ = ("_histogram",)

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _LONGEST, _DIGITS)

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, seconds: float) -> None:
        """Count one."""
        self._histogram.record_value(min(max(round(seconds * _MICROSECONDS), 1), _LONGEST))

    def add(self, other: Latencies) -> None:
        """Count what another one has counted, too."""
        self._histogram.add(other._histogram)

    def quantile(self, share: float) -> float | None:
        """The seconds that such a share of them did not exceed; 1 is the longest.

        None if there are none.
        """
        if not len(self):
            return None
        return float(self._histogram.get_value_at_percentile(share * 100)) / _MICROSECONDS

    def __getstate__(self) -> Any:
        return self._histogram.encode()

    def __setstate__(self, state: Any) -> None:
        self._histogram = HdrHistogram.decode(state)
