"""Read whether anything remains of a limit, in headers that good responses carry as well.

    RateLimit              "policy";r=0;t=8                draft-ietf-httpapi-ratelimit-headers-08
                           limit=10, remaining=0, reset=8  its draft 07
    RateLimit-Remaining    0, with RateLimit-Reset: 8      its drafts to 06
    X-RateLimit-Remaining  0, with X-RateLimit-Reset: 8    of no standard; the reset in seconds,
                                                           or as UNIX time

As for Retry-After, reading never raises, and what is in none of these forms is passed over. So is
a reset that is more than a day off: as a rule it means something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from resilient.headers.retry_after import (
    numbers_in,
    reference_of,
    structured,
    texts_of,
    used_up_limits,
)

__all__ = ["FAMILIES", "used_up_for"]

FAMILIES: Final = ("RateLimit", "X-RateLimit")

_DAY: Final = 86400.0

# The UNIX time of 2001, and no number of seconds that anyone is to wait; and the same in
# milliseconds.
_TIMESTAMP: Final = 1e9
_MILLISECONDS: Final = 1e12


def used_up_for(headers: Mapping[str, str], families: Iterable[str], now: datetime) -> float | None:
    """Return the seconds for which a limit is used up, the longest of several; None if none is.

    Args:
        headers: The headers of a response.
        families: Those of FAMILIES that are to be read.
        now: The time of day, aware, where the response has no valid `Date`.
    """
    if not isinstance(headers, CIMultiDict | CIMultiDictProxy):
        headers = CIMultiDict(headers)
    waits = [wait for family in families for wait in _waits(headers, family, now)]
    return max((wait for wait in waits if 0 <= wait <= _DAY), default=None)


def _waits(headers: MultiMapping[str], family: str, now: datetime) -> Iterator[float]:
    if family == "RateLimit":
        yield from used_up_limits(headers)
        for text in texts_of(headers, family):
            members = structured(text, "dictionary")
            reset = _whole(members, "reset")
            if reset is not None and _whole(members, "remaining") == 0:
                yield float(reset)
    if 0.0 in _numbers(headers, f"{family}-Remaining"):
        for number in _numbers(headers, f"{family}-Reset"):
            yield _seconds(number, headers, now)


def _numbers(headers: MultiMapping[str], name: str) -> list[float]:
    return [number for text in texts_of(headers, name) for number in numbers_in(text)]


def _whole(members: Any, name: str) -> int | None:
    """Return an integer of a dictionary, or None."""
    try:
        value = members[name][0]
    except (LookupError, TypeError):
        return None
    return value if type(value) is int else None


def _seconds(reset: float, headers: MultiMapping[str], now: datetime) -> float:
    if reset < _TIMESTAMP:
        return reset
    timestamp = reset / 1000 if reset >= _MILLISECONDS else reset
    return max(0.0, timestamp - reference_of(headers, now).timestamp())
