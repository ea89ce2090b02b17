"""Which step answers which request."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field

from resilient.errors import ConfigError
from resilient.testing.faults import Cut, Reply, Step
from resilient.testing.received import Received

__all__ = ["OK", "Answer", "Script", "checked_step"]

# What a script holds: a step, or what makes one of the request. Mixtures of faults, token
# buckets and the like are callables.
Answer = Step | Callable[[Received], Step | Awaitable[Step]]

OK = Reply(200, json={})


@define(eq=False)
class Script:
    """Answers for one request each, and the answer for all after them."""

    then: Answer = OK
    _answers: deque[Answer] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        _check(self.then)

    def extend(self, answers: tuple[Answer, ...]) -> None:
        """Append, all or none."""
        for answer in answers:
            _check(answer)
        self._answers.extend(answers)

    def take(self) -> Answer:
        """The answer for a request whose head is in."""
        return self._answers.popleft() if self._answers else self.then

    def take_cut(self) -> Cut | None:
        """The answer for a request of which no more than a byte is in, if the next is such."""
        upcoming = self._answers[0] if self._answers else self.then
        if isinstance(upcoming, Cut) and upcoming.after == "accept":
            self.take()
            return upcoming
        return None


def checked_step(given: Any) -> Step:
    """What a callable has returned, if it is a step."""
    if not isinstance(given, Step):
        raise ConfigError.of("what a callable of FaultServer returns", given, "a step")
    return given


def _check(given: Any) -> None:
    # A class is a callable too: Reply in the place of Reply() is a slip of the pen.
    if isinstance(given, type) or not (isinstance(given, Step) or callable(given)):
        raise ConfigError.of("an answer of FaultServer", given, "a step or a callable")
