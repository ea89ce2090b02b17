"""Decide which answer a request gets.

A step is an answer, and so is a callable that is given the request, read whole, and returns
an answer; it may be a coroutine function. A `Chooser` is a callable that is asked as soon as
the head of the request is in, so that its answer may come before the body is read. Mixtures
of faults, limits of the rate, outages and brown-outs are choosers, each around other answers:

    Outage(Period(5, 10), then=Limit("10/s", then=Mixture({Reply(503): 0.1}, seed=1)))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeGuard

from attrs import define, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import check
from resilient.testing.script.faults import Disconnect, Hang, Reply, Reset, Step
from resilient.testing.script.reply import SECONDS, ShortRepr
from resilient.testing.server.received import Received

__all__ = ["OK", "Answer", "Chooser", "Delayed", "Script", "an_answer", "choose", "is_answer"]


class Chooser(ABC):
    """Pick an answer for each request; a chooser may keep state.

    The request says at what time it came.
    """

    __slots__ = ()

    @abstractmethod
    def __call__(self, received: Received) -> Answer:
        """Pick the answer for a request, of which nothing but the head is in."""


def is_answer(given: object) -> TypeGuard[Answer]:
    """Return whether a value can answer a request; a class cannot, and is a slip of the pen."""
    return isinstance(given, Step | Delayed) or (callable(given) and not isinstance(given, type))


an_answer = check("a step or a callable", is_answer)


@frozen(repr=False)
class Delayed(ShortRepr):
    """Answer later.

    Attributes:
        seconds: Seconds between the end of the request, as far as it is read, and the answer.
        then: The answer.
    """

    seconds: float = field(validator=SECONDS)
    then: Answer = field(validator=an_answer)


Answer = Step | Delayed | Callable[[Received], "Answer | Awaitable[Answer]"]

OK = Reply(200, json={})


def choose(answer: Any, received: Received) -> tuple[float, Any]:
    """Ask choosers until one returns something else.

    Returns:
        The seconds to wait, and a step or a callable that is no chooser.

    Raises:
        ConfigError: A callable has returned what is no answer.
        BaseException: A chooser has raised it.
    """
    seconds = 0.0
    while True:
        if isinstance(answer, Delayed):
            seconds += answer.seconds
            answer = answer.then
        elif isinstance(answer, Chooser):
            answer = answer(received)
        elif is_answer(answer):
            return seconds, answer
        else:
            raise ConfigError.of("what a callable of FaultServer returns", answer, "a step")


@define(eq=False)
class Script:
    """Hold answers for one request each, and the answer for all requests after them."""

    then: Answer = OK
    _answers: deque[Answer] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        _check(self.then)

    def extend(self, answers: tuple[Answer, ...]) -> None:
        """Append all answers, or none if one is no answer.

        Raises:
            ConfigError: One is no answer.
        """
        for answer in answers:
            _check(answer)
        self._answers.extend(answers)

    def take(self) -> Answer:
        """Take the answer for a request whose head is in."""
        return self._answers.popleft() if self._answers else self.then

    def take_early(self) -> Reset | Disconnect | Hang | None:
        """Take the next answer if it is for a request of which only a byte is in, else None."""
        upcoming = self._answers[0] if self._answers else self.then
        if isinstance(upcoming, Reset | Disconnect | Hang) and upcoming.early:
            self.take()
            return upcoming
        return None


def _check(given: Any) -> None:
    if not is_answer(given):
        raise ConfigError.of("an answer of FaultServer", given, "a step or a callable")
