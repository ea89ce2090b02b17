"""Measure the time after an outage: the peak of arrivals, and the time until calls succeed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

__all__ = ["BUCKET", "WINDOW", "peak_rate", "time_to_recover"]

# Seconds per slice of time; each slice has counts of its own.
BUCKET = 0.5

# Seconds over which the peak rate of arrivals is taken.
WINDOW = 1.0

# Calls have recovered when this share succeeds for this many seconds.
_WELL = 0.9
_LASTING = 2.0


def peak_rate(times: Iterable[float], *, start: float = -math.inf, window: float = WINDOW) -> float:
    """Return the highest rate per second within any window of time.

    Args:
        times: The times, in order.
        start: Times before it do not count. Default: all count.
        window: The length of the window in seconds. Default 1.
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
    """Return the seconds from the end of an outage until calls succeed as fast as they arrive.

    They do from the first slice of time on in which nine tenths as many calls succeed as arrive,
    if the same holds for two seconds. It is accurate to one slice.

    Args:
        offered: Calls that arrived, by slice.
        good: Calls that succeeded, by slice.
        end: The end of the outage, in seconds from the start.
        until: The time of the last arrival.

    Returns:
        The seconds, or None if calls did not recover within the measurement.
    """
    whole = range(math.floor(end / BUCKET), math.floor(until / BUCKET))
    well = [good[bucket] >= _WELL * offered[bucket] for bucket in whole]
    lasting = round(_LASTING / BUCKET)
    for place, bucket in enumerate(whole):
        if len(well) - place >= lasting and all(well[place : place + lasting]):
            return max(bucket * BUCKET - end, 0.0)
    return None
