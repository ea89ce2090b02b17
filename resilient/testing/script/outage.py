"""Fail, or refuse connections, in certain periods."""

from __future__ import annotations

import math
from typing import Any, Literal

from attrs import Attribute, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import check, instance
from resilient.testing.script.faults import Reply
from resilient.testing.script.reply import SECONDS, ShortRepr
from resilient.testing.script.script import OK, Answer, Chooser, an_answer
from resilient.testing.server.received import Received

__all__ = ["Outage", "Period", "Since"]

Since = Literal["start", "first_request"]

_SINCE = ("start", "first_request")


@frozen
class Period:
    """A span of time, without its last moment.

    Attributes:
        start: Seconds from `since` to its beginning; by default 0.
        end: Seconds from `since` to its end; by default for ever.
        since: The moment from which both are counted: "start", the default, when the server
            began to listen; or "first_request", for a load test that takes a while to begin.
    """

    start: float = field(default=0.0, validator=SECONDS)
    end: float = field(default=math.inf)
    since: Since = field(
        default="start",
        kw_only=True,
        validator=check(f"one of {_SINCE}", lambda given: given in _SINCE),
    )

    @end.validator
    def _later(self, attribute: Attribute[float], end: Any) -> None:
        if not isinstance(end, int | float) or isinstance(end, bool) or not end > self.start:
            raise ConfigError.of("Period.end", end, f"later than the start, {self.start:g}")

    def covers(self, elapsed: float) -> bool:
        """Return whether a moment, in seconds from `since`, is within the period."""
        return self.start <= elapsed < self.end


@frozen(repr=False)
class Outage(Chooser, ShortRepr):
    """Give one answer within a period, and another one before and after it.

        FaultServer(then=Outage(Period(5, 10), during=Reset(), then=Reply(json={})))

    Connections are accepted, and their requests fail. `FaultServer.offline` is an outage in
    which connections are refused.

    Attributes:
        period: The period; a request belongs to the moment at which its head is in.
        during: The answer within the period; by default a 503.
        then: The answer outside the period, by default a 200 with `{}`; another outage, if
            there are to be several.
    """

    period: Period = field(validator=instance(Period, "a Period"))
    during: Answer = field(default=Reply(503), kw_only=True, validator=an_answer)
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        starts = self.period.since == "start"
        elapsed = received.since_start if starts else received.since_first
        return self.during if self.period.covers(elapsed) else self.then
