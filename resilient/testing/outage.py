"""A fault server that fails for a while, and says so."""

from __future__ import annotations

from attrs import field, frozen

from resilient.testing.faults import Reply
from resilient.testing.period import Period
from resilient.testing.received import Received
from resilient.testing.reply import Shown
from resilient.testing.script import OK, Answer, Chooser, an_answer
from resilient.validation import instance

__all__ = ["Outage"]


@frozen(repr=False)
class Outage(Chooser, Shown):
    """Gives one answer within a period, and another one before and after it.

        FaultServer(then=Outage(Period(5, 10), during=Reset(), then=Reply(json={})))

    The door stays open: whoever connects is let in, and then failed. `FaultServer.offline`
    is an outage in which connections are refused.

    Attributes:
        period: When; a request belongs to the moment at which its head is in.
        during: The answer in it.
        then: The answer out of it; another outage, if there are to be several.
    """

    period: Period = field(validator=instance(Period, "a Period"))
    during: Answer = field(default=Reply(503), kw_only=True, validator=an_answer)
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)

    def __call__(self, received: Received) -> Answer:
        """The answer for a request."""
        starts = self.period.since == "start"
        elapsed = received.since_start if starts else received.since_first
        return self.during if self.period.covers(elapsed) else self.then
