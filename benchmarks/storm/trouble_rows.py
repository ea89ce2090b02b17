"""The rows of trouble: servers in trouble, calls to them, and what the pipeline owes its callers.

Each row is a scenario, the measures to show, and the tolerances that the standard pipeline has
to keep. The first word of a name is the row's group:

    a  a server is down, and fails fast, refuses connections or hangs
    a2 a process starts while the server is down
    s  the same with slow answers: is it seen in time, and is it seen that it is over?
    b  each request fails with a probability
    c  a server is overloaded: by an outage's backlog, by a loss of capacity, by its callers
    d  a server limits the rate of requests
    e  one host of several is broken
    g  many small processes
    h  bulk jobs under a limit of the rate
    i  a short interruption, as by a deployment
    j  one path fails, the others do not
    k  one route is limited, or all are
    m  a limit of the rate and an outage
    n  429s at random, whatever the rate

Outages last 0.87, 1 or 1.13 times as long as a row says, so that no rule can be fitted to one
length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

from attrs import evolve, field, frozen

from benchmarks.storm.network import Held, Refused
from benchmarks.storm.trouble_measures import MEASURES, Tolerance, parse_tolerance
from benchmarks.storm.trouble_server import ByPath, Latency, Weakened
from benchmarks.storm.trouble_simulation import (
    Arrivals,
    AtOnce,
    ClosedLoop,
    OpenLoop,
    Scenario,
)
from resilient import Policy
from resilient.testing import BrownOut, Delayed, Hang, Limit, Mixture, Outage, Period, Reply
from resilient.testing.script.script import Answer

__all__ = ["EXCEPTIONS", "FACTORS", "ROWS", "Row", "choose_rows"]

# By what the length of an outage is multiplied, in one run after the other.
FACTORS: Final = (1.0, 0.87, 1.13)

EXCEPTIONS: Final = {
    1: "partial outages with one circuit for an origin: the other paths suffer too",
    2: "60 to 85 % random failures: a little below none, far below retry",
    3: "hangs: nothing is known before the time-out",
    4: "failures as slow as answers: the verdict is late both ways",
    5: "outages below 6 s are mostly detection: the load is not promised",
    6: "many small processes: each has to see failures of its own",
    7: "more workers than the limit serves within max_wait: the items are burnt, as without us",
}

# Seconds: of a request at a healthy server and at one that fails fast; before and after an outage.
_LATENCY = 0.02
_BEFORE, _AFTER = 20.0, 60.0

# Seconds after which aiohttp itself gives up waiting for an answer, where a server hangs.
_READ_TIMEOUT = 10.0

# Seconds that the last calls get; the longest total time-out of a row is 400.
_GRACE = 500.0

_FAILS = Delayed(_LATENCY, Reply(503))

# Makes a server from its random numbers, and from the period of its outage.
_Server = Callable[[Random, Period], Answer]
_Make = Callable[[float], Scenario]


def _texts(tolerances: Iterable[str]) -> tuple[Tolerance, ...]:
    return tuple(map(parse_tolerance, tolerances))


@frozen(kw_only=True)
class Row:
    """A row of the table.

    Attributes:
        name: The name; its first word is the group.
        make: Makes the scenario, without its name, from the factor for the length of its outage.
        measures: The names of the measures to show.
        tolerances: The limits for the standard pipeline, as in `trouble_measures`.
        exception: The number of the exception that covers the row; None, the default, without.
        is_heavy: Run a third of the seeds, and no retry. Default False.
    """

    name: str
    make: _Make
    measures: tuple[str, ...]
    tolerances: tuple[Tolerance, ...] = field(converter=_texts, default=())
    exception: int | None = None
    is_heavy: bool = False

    @property
    def group(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    def scenario(self, factor: float) -> Scenario:
        """Return the scenario with an outage that is `factor` times as long as the row says."""
        return evolve(self.make(factor), name=self.name)

    def __attrs_post_init__(self) -> None:
        wanted = {each.measure for each in self.tolerances}
        assert wanted <= set(self.measures) <= set(MEASURES), self.name
        assert self.exception in (None, *EXCEPTIONS), self.name


def choose_rows(wanted: Iterable[str]) -> tuple[Row, ...]:
    """Return the rows of some groups, or whose name begins with some words; all for nothing.

    Args:
        wanted: Groups ("a"), or beginnings of names ("a 50/s 6.5 s").
    """
    texts = [" ".join(each.lower().split()) for each in wanted]
    return tuple(row for row in ROWS if not texts or any(_is_meant(row, each) for each in texts))


def _is_meant(row: Row, text: str) -> bool:
    # A word alone is a group, so that "a" is not "a2".
    return row.name.lower().startswith(text) if " " in text else text == row.group


def _limits(total: float, attempt: float) -> Callable[[Policy], Policy]:
    return lambda policy: evolve(policy, total_timeout=total, attempt_timeout=attempt)


# Where answers take up to half a minute.
_SLOW: Final = _limits(300.0, 90.0)


def _down(
    rate: float,
    seconds: float,
    during: Answer = _FAILS,
    *,
    latency: float = _LATENCY,
    slow_failures: bool = False,
    random_failures: float = 0.0,
    before: float | None = None,
    after: float | None = None,
    until: float | None = None,
    processes: int = 1,
    server: _Server | None = None,
    **more: Any,
) -> _Make:
    """Return what makes a scenario with an outage of so many seconds.

    Args:
        rate: Calls per second.
        seconds: The length of the outage.
        during: The answer in the outage. Default: 503 after 20 ms.
        latency: The mean latency in seconds. Default 0.02.
        slow_failures: Let failures take as long as answers. Default False.
        random_failures: The share of requests that fail outside of the outage. Default 0.
        before: Seconds before the outage. Default 20, and the latency.
        after: Seconds after it in which calls begin. Default 60, and the latency.
        until: The time until which calls begin, in the place of `after`.
        processes: Client processes. Default 1.
        server: The server; the default is one that fails in the outage.
        more: Further fields of the scenario.
    """
    begins = _BEFORE + latency if before is None else before

    def usual(random: Random, outage: Period) -> Answer:
        fails = Latency(latency, random, then=Reply(503)) if slow_failures else during
        well: Answer = Latency(latency, random)
        if random_failures:
            well = _mixture(_FAILS, random_failures, random, then=well)
        return Outage(outage, during=fails, then=well)

    def make(factor: float) -> Scenario:
        outage = Period(begins, begins + seconds * factor)
        ends = until or outage.end + (_AFTER + latency if after is None else after)
        return Scenario(
            name="",
            arrivals=OpenLoop(rate=rate, seconds=ends, processes=processes, grace=_GRACE),
            server=lambda random: (server or usual)(random, outage),
            outage=outage,
            **more,
        )

    return make


def _mixture(fails: Answer, share: float, random: Random, *, then: Answer) -> Mixture:
    return Mixture({fails: share}, otherwise=then, seed=random.randrange(2**32))


def _steady(arrivals: Arrivals, server: Callable[[Random], Answer], **more: Any) -> _Make:
    """Return what makes a scenario without an outage."""
    scenario = Scenario(name="", arrivals=arrivals, server=server, **more)
    return lambda factor: scenario


def _calls(rate: float, seconds: float = 60.0) -> OpenLoop:
    return OpenLoop(rate=rate, seconds=seconds, grace=_GRACE)


def _failing(
    rate: float,
    share: float,
    fails: Answer = _FAILS,
    *,
    latency: float = _LATENCY,
    seconds: float = 60.0,
    **more: Any,
) -> _Make:
    """Return what makes a scenario in which a share of the requests fails."""

    def server(random: Random) -> Answer:
        well = Latency(latency, random)
        return fails if share == 1 else _mixture(fails, share, random, then=well)

    return _steady(_calls(rate, seconds), server, **more)


def _overloaded(rate: float, make: Callable[[BrownOut, Period], Answer]) -> _Make:
    """Return what makes a database of 300 requests a second, as in `metastable`, in trouble.

    Each takes it 100 ms, and clients give up after 1 s.
    """
    return _down(
        rate,
        10,
        before=_BEFORE,
        after=_AFTER,
        server=lambda random, outage: make(BrownOut(0.1, workers=30), outage),
        read_timeout=1.0,
    )


def _shedding(rate: float) -> _Make:
    """Return what makes a server of 100 requests a second, which refuses the rest at once."""
    return _steady(
        _calls(rate), lambda random: BrownOut(_LATENCY, workers=2, capacity=20, full=Reply(503))
    )


def _bucket(random: Random, *, hint: bool = True) -> Answer:
    """Return a server that allows 10 requests a second, and 10 at once."""
    hints = ("Retry-After",) if hint else ()
    return Latency(_LATENCY, random, then=Limit("10/s", hints=hints))


def _window(limit: int, seconds: float) -> Callable[[Random], Answer]:
    return lambda random: Latency(
        _LATENCY, random, then=Limit(f"{limit}/{seconds:g}s", window=True)
    )


def _limited_with_outage(seconds: float, during: Answer, arrivals: Arrivals, **more: Any) -> _Make:
    def make(factor: float) -> Scenario:
        outage = Period(30.0, 30.0 + seconds * factor)
        return Scenario(
            name="",
            arrivals=arrivals,
            server=lambda random: Outage(outage, during=during, then=_bucket(random)),
            outage=outage,
            **more,
        )

    return make


def _routes(count: int) -> tuple[str, ...]:
    return tuple(f"/route{number}" for number in range(count))


def _over(count: int) -> dict[str, object]:
    """Return the fields of a scenario whose calls go to so many routes."""
    routes = _routes(count)
    return {"paths": lambda random: random.choice(routes)}


def _limited_routes(rate: float, limited: int) -> _Make:
    """Return what makes a server of which some of ten routes always answer 429."""
    routes = _routes(10)
    refusal = Delayed(_LATENCY, Reply(429, headers={"Retry-After": "30"}))
    return _steady(
        _calls(rate),
        lambda random: ByPath(dict.fromkeys(routes[:limited], refusal), Latency(_LATENCY, random)),
        healthy=frozenset(routes[limited:]),
        **_over(10),
    )


def _partial(share: float) -> _Make:
    """Return what makes an outage of one path, which gets that share of the calls."""
    return _down(
        100,
        60,
        after=0.0,
        server=lambda random, outage: Outage(
            outage,
            during=ByPath({"/broken": _FAILS}, Latency(_LATENCY, random)),
            then=Latency(_LATENCY, random),
        ),
        healthy=frozenset({"/well"}),
        paths=lambda random: "/broken" if random.random() < share else "/well",
    )


_LONG_RETRY_AFTER: Final = Delayed(_LATENCY, Reply(429, headers={"Retry-After": "3600"}))

_LOST: Final = ("lost", "load", "peak")
_SUCCESS: Final = ("success", "requests a call")
_DONE: Final = ("done", "requests a call", "finished")
_AT_ONCE: Final = ("done", "requests")
_RATE: Final = ("goodput", "median", "requests a call", "requests a success")
_CAPACITY: Final = ("success", "load", "peak")
_NEIGHBOURS: Final = ("others", "success", "requests a call")
_BULK_OUTAGE: Final = ("not done", "goodput after", "requests a call")
_LIMIT_OUTAGE: Final = ("success", "goodput after", "unfinished", "requests a call")

_PEAK: Final = "peak <= 2.4"


def _slow_row(latency: float, seconds: float, lost: float, load: float) -> Row:
    return Row(
        name=f"s latency {latency:g} s {seconds:g} s",
        make=_down(50, seconds, latency=latency, limits=_SLOW),
        measures=_LOST,
        tolerances=(f"lost <= none + {lost:g}", f"load <= {load:g}", _PEAK),
    )


def _random_row(rate: float, percent: float, **more: Any) -> Row:
    return Row(
        name=f"b {percent:g} % {rate:g}/s",
        make=_failing(rate, percent / 100),
        measures=_SUCCESS,
        tolerances=("success >= retry - 0.5", "requests a call <= 1.3"),
        **more,
    )


def _unrelated_row(rate: float, percent: float, retry_after: str | None, success: str) -> Row:
    """Return a row of a server that answers some requests with 429, from half a minute on."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    refuses = Delayed(_LATENCY, Reply(429, headers=headers))

    def server(random: Random, outage: Period) -> Answer:
        well = Latency(_LATENCY, random)
        return Outage(outage, during=_mixture(refuses, percent / 100, random, then=well), then=well)

    asked = "" if retry_after is None else f" Retry-After {retry_after} s"
    return Row(
        name=f"n {percent:g} % {rate:g}/s{asked}",
        make=_down(rate, 120, before=30.0, after=0.0, server=server),
        measures=_SUCCESS,
        tolerances=(f"success >= {success}", "requests a call <= 1.3"),
    )


def _slow_random_row(latency: float, percent: float, success: str) -> Row:
    return Row(
        name=f"b slow answers {latency:g} s {percent:g} %",
        make=_failing(50, percent / 100, latency=latency, limits=_SLOW),
        measures=_SUCCESS,
        tolerances=(f"success >= {success}",),
    )


def _bulk_row(name: str, server: Callable[[Random], Answer], items: int, **more: Any) -> Row:
    return Row(
        name=name,
        make=_steady(ClosedLoop(items=items, workers=50), server, **more),
        measures=_DONE,
        tolerances=(f"done >= {items}", "requests a call <= 1.1"),
    )


ROWS: Final[tuple[Row, ...]] = (
    Row(
        name="a 5/s 30 s",
        make=_down(5, 30),
        measures=_LOST,
        tolerances=("lost <= none + 1.5", "load <= 25"),
    ),
    Row(
        name="a 50/s 2 s",
        make=_down(50, 2),
        measures=_LOST,
        tolerances=("lost <= none - 1", "load <= 30", _PEAK),
        exception=5,
    ),
    Row(
        name="a 50/s 6.5 s",
        make=_down(50, 6.5),
        measures=("lost", "recover", "load", "peak"),
        tolerances=("lost <= none + 0.5", "recover <= 1", "load <= 10", _PEAK),
    ),
    Row(
        name="a 50/s 30 s",
        make=_down(50, 30),
        measures=_LOST,
        tolerances=("lost <= none + 2.5", "load <= 4", _PEAK),
    ),
    Row(
        name="a 50/s 300 s",
        make=_down(50, 300),
        measures=_LOST,
        tolerances=("lost <= none + 4", "load <= 1", _PEAK),
        is_heavy=True,
    ),
    Row(
        name="a 500/s 2 s",
        make=_down(500, 2, before=10.0, after=30.0),
        measures=_LOST,
        tolerances=("lost <= none - 1", "load <= 30"),
        exception=5,
        is_heavy=True,
    ),
    Row(
        name="a 100/s 6 s good 6.5 s",
        make=_down(100, 6.5, before=6.0, until=22.0),
        measures=("success", "lost", "recover", "load"),
        tolerances=("lost <= none + 0.5", "recover <= 1", "load <= 10"),
    ),
    Row(
        name="a 50/s 30 s refused",
        make=_down(50, 30, Refused()),
        measures=_LOST,
        tolerances=("lost <= none + 2.5", "load <= 4", _PEAK),
    ),
    Row(
        name="a 50/s 30 s hangs",
        make=_down(50, 30, Hang(), read_timeout=_READ_TIMEOUT),
        measures=("lost", "wasted", "load", "peak"),
        tolerances=("lost <= none + 1", "wasted <= 7", "load <= 45"),
        exception=3,
    ),
    Row(
        name="a2 50/s 10 s",
        make=_down(50, 10, before=0.0),
        measures=_LOST,
        tolerances=("lost <= none + 1", "load <= 8"),
    ),
    Row(
        name="a2 500/s 10 s",
        make=_down(500, 10, before=0.0, after=30.0),
        measures=_LOST,
        tolerances=("lost <= none + 1", "load <= 8"),
        is_heavy=True,
    ),
    *(
        _slow_row(latency, seconds, lost, load)
        for latency in (0.3, 2, 10, 30)
        for seconds, lost, load in ((6.5, 0.5, 10), (15, 3, 5), (30, 4, 3))
    ),
    *(
        Row(
            name=f"s 5/s latency {latency} s 15 s",
            make=_down(5, 15, latency=latency, limits=_SLOW),
            measures=_LOST,
            tolerances=("lost <= none + 2", "load <= 45"),
        )
        for latency in (2, 10)
    ),
    *(
        Row(
            name=f"s 5 % random latency {latency} s 15 s",
            make=_down(50, 15, latency=latency, random_failures=0.05, limits=_SLOW),
            measures=_LOST,
            tolerances=("lost <= none",),
        )
        for latency in (2, 10)
    ),
    *(
        Row(
            name=f"s slow failures latency {latency} s 15 s",
            make=_down(50, 15, latency=latency, slow_failures=True, limits=_SLOW),
            measures=_LOST,
            tolerances=(f"lost <= none + {lost}",),
            exception=exception,
        )
        for latency, lost, exception in ((2, 1, None), (10, 10, 4))
    ),
    _random_row(100, 1),
    _random_row(100, 5),
    _random_row(100, 20),
    _random_row(500, 20, is_heavy=True),
    _random_row(5, 20),
    Row(
        name="b 50 % 100/s",
        make=_failing(100, 0.5),
        measures=_SUCCESS,
        tolerances=("success >= none + 4",),
    ),
    Row(
        name="b 70 % 100/s",
        make=_failing(100, 0.7),
        measures=_SUCCESS,
        tolerances=("success >= none - 4",),
        exception=2,
    ),
    Row(
        name="b 100 % 250/s",
        make=_failing(250, 1.0),
        measures=("wasted", "requests a call"),
        tolerances=("requests a call <= 0.01",),
        is_heavy=True,
    ),
    *(
        _slow_random_row(latency, percent, success)
        for latency in (2, 10)
        for percent, success in ((5, "99.5"), (20, "96"), (50, "none + 4"))
    ),
    Row(
        name="c held 280 of 300/s",
        make=_overloaded(280, lambda server, outage: Held(outage, server)),
        measures=_CAPACITY,
        tolerances=("success >= 70", "success >= consecutive breaker", "peak <= 2"),
        is_heavy=True,
    ),
    Row(
        name="c half capacity 280 of 300/s",
        make=_overloaded(280, lambda server, outage: Weakened(server, outage)),
        measures=_CAPACITY,
        tolerances=("success >= 72", "success >= consecutive breaker", "peak <= 2"),
        is_heavy=True,
    ),
    Row(
        name="c held 200 of 300/s",
        make=_overloaded(200, lambda server, outage: Held(outage, server)),
        measures=_CAPACITY,
        tolerances=("success >= 82", "success >= consecutive breaker", "peak <= 2"),
        is_heavy=True,
    ),
    *(
        Row(
            name=f"c sheds {rate} of 100/s",
            make=_shedding(rate),
            measures=("goodput", "requests a call"),
            tolerances=("goodput >= none - 0.5", "requests a call <= 1.4"),
        )
        for rate in (150, 110)
    ),
    Row(
        name="d 50 at once",
        make=_steady(AtOnce(calls=50), _bucket),
        measures=_AT_ONCE,
        tolerances=("done >= 50", "requests <= 100"),
    ),
    Row(
        name="d 50 at once 50 processes",
        make=_steady(AtOnce(calls=50, processes=50), _bucket),
        measures=_AT_ONCE,
        tolerances=("done >= 50", "requests <= 120"),
    ),
    Row(
        name="d 50 at once no Retry-After",
        make=_steady(AtOnce(calls=50), lambda random: _bucket(random, hint=False)),
        measures=_AT_ONCE,
        tolerances=("done >= 50", "requests <= 100"),
    ),
    Row(
        name="d 15/s of 10/s",
        make=_steady(_calls(15, 120), _bucket),
        measures=_RATE,
        tolerances=("goodput >= 9.7", "requests a call <= 0.8"),
    ),
    Row(
        name="d 6/s window of 300/min",
        make=_steady(_calls(6, 120), _window(300, 60)),
        measures=_SUCCESS,
        tolerances=("success >= 95",),
    ),
    Row(
        name="e one host of four refuses",
        make=_failing(100, 0.25, Refused()),
        measures=_SUCCESS,
        tolerances=("success >= 98",),
    ),
    Row(
        # Slower than the other and longer: the retries of the last 10 s, which come when nothing
        # else succeeds any more, would empty the budget and are an artefact.
        name="e one host of four hangs",
        make=_failing(20, 0.25, Hang(), seconds=180.0, read_timeout=_READ_TIMEOUT),
        measures=_SUCCESS,
        tolerances=("success >= 98",),
    ),
    *(
        Row(
            name=f"g 200 processes {seconds:g} s",
            make=_down(400, seconds, processes=200, before=10.0, after=30.0),
            measures=_LOST,
            tolerances=(f"lost <= {lost}", f"load <= {load}", "peak <= 2.2"),
            exception=exception,
            is_heavy=True,
        )
        for seconds, lost, load, exception in (
            (6.5, "none", 190, 6),
            (30, "none + 2", 55, None),
            (120, "none + 4", 22, None),
        )
    ),
    _bulk_row("h 5000 items 50 workers", _bucket, 5000),
    Row(
        name="h 3000 items 600 a minute",
        make=_steady(ClosedLoop(items=3000, workers=50), _window(600, 60)),
        measures=_DONE,
        tolerances=("done >= 3000", "requests a call <= 1.1", "finished <= 330"),
    ),
    _bulk_row("h 1000 items windows of 45 s", _window(200, 45), 1000),
    Row(
        name="h 5000 items 500 workers",
        make=_steady(ClosedLoop(items=5000, workers=500), _bucket),
        measures=_DONE,
        exception=7,
    ),
    Row(
        name="h 5000 items 500 workers max_wait 300",
        make=_steady(
            ClosedLoop(items=5000, workers=500),
            _bucket,
            limits=_limits(400.0, 30.0),
            max_wait=300.0,
        ),
        measures=_DONE,
        tolerances=("done >= 5000", "requests a call <= 1.1"),
    ),
    *(
        Row(
            name=f"i blip of 1.2 s {rate}/s",
            make=_down(rate, 1.2, after=30.0),
            measures=_LOST,
            tolerances=(f"lost <= {lost}",),
            is_heavy=rate > 100,
        )
        for rate, lost in ((5, 0.6), (50, 0.1), (500, 0.05))
    ),
    *(
        Row(
            name=f"j one path of {percent} % fails",
            make=_partial(percent / 100),
            measures=_NEIGHBOURS,
            tolerances=tolerances,
            exception=exception,
        )
        for percent, tolerances, exception in (
            (50, ("others >= 99",), None),
            (70, (), 1),
            (90, (), 1),
        )
    ),
    *(
        Row(
            name=f"k {limited} of ten routes limited {rate}/s",
            make=_limited_routes(rate, limited),
            measures=_NEIGHBOURS,
            tolerances=("others >= 99",),
        )
        for limited, rate in ((1, 100), (2, 100), (2, 5))
    ),
    Row(
        name="k account of ten routes 50 at once",
        make=_steady(AtOnce(calls=50), _bucket, **_over(10)),
        measures=_AT_ONCE,
        tolerances=("done >= 50", "requests <= 100"),
    ),
    Row(
        name="k account of ten routes 15/s of 10/s",
        make=_steady(_calls(15, 120), _bucket, **_over(10)),
        measures=_RATE,
        tolerances=("goodput >= 9.7", "requests a call <= 0.8"),
    ),
    *(
        _bulk_row(f"k account of {routes} routes 5000 items", _bucket, 5000, **_over(routes))
        for routes in (10, 100)
    ),
    Row(
        name="k Retry-After 3600 s 1/s",
        make=_down(1, 288, _LONG_RETRY_AFTER, before=12.0, after=0.0),
        measures=("wasted", "further requests"),
        tolerances=("further requests <= 0",),
    ),
    *(
        Row(
            name=f"m bulk 1500 items {seconds:g} s",
            make=_limited_with_outage(seconds, _FAILS, ClosedLoop(items=1500, workers=50)),
            measures=_BULK_OUTAGE,
            tolerances=(f"not done <= {lost}", "goodput after >= 9.5"),
        )
        for seconds, lost in ((6.5, 30), (30, 250))
    ),
    *(
        Row(
            name=name,
            make=_limited_with_outage(seconds, during, _calls(12, 120), read_timeout=_READ_TIMEOUT),
            measures=_LIMIT_OUTAGE,
            tolerances=(
                f"success >= {success}",
                f"goodput after >= {goodput}",
                "unfinished <= 0",
            ),
            exception=exception,
        )
        for name, seconds, during, success, goodput, exception in (
            ("m 12/s of 10/s 6.5 s", 6.5, _FAILS, "none + 5", 9.5, None),
            ("m 12/s of 10/s 30 s", 30, _FAILS, "none - 3", 9.5, None),
            ("m 12/s of 10/s 15 s hangs", 15, Hang(), "none - 12", 7.5, 3),
        )
    ),
    *(
        _unrelated_row(rate, percent, retry_after, success)
        for rate in (5, 50)
        for percent, retry_after, success in (
            (1, None, "none - 0.5"),
            (5, None, "none"),
            (5, "1", "none"),
            (20, None, "none + 5"),
            (20, "1", "none + 2"),
        )
    ),
)
