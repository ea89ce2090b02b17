"""What comes after an outage: how many requests at once, and how soon all is well again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from benchmarks.load.tally import BUCKET

__all__ = ["WINDOW", "peak_rate", "time_to_recover"]

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
