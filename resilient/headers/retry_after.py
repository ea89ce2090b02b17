"""Read how long a server asked to be left alone, in every form that it really comes in.

    retry-after-ms, x-ms-retry-after-ms   milliseconds, as Azure and OpenAI send them
    Retry-After   120                             delay-seconds, RFC 9110 10.2.3
                  0.5                             not in the RFC, but sent
                  120, 60                         two fields that a proxy merged
                  1,000                           no number: a thousands separator
                  Sun, 06 Nov 1994 08:49:37 GMT   IMF-fixdate, RFC 9110 5.6.7
                  Sunday, 06-Nov-94 08:49:37 GMT  RFC 850: the year is within fifty years
                  Sun Nov  6 08:49:37 1994        asctime
                  1994-11-06T08:49:37Z            RFC 3339; not in RFC 9110, but sent
    X-RateLimit-Reset and the like        as configured: each service has its own meaning;
                                          only if its X-RateLimit-Remaining is not positive;
                                          seconds may be a duration: 6m0s, 250ms (OpenAI)
    RateLimit     "policy";r=0;t=8                draft-ietf-httpapi-ratelimit-headers

The first of these that holds something valid decides; of repeated fields the largest value
does, because a wait must never be undercut. A date is read against the `Date` of the same
response, so that the two clocks need not agree. A date without a zone is in UTC; "+0200"
and the like are honoured; the name of the weekday is ignored.

Whatever the headers hold, reading them does not raise: a value in none of these forms is
passed over. No wait is longer than 2**31 seconds, which RFC 9111 1.2.2 has a recipient take
for a delta-seconds that is too large for it. That is 68 years: any cap refuses it, and
arithmetic on it is safe, which it is not on a number of 5,000 digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

from attrs import field, frozen
from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from resilient.support.duration import LONGEST, seconds_of
from resilient.support.validation import Seconds, check, optional

__all__ = [
    "LONGEST",
    "ResetHeader",
    "numbers_in",
    "parse_retry_after",
    "reference_of",
    "structured",
    "texts_of",
    "used_up_limits",
]

# Patterns are compiled by the first who needs them, as `re` keeps what it has compiled.

_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # a token, RFC 9110 5.6.2

# [0-9], because \d, str.isdigit() and float() know more digits than ASCII's.
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_NUMBERS = rf"{_NUMBER}(?:[ \t]*,[ \t]*{_NUMBER})*"
# One number with separators, or fields that were merged without a space: nobody can tell.
_SEPARATED = r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?|.*,[ \t]*0[0-9].*"

_WEEKDAY = r"(?:[a-z]+(?:, *| +))?"
_DAY = r"(?P<day>[0-9]{1,2})"
_MONTH = r"(?P<month>[a-z]{3})"
_YEAR = r"(?P<year>[0-9]{4})"
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:\.[0-9]+)?))?"
_ZONE = r"(?: *(?:GMT|UTC?|Z|(?P<sign>[+-])(?P<east>[0-9]{2}):?(?P<past>[0-9]{2})))?"
_DATES = (
    # IMF-fixdate and RFC 850, which differ in the dashes and the digits of the year.
    rf"{_WEEKDAY}{_DAY}[ -]{_MONTH}[ -](?P<year>[0-9]{{4}}|[0-9]{{2}}) +{_TIME}{_ZONE}",
    rf"{_WEEKDAY}{_MONTH} +{_DAY} +{_TIME} +{_YEAR}{_ZONE}",
    rf"{_YEAR}-(?P<month>[0-9]{{2}})-{_DAY}[T ]{_TIME}{_ZONE}",
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_HEADER_NAME, value) is not None


_header_name = check("the name of a header", _is_name)


@frozen
class ResetHeader:
    """A header of one service's own that says when its rate limit is reset.

    Modelled on the `reset_headers` of Envoy's retry policy. Many services send such a header
    with every response, so it is heeded only if nothing remains of the limit: if its
    `remaining` header is positive there is nothing to wait for.

    Attributes:
        name: The name of the header, in any case.
        form: "seconds" if it holds the seconds to wait, as a number or as a duration with units
            ("6m0s"); "timestamp" if it holds the UNIX time of the reset, in seconds too.
        limit: Seconds, 300 by default. A value that is further off, in the past or in the
            future, is passed over: as a rule such a header means something else than it was
            configured for.
        remaining: The name of the header that says how much of the limit remains; by default
            `name` with "Remaining" in the place of "Reset", if that is in it. Where the
            response has no such header, or no number in it, the reset is heeded; with None it
            always is.
    """

    name: str = field(validator=_header_name)
    form: Literal["seconds", "timestamp"] = field(
        validator=check("'seconds' or 'timestamp'", lambda it: it in ("seconds", "timestamp"))
    )
    limit: Seconds = field(
        default=300.0,
        validator=check(
            "a positive number of seconds",
            lambda it: isinstance(it, int | float) and it > 0 and it is not True,
        ),
    )
    remaining: str | None = field(validator=optional(_header_name))

    @remaining.default
    def _derived(self) -> str | None:
        name: object = self.name  # It is not validated yet.
        derived = re.sub("(?i)reset", "Remaining", name) if isinstance(name, str) else name
        return derived if derived != name and isinstance(derived, str) else None


def parse_retry_after(
    headers: Mapping[str, str],
    *,
    now: datetime | None = None,
    reset_headers: Sequence[ResetHeader] = (),
) -> float | None:
    """Return how many seconds a response asks to wait, or None if it does not say.

    Never raises, whatever the headers.

    Args:
        headers: The headers of the response, aiohttp's or a mapping with names in any case.
        now: The time of day that dates are read against where the response has no valid
            `Date`; UTC if naive, the system's own if None.
        reset_headers: Headers to look for after `Retry-After` and before `RateLimit`, in
            order; none by default.

    Returns:
        Seconds, from 0.0 (also for a moment that has passed) up to 2**31.
    """
    if not isinstance(headers, CIMultiDict | CIMultiDictProxy):
        headers = CIMultiDict([(_text(name), value) for name, value in headers.items()])
    # Each of the readers gives all the valid waits that it finds, in seconds.
    waits = (
        _milliseconds(headers, "retry-after-ms")
        or _milliseconds(headers, "x-ms-retry-after-ms")
        or _seconds_and_dates(headers, now)
        or _resets(headers, reset_headers, now)
        or used_up_limits(headers)
    )
    return min(max(waits), LONGEST) if waits else None


def _milliseconds(headers: MultiMapping[str], name: str) -> list[float]:
    return [number / 1000 for text in texts_of(headers, name) for number in numbers_in(text)]


def _seconds_and_dates(headers: MultiMapping[str], now: datetime | None) -> list[float]:
    waits: list[float] = []
    for text in texts_of(headers, "Retry-After"):
        if numbers := numbers_in(text):
            waits += numbers
        else:
            reference = reference_of(headers, now)
            if moment := _moment(text, reference):
                waits.append(max(0.0, (moment - reference).total_seconds()))
    return waits


def _resets(
    headers: MultiMapping[str], reset_headers: Sequence[ResetHeader], now: datetime | None
) -> list[float]:
    for header in reset_headers:
        if _remains(headers, header):
            continue
        texts = texts_of(headers, header.name)
        waits = [number for text in texts for number in numbers_in(text)]
        if not waits and header.form == "seconds":
            waits = [number for text in texts for number in _duration(text)]
        if waits and header.form == "timestamp":
            reference = reference_of(headers, now).timestamp()
            waits = [timestamp - reference for timestamp in waits]
        if near := [max(0.0, wait) for wait in waits if abs(wait) <= header.limit]:
            return near
    return []


def _remains(headers: MultiMapping[str], header: ResetHeader) -> bool:
    """Tell whether a response says that something remains of a limit; of several, of each."""
    texts = [] if header.remaining is None else texts_of(headers, header.remaining)
    return bool(texts) and all((some := numbers_in(text)) and min(some) > 0 for text in texts)


def used_up_limits(headers: MultiMapping[str]) -> list[float]:
    """Return the seconds until each limit of a RateLimit field is reset that is used up."""
    texts = texts_of(headers, "RateLimit")
    limits = [limit for text in texts for _, limit in structured(text, "list")]
    return [float(limit["t"]) for limit in limits if _is_used_up(limit)]


def _is_used_up(limit: Mapping[str, Any]) -> bool:
    """Tell whether nothing remains (r) for a known time (t); true and 0.0 are malformed."""
    remaining, window = limit.get("r"), limit.get("t")
    return type(remaining) is int and remaining == 0 and type(window) is int and window >= 0


def structured(text: str, form: Literal["list", "dictionary"]) -> Any:
    """Return the members of a structured field (RFC 9651); none if it is malformed.

    Each is a value with its parameters, in the order of a list, or by name in a dictionary.
    """
    try:
        # Few servers send these, and the import is slow.
        import http_sf

        return http_sf.parse(text.encode("ascii"), tltype=form)
    except Exception:
        # The draft has malformed fields ignored. And an import at this moment may fail: an
        # attempt may have failed because the process is out of file descriptors.
        return () if form == "list" else {}


def numbers_in(text: str) -> list[float]:
    """Return the numbers of a list of numbers, as a rule one; none if it is anything else."""
    if re.fullmatch(_SEPARATED, text) or not re.fullmatch(_NUMBERS, text):
        return []
    return [float(part) for part in text.split(",")]


def _duration(text: str) -> list[float]:
    """Return the seconds of a duration with its units, if it is one."""
    seconds = seconds_of(text) if text[-1:].isalpha() else None
    return [] if seconds is None else [seconds]


def reference_of(headers: MultiMapping[str], now: datetime | None) -> datetime:
    """Return when the response was made; the earliest moment if it names several."""
    if now is None:
        now = datetime.now(UTC)
    elif now.utcoffset() is None:
        now = now.replace(tzinfo=UTC)
    dates = [date for text in texts_of(headers, "Date") if (date := _moment(text, now))]
    return min(dates, default=now)


def _moment(text: str, reference: datetime) -> datetime | None:
    """Return the moment, aware, that a date in one of the known forms stands for."""
    for form in _DATES:
        if match := re.fullmatch(form, text, re.ASCII | re.IGNORECASE):
            try:
                return _to_datetime(match.groupdict(), reference)
            except (ValueError, OverflowError):  # 31 Feb, 25:00, +9900, +0060, year 0
                return None
    return None


def _to_datetime(parts: Mapping[str, str], reference: datetime) -> datetime:
    year, day, hour, minute = (int(parts[name]) for name in ("year", "day", "hour", "minute"))
    name = parts["month"].lower()
    month = _MONTHS.index(name) + 1 if name in _MONTHS else int(name)
    second = float(parts["second"] or 0)
    if second >= 61:  # 60 is a leap second; to POSIX it is the first of the next minute.
        raise ValueError(second)
    if len(parts["year"]) == 2:
        today = reference.utctimetuple()
        year += today.tm_year // 100 * 100 + 100
        # RFC 9110 5.6.7: "more than 50 years in the future" stands for the past.
        while (year - 50, month, day, hour, minute, second) > today[:6]:
            year -= 100
    local = datetime(year, month, day, hour, minute, tzinfo=_zone(parts))
    return local + timedelta(seconds=second)


def _zone(parts: Mapping[str, str]) -> timezone:
    # Not strptime("%z"), which imports a module at its first use: see `structured`.
    if not parts["sign"]:
        return UTC
    hours, minutes = int(parts["east"]), int(parts["past"])
    if minutes >= 60:
        raise ValueError(minutes)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if parts["sign"] == "-" else offset)


def texts_of(headers: MultiMapping[str], name: str) -> list[str]:
    """Return the values of a field, in order, without the space around them (RFC 9110 5.5)."""
    return [_text(value).strip(" \t") for value in headers.getall(name, ())]


def _text(value: object) -> str:
    """Return a name or a value as it would stand in a header; "" for anything else."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, int | float):  # Bounded: str() refuses an integer of 5,000 digits.
        return f"{max(-1, min(value, 2**62)):f}"
    return value if isinstance(value, str) else ""
