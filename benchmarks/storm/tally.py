"""What is counted in a storm, over time."""

from __future__ import annotations

from collections import Counter, defaultdict

from attrs import define, field

__all__ = ["STRETCH", "Tally"]

# Seconds over which a rate is averaged to see whether it is back.
STRETCH = 2.0


@define(eq=False)
class Tally:
    """Requests that arrive at a server, and what becomes of the calls that they are made for.

    Attributes:
        width: Seconds in one slice of the time.
        calls: Calls that are over.
        succeeded: Those among them that went well.
        refused: Those that an open breaker has refused, with nothing sent.
        requests: Requests that have arrived.
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
        """Count a request, and remember in how many seconds it will be answered."""
        index = int(now / self.width)
        self.requests += 1
        self._arrivals[index] += 1
        self._delays[index] = delay

    def ended(self, now: float, *, well: bool, refused: bool = False) -> None:
        """Count a call, in the slice in which it is over."""
        self.calls += 1
        self.refused += refused
        if well:
            self.succeeded += 1
            self._successes[int(now / self.width)] += 1

    @property
    def requests_per_call(self) -> float:
        """Requests that arrived, for each call that is over."""
        return self.requests / self.calls if self.calls else 0.0

    @property
    def success(self) -> float:
        """The share of the calls that went well, in percent."""
        return 100 * self.succeeded / self.calls if self.calls else 0.0

    def arrivals(self, start: float, end: float) -> list[float]:
        """Requests a second that arrived, for each slice from `start` up to `end`."""
        return self._rates(self._arrivals, start, end)

    def goodput(self, start: float, end: float) -> list[float]:
        """Calls a second that went well, for each slice from `start` up to `end`."""
        return self._rates(self._successes, start, end)

    def delays(self, start: float, end: float) -> list[float]:
        """Seconds in which the last request of each slice is answered; 0 if there was none."""
        return [self._delays[index] for index in self._slices(start, end)]

    def times(self, start: float, end: float) -> list[float]:
        """When the slices begin."""
        return [index * self.width for index in self._slices(start, end)]

    def recovered_at(self, since: float, end: float, rate: float) -> float | None:
        """From when on, after `since`, goodput is at least a rate for good; None if it is not.

        It is looked at over `STRETCH` seconds at a time: what comes at random never comes evenly.
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
