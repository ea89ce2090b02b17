"""Find out that an attempt cannot be served in time, so that it is refused before it waits."""

from __future__ import annotations

from typing import NamedTuple

from resilient.reasons import Reason
from resilient.support.words import brief
from resilient.throttle.gate import Gate
from resilient.throttle.limit import Meter

__all__ = ["Bounds", "Obstacle", "find_obstacle"]

# Of `max_wait`, once somebody was refused for it and until the queue is empty.
_FULL = 0.1


class Bounds(NamedTuple):
    """The limits to the time that an attempt may be held.

    Attributes:
        max_wait: Seconds that those before it may take, once calls are let through.
        is_own: Whether that is the call's own, and no matter of how full the queue is.
        max_retry_after: Seconds that the server may ask to wait.
        deadline: When the call has to be over.
    """

    max_wait: float
    is_own: bool
    max_retry_after: float
    deadline: float


class Obstacle(NamedTuple):
    """A reason not to let an attempt wait.

    Attributes:
        code: Why, for a program.
        words: The same for people.
        until: When one would no longer be refused for that.
    """

    code: Reason
    words: str
    until: float


def find_obstacle(at: Gate | Meter, bounds: Bounds, now: float, *, waits: bool) -> Obstacle | None:
    """Return why an attempt cannot be served in time, or None.

    Args:
        at: The gate, or the limit.
        bounds: How long the attempt may be held.
        now: The time.
        waits: Whether it waits there already; then those before it count no more.
    """
    opens = at.opens_at(now)
    # The spread that is added to the server's time does not count.
    closed = (at.server_until if isinstance(at, Gate) else opens) - now
    if closed > bounds.max_retry_after:
        who = "server" if isinstance(at, Gate) else "limit"
        words = (
            f"the {who} asks to wait {brief(closed)} s, more than max_retry_after "
            f"({bounds.max_retry_after:g} s)"
        )
        return Obstacle(Reason.GATE_CLOSED, words, now + closed)
    # As long as nobody knows the pace (answers are on their way that will raise it) refusals on a
    # guess would burn the items of a bulk job.
    counts = not (waits or (isinstance(at, Gate) and at.is_guess(now)))
    turn = at.turn_at(len(at.queue) if counts else 0, now)
    if counts:
        is_full = at.full and not bounds.is_own
        allowed = bounds.max_wait * (_FULL if is_full else 1.0)
        late = turn - opens - allowed
        if late > 0:
            words = (
                f"the queue is {brief(turn - opens)} s long, more than "
                f"{'a tenth of ' if is_full else ''}max_wait ({bounds.max_wait:g} s)"
            )
            return Obstacle(Reason.MAX_WAIT, words, now + late)
    if turn > bounds.deadline:
        words = (
            f"its turn in {brief(turn - now)} s does not fit the "
            f"{brief(max(0.0, bounds.deadline - now))} s left"
        )
        return Obstacle(Reason.DEADLINE, words, turn)
    return None
