"""The kinds of trouble that a service can be in, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, field, frozen

from benchmarks.contenders import Contender
from resilient import Policy
from resilient.support.validation import optional, positive
from resilient.testing import (
    BrownOut,
    Delayed,
    Disconnect,
    Hang,
    Limit,
    Mixture,
    Outage,
    Period,
    Reply,
    Reset,
)
from resilient.testing.script.script import Answer

__all__ = ["SCENARIOS", "OutageWindow", "Scenario"]

_OK = Reply(json={})

# Start and end in seconds. Before the outage there is time for a pipeline to learn the usual rate,
# after it to see that calls go well again.
_OUTAGE = (6.0, 12.5)

# To show the effect of a breaker, the same policy is measured without one.
_NO_BREAKER = Contender(
    "no breaker",
    "the standard pipeline without its breaker",
    Policy(name="no breaker", breaker=None),
)


@frozen
class OutageWindow:
    """The time of an outage, in seconds from the first call.

    Attributes:
        start: The beginning.
        end: The end.
        during: The server's answer during the outage, by default a 503; None to refuse
            connections.
    """

    start: float
    end: float
    during: Answer | None = field(default=Reply(503))

    def scaled(self, factor: float) -> OutageWindow:
        """Return the outage of a run that is this many times as long."""
        return evolve(self, start=self.start * factor, end=self.end * factor)

    @property
    def period(self) -> Period:
        """The same time, counted as the server does."""
        return Period(self.start, self.end, since="first_request")


@frozen(kw_only=True)
class Scenario:
    """A server, and the calls to it.

    Attributes:
        name: The name, in a word.
        what: A description in a sentence.
        faults: Makes the server's answer from a seed; it holds outside of the outage. Default:
            200 to everything.
        rate: Calls per second that arrive, on average. Default 200.
        seconds: Seconds during which calls arrive. Default 4.
        outage: The outage of the server, or None, the default.
        posts: The share of POSTs among the calls; the others are GETs. Default 0.
        read_timeout: Seconds without a byte from the server after which aiohttp itself (its
            `sock_read`) ends an attempt, under every policy; None, the default, for no limit.
        over_time: Draw goodput and arrivals over time. Default False.
        also: Further policies that are compared with the standard pipeline here.
        by_default: Measure it if no scenarios are named. Default True.
        in_quick: Measure it in a quick run. Default False.
    """

    name: str
    what: str
    faults: Callable[[int], Answer] = lambda seed: _OK
    rate: float = field(default=200.0, validator=positive("calls a second"))
    seconds: float = field(default=4.0, validator=positive())
    outage: OutageWindow | None = None
    posts: float = 0.0
    read_timeout: float | None = field(default=None, validator=optional(positive()))
    over_time: bool = False
    also: tuple[Contender, ...] = ()
    by_default: bool = True
    in_quick: bool = False

    @property
    def conditions(self) -> str:
        """The rate, the length and the outage, in words."""
        parts = [f"{self.rate:g} calls/s for {self.seconds:.3g} s"]
        if self.outage is not None:
            parts.append(f"an outage from {self.outage.start:.3g} to {self.outage.end:.3g} s")
        if self.read_timeout is not None:
            parts.append(f"sock_read of {self.read_timeout:g} s")
        if self.posts:
            parts.append(f"{self.posts:.0%} POSTs")
        return ", ".join(parts)

    def lasting(self, seconds: float) -> Scenario:
        """Return the scenario stretched to this many seconds, the outage in proportion."""
        factor = seconds / self.seconds
        outage = None if self.outage is None else self.outage.scaled(factor)
        return evolve(self, seconds=seconds, outage=outage)

    def server(self, seed: int) -> dict[str, Any]:
        """Return the arguments for `FaultServerProcess`."""
        answer = self.faults(seed)
        if self.outage is None:
            return {"then": answer}
        if self.outage.during is None:
            return {"then": answer, "offline": [self.outage.period]}
        return {"then": Outage(self.outage.period, during=self.outage.during, then=answer)}


SCENARIOS = (
    Scenario(
        name="calm",
        what="The server answers at once, and always.",
        seconds=2,
        in_quick=True,
    ),
    Scenario(
        name="random-503",
        what="A fifth of the requests, at random, get a 503.",
        faults=lambda seed: Mixture({Reply(503): 0.2}, otherwise=_OK, seed=seed),
        rate=500,
        seconds=4,
        also=(_NO_BREAKER,),
        in_quick=True,
    ),
    Scenario(
        name="rate-limit",
        what="A token bucket of 120 a second and 5 at once: what is beyond that meets 429 with "
        "Retry-After in whole seconds, and so do bursts of calls where there is room on average.",
        faults=lambda seed: Limit("120/s", burst=5, then=_OK),
        rate=100,
        seconds=3,
    ),
    Scenario(
        name="resets",
        what="A twentieth of the requests are answered with a TCP reset, as many with a "
        "connection that is closed; a fifth of the calls are POSTs, which nobody may repeat.",
        faults=lambda seed: Mixture({Reset(): 0.05, Disconnect(): 0.05}, otherwise=_OK, seed=seed),
        seconds=2,
        posts=0.2,
    ),
    Scenario(
        name="stalls",
        what="A twentieth of the requests are never answered; aiohttp gives an attempt up "
        "after half a second without a byte.",
        faults=lambda seed: Mixture({Hang(): 0.05}, otherwise=_OK, seed=seed),
        seconds=2,
        read_timeout=0.5,
    ),
    Scenario(
        name="tail",
        what="A twentieth of the answers take 0.1 s, and one in a hundred takes a second.",
        faults=lambda seed: Mixture(
            {Delayed(0.1, _OK): 0.05, Delayed(1.0, _OK): 0.01}, otherwise=_OK, seed=seed
        ),
        seconds=2,
    ),
    Scenario(
        name="outage",
        what="All is well; then every request gets a 503; then all is well again.",
        rate=100,
        seconds=22,
        outage=OutageWindow(*_OUTAGE),
        over_time=True,
        in_quick=True,
    ),
    Scenario(
        name="offline",
        what="All is well; then connections are dropped and refused; then all is well again.",
        rate=100,
        seconds=22,
        outage=OutageWindow(*_OUTAGE, during=None),
        over_time=True,
        by_default=False,
    ),
    Scenario(
        name="blip",
        what="All is well; then every request gets a 503 for a moment, as in a deployment; then "
        "all is well again.",
        rate=100,
        seconds=12,
        outage=OutageWindow(6.0, 7.2),
        over_time=True,
    ),
    Scenario(
        name="limit",
        what="A token bucket of 40 a second and 40 at once, and half as many calls again as it "
        "lets through: what is beyond it meets 429 with Retry-After in whole seconds.",
        faults=lambda seed: Limit("40/s", burst=40, then=_OK),
        rate=60,
        seconds=12,
        over_time=True,
    ),
    Scenario(
        name="brown-out",
        what="A server that can do 100 requests a second, with 300 in line; "
        "aiohttp gives an attempt up after half a second without a byte, and the server works "
        "on what was given up all the same.",
        faults=lambda seed: BrownOut(0.02, workers=2, capacity=300, then=_OK),
        seconds=10,
        read_timeout=0.5,
        over_time=True,
    ),
    Scenario(
        name="dead",
        what="Every request gets a 503.",
        faults=lambda seed: Reply(503),
        rate=250,
        seconds=3,
        also=(_NO_BREAKER,),
        in_quick=True,
    ),
)
