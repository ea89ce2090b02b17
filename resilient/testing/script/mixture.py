"""Fail at random, in the same way each time."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterable, Mapping
from itertools import accumulate
from random import Random
from typing import Any

from attrs import Attribute, define, field

from resilient.errors import ConfigError
from resilient.support.validation import instance
from resilient.testing.script.reply import ShortRepr
from resilient.testing.script.script import OK, Answer, Chooser, an_answer, is_answer
from resilient.testing.server.received import Received

__all__ = ["Mixture"]

# The sum of shares that are meant to make 1 may be above it by so much.
_ROUNDING = 1e-9


def _pairs(
    given: Mapping[Any, float] | Iterable[tuple[Any, float]],
) -> tuple[tuple[Any, float], ...]:
    try:
        items = given.items() if isinstance(given, Mapping) else given
        return tuple((answer, share) for answer, share in items)
    except (TypeError, ValueError):
        raise ConfigError.of("Mixture.shares", given, "a mapping from answers to shares") from None


@define(eq=False, repr=False)
class Mixture(Chooser, ShortRepr):
    """Draw an answer for each request.

        Mixture({Reply(503): 0.1, Reset(): 0.02, Hang(): 0.01}, otherwise=Reply(), seed=1)

    The same seed draws the same answers in the same order, one for each request in the
    order in which their heads are in. So requests at once may swap their answers.

    Attributes:
        shares: A mapping, or pairs, from answers to the share of the requests that each
            gets: from 0 to 1, and not above 1 together.
        otherwise: The answer to the other requests; by default a 200 with `{}`.
        seed: The seed of the random numbers, an integer; by default 0.
        drawn: The number of times that each answer was drawn, in the order of `shares`; the
            last is that of `otherwise`.
    """

    shares: tuple[tuple[Answer, float], ...] = field(converter=_pairs)
    otherwise: Answer = field(default=OK, kw_only=True, validator=an_answer)
    seed: int = field(default=0, kw_only=True, validator=instance(int, "an integer"))
    drawn: list[int] = field(init=False)
    _answers: tuple[Answer, ...] = field(init=False)
    _bounds: tuple[float, ...] = field(init=False)
    _random: Random = field(init=False)

    @shares.validator
    def _of_one(self, attribute: Attribute[Any], shares: tuple[tuple[Any, Any], ...]) -> None:
        for answer, share in shares:
            if not is_answer(answer):
                raise ConfigError.of("Mixture.shares", answer, "steps or callables, and shares")
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not (number and 0 <= share <= 1):
                raise ConfigError.of(f"Mixture's share of {answer!r}", share, "from 0 to 1")
        total = math.fsum(share for _, share in shares)
        if total > 1 + _ROUNDING:
            raise ConfigError.of("Mixture.shares", total, "at most 1 in sum")

    def __attrs_post_init__(self) -> None:
        self._answers = (*(answer for answer, _ in self.shares), self.otherwise)
        self._bounds = tuple(accumulate(share for _, share in self.shares))
        self._random = Random(self.seed)  # noqa: S311 (faults are no secret)
        self.drawn = [0] * len(self._answers)

    def __call__(self, received: Received) -> Answer:
        """Draw the answer for a request."""
        index = bisect(self._bounds, self._random.random())
        self.drawn[index] += 1
        return self._answers[index]
