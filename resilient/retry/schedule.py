"""Plan the waits between attempts: a wait generator and jitter.

The generators are those of the `backoff` package (`expo`, `fibo`, `constant`), or any that
follows the same protocol: called with keyword arguments, it yields None first and then a
number of seconds for each wait. Of that package only these pure generators are used, and
only here; the `expo` among them overflows without a cap, so that a cap is always given.

Jitter keeps callers that failed together from coming back together. Full and decorrelated
jitter: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, get_args

import backoff
from attrs import field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import Seconds, at_least, check, instance, positive

__all__ = ["Backoff", "Jitter", "WaitGenerator"]

# As generator functions are mostly annotated; a Generator is an Iterator too.
WaitGenerator = Callable[..., Iterator[float | None]]
Jitter = Literal["none", "full", "equal", "decorrelated"]

_NAMED: Final = ("expo", "fibo", "constant")


@frozen(kw_only=True)
class Backoff:
    """The configuration of the waits between attempts; it keeps nothing of any call.

        Backoff()                                   # up to 0.5, 1, 2, 4 ... s, at most 20
        Backoff(base=1, jitter="none")              # 1, 2, 4 ... s, as many APIs recommend
        Backoff(wait="constant", base=3)
        Backoff(wait=my_generator, options={"step": 2})

    Attributes:
        wait: "expo", "fibo", "constant", or a wait generator; by default "expo".
        base: Seconds of the first wait, before jitter; by default 0.5. The other waits are
            multiples of it.
        factor: The number by which "expo" multiplies each wait; by default 2.
        cap: Seconds that no wait exceeds, before a server's Retry-After; by default 20.
        jitter: "none" waits as long as the generator says; "full", the default, draws from
            [0, wait]; "equal" from [wait / 2, wait]; "decorrelated" from [base, 3 x the wait
            before], whatever the generator.
        options: Keyword arguments for a generator that was given as an object; by default none.
    """

    wait: Literal["expo", "fibo", "constant"] | WaitGenerator = field(
        default="expo",
        validator=check(
            f"one of {', '.join(map(repr, _NAMED))} or a wait generator function",
            lambda value: callable(value) or (isinstance(value, str) and value in _NAMED),
        ),
    )
    base: Seconds = field(default=0.5, validator=positive())
    factor: float = field(default=2.0, validator=at_least(1.0))
    cap: Seconds = field(default=20.0, validator=positive())
    jitter: Jitter = field(
        default="full",
        validator=check(
            f"one of {', '.join(map(repr, get_args(Jitter)))}",
            lambda value: isinstance(value, str) and value in get_args(Jitter),
        ),
    )
    options: Mapping[str, Any] = field(
        factory=dict, hash=False, validator=instance(Mapping, "a mapping of keyword arguments")
    )

    def __attrs_post_init__(self) -> None:
        if self.cap < self.base:
            raise ConfigError.of("Backoff.cap", self.cap, f"at least base ({self.base:g} s)")
        if self.options and not callable(self.wait):
            raise ConfigError.of(
                "Backoff.options", self.options, "empty unless wait is a generator function"
            )

    def waits(self, random: Callable[[], float]) -> Iterator[float]:
        """Yield the waits of one call, in seconds, each from [0, cap].

        It ends where the generator does.

        Args:
            random: Draws from [0, 1).

        Raises:
            Exception: Whatever a generator of the user's raises, or makes of its arguments.
        """
        if self.jitter == "decorrelated":
            yield from self._decorrelated(random)
        for planned in self._planned():
            if self.jitter == "full":
                yield planned * random()
            elif self.jitter == "equal":
                yield planned * (1 + random()) / 2
            else:
                yield planned

    def bounds(self) -> Iterator[tuple[float, float]]:
        """Yield the least and the greatest that each of the waits may be, in seconds.

        It ends, and raises, as `waits` does.
        """
        if self.jitter == "decorrelated":
            top = self.base
            while True:
                top = min(self.cap, top * 3)
                yield self.base, top
        least = {"none": 1.0, "full": 0.0, "equal": 0.5}[self.jitter]
        for planned in self._planned():
            yield planned * least, planned

    def _planned(self) -> Iterator[float]:
        """Yield the waits of the generator, within [0, cap], without jitter."""
        for place, planned in enumerate(self._generator()):
            # The protocol's first value is None; another one says nothing.
            if planned is None and place == 0:
                continue
            seconds = math.nan if planned is None else float(planned)
            yield self.cap if math.isnan(seconds) else min(max(0.0, seconds), self.cap)

    def _generator(self) -> Iterator[float | None]:
        if callable(self.wait):
            return self.wait(**self.options)
        if self.wait == "expo":
            return backoff.expo(base=self.factor, factor=self.base, max_value=self.cap)
        if self.wait == "constant":
            return backoff.constant(interval=self.base)  # type: ignore[arg-type]  # takes floats
        # Counted in units of `base`; the cap is in those as well.
        units = backoff.fibo(max_value=math.ceil(self.cap / self.base))
        return (unit if unit is None else unit * self.base for unit in units)

    def _decorrelated(self, random: Callable[[], float]) -> Iterator[float]:
        wait = self.base
        while True:
            wait = min(self.cap, self.base + random() * (wait * 3 - self.base))
            yield wait
