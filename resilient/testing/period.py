"""A stretch of a fault server's life."""

from __future__ import annotations

import math
from typing import Any, Literal

from attrs import Attribute, field, frozen

from resilient.errors import ConfigError
from resilient.testing.reply import SECONDS
from resilient.validation import check

__all__ = ["Period", "Since"]

Since = Literal["start", "first_request"]

_SINCE = ("start", "first_request")


@frozen
class Period:
    """From one moment up to another one.

    Attributes:
        start: Seconds from `since` to its beginning.
        end: Seconds from `since` to its end, by default for ever. It is over at that moment.
        since: What both are counted from: when the server began to listen ("start"), or
            its "first_request", which a load test wants that has things to do before it.
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
        """Whether a moment, in seconds from `since`, is within it."""
        return self.start <= elapsed < self.end
