"""Count the requests and calls of a storm, over time."""

from __future__ import annotations

from collections import Counter, defaultdict

from attrs import define, field

__all__ = ["STRETCH", "Tally"]

# Seconds over which goodput is averaged to decide if it has recovered.
STRETCH = 2.0


@define(eq=False)
class Tally:
    """Counts of requests that arrive at a server, and of the calls that they belong to.

    Attributes:
        width: Seconds per slice of time. Default 1.
        calls: Calls that have ended.
        succeeded: Calls that succeeded.
        refused: Calls that an open breaker refused, with nothing sent.
        requests: Requests that arrived at the server.
    """

    width: float = 1.0
    calls: int = 0
    succeeded: int = 0
    refused: int = 0
    requests: int = 0
    _arrivals: Counter[int] = field(factory=Counter, init=False)
    _successes: Counter[int] = field(factory=Counter, init=False)
    _delays: defaultdict[int, float] = field(factory=lambda: defaultdict(float), init=False)

    def arrived(self, now: float, delay: float = 0.0) -> None:
        """Count a request, and note in how many seconds it will be answered."""
        index = int(now / self.width)
        self.requests += 1
        self._arrivals[index] += 1
        self._delays[index] = delay

    def ended(self, now: float, *, well: bool, refused: bool = False) -> None:
        """Count a call in the slice in which it ended."""
        self.calls += 1
        self.refused += refused
        if well:
            self.succeeded += 1
            self._successes[int(now / self.width)] += 1

    @property
    def requests_per_call(self) -> float:
        """Requests that arrived per call that ended."""
        return self.requests / self.calls if self.calls else 0.0

    @property
    def success(self) -> float:
        """The share of calls that succeeded, in percent."""
        return 100 * self.succeeded / self.calls if self.calls else 0.0

    def arrivals(self, start: float, end: float) -> list[float]:
        """Return the requests per second that arrived, for each slice from `start` up to `end`."""
        return self._rates(self._arrivals, start, end)

    def goodput(self, start: float, end: float) -> list[float]:
        """Return the calls per second that succeeded, for each slice from `start` up to `end`."""
        return self._rates(self._successes, start, end)

    def delays(self, start: float, end: float) -> list[float]:
        """Return the seconds in which the last request of each slice is answered; 0 without one."""
        return [self._delays[index] for index in self._slices(start, end)]

    def times(self, start: float, end: float) -> list[float]:
        """Return the times at which the slices begin."""
        return [index * self.width for index in self._slices(start, end)]

    def recovered_at(self, since: float, end: float, rate: float) -> float | None:
        """Return the time from which on goodput stays at or above a rate; None if it never does.

        Goodput is averaged over `STRETCH` seconds at a time, since random arrivals are uneven.

        Args:
            since: The first time to look at.
            end: The last time to look at.
            rate: Calls per second.
        """
        recovered: float | None = since
        for index in range(int((end - since) / STRETCH)):
            start = since + index * STRETCH
            rates = self.goodput(start, start + STRETCH)
            if sum(rates) < rate * len(rates):
                recovered = None
            elif recovered is None:
                recovered = start
        return recovered

    def _slices(self, start: float, end: float) -> range:
        return range(round(start / self.width), round(end / self.width))

    def _rates(self, counted: Counter[int], start: float, end: float) -> list[float]:
        return [counted[index] / self.width for index in self._slices(start, end)]
