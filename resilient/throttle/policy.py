"""Configure what a throttle learns, which limit it keeps, and how long calls wait."""

from __future__ import annotations

from typing import Final, Literal

from attrs import field, frozen

from resilient.core.keys import Key, is_key
from resilient.errors import ConfigError
from resilient.headers.rate_limit import FAMILIES
from resilient.support.validation import (
    Seconds,
    as_tuple,
    at_least,
    check,
    instance,
    optional,
)
from resilient.throttle.limit import LIMIT, Limit

__all__ = ["ThrottlePolicy"]

_PACES: Final = ("even", "window")


@frozen(kw_only=True)
class ThrottlePolicy:
    """The configuration of a throttle. Durations are seconds.

    By default it does nothing until a server answers 429, or with a code that means the same
    (`ErrorPolicy.throttling_codes`). Then it holds back those who share what
    was limited, until the time that the server asks for, and lets them through in order at a rate
    that it learns. A `limit` is kept from the first call on; the slower of the two holds.

    Attributes:
        limit: The limit that a service documents, as "300/min", "10/s", "1000/h" or "100/10s":
            calls, and a time in s, sec, second, min, minute, h, hour, d or day. By default None.
        burst: The calls that may leave at once within `limit`, at most its calls; by default a
            twentieth of them, at least 1.
        learn: Whether a 429 closes a gate; by default True.
        classes: Whether a gate holds only the method, first segment of the path and credential
            that were refused, until three such parts were; False holds the whole key at once. By
            default True.
        headers: Families of headers whose remaining of 0 closes a gate as a 429 would, until their
            reset: of "RateLimit" and "X-RateLimit". By default none, since many services send a
            remaining that belongs to another limit.
        max_wait: The longest queue beyond the server's own time: a call that would have to wait
            longer for those before it is refused at once. By default 30. `override(max_wait=...)`
            changes it for the calls of a block.
        pace: "even", the default, lets calls leave at a steady pace; "window" takes all of `limit`
            at once and then waits for the next window.
        key: What shares a limit, declared as in `resilient.core.keys`, or a function of the
            request, of which None or an exception lets the request pass. By default "origin".
    """

    limit: str | None = field(
        default=None, validator=optional(check(LIMIT, lambda it: Limit.parse(it) is not None))
    )
    burst: int | None = field(default=None, validator=optional(at_least(1)))
    learn: bool = field(default=True, validator=instance(bool, "True or False"))
    classes: bool = field(default=True, validator=instance(bool, "True or False"))
    headers: tuple[str, ...] = field(
        default=(),
        converter=as_tuple,
        validator=check(
            f"a list of {' and '.join(FAMILIES)}",
            lambda it: isinstance(it, tuple) and all(each in FAMILIES for each in it),
        ),
    )
    max_wait: Seconds = field(default=30.0, validator=at_least(0.0, "seconds"))
    pace: Literal["even", "window"] = field(
        default="even", validator=check("'even' or 'window'", lambda it: it in _PACES)
    )
    key: Key = field(default="origin", validator=is_key())

    def __attrs_post_init__(self) -> None:
        if self.burst is None:
            return
        limit = Limit.parse(self.limit)
        if limit is None:
            allowed = "None where no limit is declared"
        elif self.pace == "window":
            allowed = 'None with pace = "window", which takes the whole limit at once'
        elif self.burst > limit.calls:
            allowed = f"at most the calls of the limit ({limit.calls})"
        else:
            return
        raise ConfigError.of("ThrottlePolicy.burst", self.burst, allowed)
