"""Whatever a server sends, reading how long it wants to be left alone does not raise."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from resilient.headers.retry_after import ResetHeader, parse_retry_after

pytestmark = pytest.mark.slow

BOUND = 2.0**31
NAMES = [
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "Retry-After",
    "X-Reset",
    "X-Reset-At",
    "X-Remaining",
    "RateLimit",
    "Date",
]

names = st.sampled_from(NAMES)
numbers = st.from_regex(r"[+-]?[0-9]{0,30}(\.[0-9]{0,5})?(e[0-9]{1,3})?", fullmatch=True)
dates = st.builds(
    "{}{}{}{}{} {}:{}{}{}".format,
    st.sampled_from(["", "Sun, ", "Sunday, ", "sun ", "Zun,", ", "]),
    st.sampled_from(["06", "31", "00", "6", "99", "٣"]),
    st.sampled_from([" ", "-", "  "]),
    st.sampled_from(["Nov", "FEB", "foo", "11", "ſep"]),
    st.sampled_from([" 1994", "-94", "-0000", " 9999", " 10000", "-00", " 0001", "-99"]),
    st.sampled_from(["08", "23", "24", "8", "99"]),
    st.sampled_from(["49", "60", "5"]),
    st.sampled_from([":37", ":60", ":61", ":37.5", "", ":²"]),
    st.sampled_from(
        [" GMT", " UTC", " -0000", " +1400", "Z", "", " -2359", " +9999", " EST", "\0"]
    ),
)
timestamps = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}".format,
    st.integers(0, 10000),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from(["T", "t", " ", "_"]),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 62),
    st.sampled_from(["", "Z", "+00:00", "-12:00", "+14:00", ".5Z"]),
)
limits = st.lists(
    st.sampled_from(
        ['"p"', "p", ";r=0", ";t=8", ";t=-8", ";r=?0", ";t", ", ", ",", "(", ")", "@1", ":YQ==:"]
    ),
    max_size=8,
).map("".join)
noise = st.text(
    st.sampled_from("0123456789 ,.:;+-=/\"'()?@%\t\0\r\neGMTUCZinfJ²٣\ud800"), max_size=40
)
texts = st.one_of(
    st.text(),
    st.text(st.characters(codec=None)),  # lone surrogates too
    st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),  # as aiohttp decodes
    st.binary().map(lambda raw: raw.decode("latin-1")),
    numbers,
    dates,
    timestamps,
    limits,
    noise,
    st.integers(1, 6000).map("9".__mul__),
)
moments = st.one_of(
    st.none(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(
        datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(timezone(timedelta(hours=9)))
    ),
)
resets = st.lists(
    st.builds(
        ResetHeader,
        st.sampled_from(["X-Reset", "X-Reset-At"]),
        st.sampled_from(["seconds", "timestamp"]),
        st.floats(min_value=0, exclude_min=True, allow_nan=False),
    ),
    max_size=3,
)


def assert_is_a_wait(found: object) -> None:
    if found is not None:
        assert type(found) is float
        assert math.isfinite(found)
        assert 0 <= found <= BOUND


@given(st.lists(st.tuples(names, texts), max_size=6), moments, resets)
@example(
    [("Date", "Fri, 31 Dec 9999 23:59:59 -2359"), ("Retry-After", "01-Jan-99 00:00")], None, []
)
@example(
    [("Date", "Mon, 01 Jan 0001 00:00:00 +2359"), ("Retry-After", "01-Jan-99 00:00")], None, []
)
@example([("Retry-After", "01-Jan-99 00:00")], datetime.max, [])
@example([("Retry-After", "01-Jan-00 00:00")], datetime.min, [])
def test_parsing_never_raises_and_gives_a_wait_or_none(
    fields: list[tuple[str, str]], now: datetime | None, reset_headers: list[ResetHeader]
) -> None:
    headers = CIMultiDict(fields)
    assert_is_a_wait(parse_retry_after(headers, now=now, reset_headers=reset_headers))
    proxy = CIMultiDictProxy(headers)
    assert_is_a_wait(parse_retry_after(proxy, now=now, reset_headers=reset_headers))


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(),
    texts,
    st.lists(texts),
    moments,
)


@given(
    st.dictionaries(
        st.one_of(names, names.map(str.upper), names.map(str.encode), st.text(), st.integers()),
        anything,
        max_size=6,
    ),
    moments,
    resets,
)
def test_a_plain_dict_of_anything_never_raises(
    headers: dict[Any, Any], now: datetime | None, reset_headers: list[ResetHeader]
) -> None:
    assert_is_a_wait(parse_retry_after(headers, now=now, reset_headers=reset_headers))


@given(st.integers(min_value=0, max_value=10**60))
def test_seconds_are_what_they_say_up_to_the_bound(seconds: int) -> None:
    assert parse_retry_after({"Retry-After": str(seconds)}) == min(seconds, 2**31)


@given(st.integers(min_value=0, max_value=10**60))
def test_milliseconds_are_a_thousandth_of_it(milliseconds: int) -> None:
    found = parse_retry_after({"retry-after-ms": str(milliseconds)})
    assert found == min(milliseconds / 1000, BOUND)


@given(st.lists(st.integers(0, 10**6), min_size=1), st.sampled_from([", ", ",", " , "]))
def test_the_largest_is_what_counts_merged_or_repeated(waits: list[int], comma: str) -> None:
    repeated = CIMultiDict([("Retry-After", str(wait)) for wait in waits])
    assert parse_retry_after(repeated) == max(waits)
    merged = comma.join(map(str, waits))
    # "1,000" may as well be one number.
    is_ambiguous = comma == "," and f"{int(merged.replace(',', '')):,}" == merged
    assert parse_retry_after({"Retry-After": merged}) == (
        None if is_ambiguous and len(waits) > 1 else max(waits)
    )


whole_seconds = st.datetimes(
    datetime(1100, 1, 1), datetime(9900, 1, 1), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0))


@given(whole_seconds, whole_seconds, moments)
def test_every_form_of_a_date_is_the_distance_from_the_response(
    then: datetime, sent: datetime, now: datetime | None
) -> None:
    expected = min(max((then - sent).total_seconds(), 0.0), BOUND)
    for form in (
        format_datetime(then, usegmt=True),
        format_datetime(then),
        format_datetime(then.astimezone(timezone(timedelta(hours=-5, minutes=-30)))),
        then.ctime(),
        then.isoformat(),
        then.isoformat().replace("+00:00", "Z"),
        then.astimezone(timezone(timedelta(hours=12, minutes=45))).isoformat(" "),
    ):
        for date in (format_datetime(sent, usegmt=True), sent.ctime(), sent.isoformat()):
            assert parse_retry_after({"Retry-After": form, "Date": date}, now=now) == expected


@given(whole_seconds, st.timedeltas(timedelta(days=-49 * 365), timedelta(days=49 * 366)))
def test_two_digits_of_year_are_enough_for_half_a_century(
    sent: datetime, distance: timedelta
) -> None:
    then = sent + timedelta(seconds=int(distance.total_seconds()))
    headers = {
        "Date": format_datetime(sent, usegmt=True),
        "Retry-After": then.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
    }
    assert parse_retry_after(headers) == max((then - sent).total_seconds(), 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**9)), min_size=1, max_size=5),
    st.booleans(),
)
def test_rate_limit_waits_for_the_longest_of_those_used_up(
    policies: list[tuple[int, int]], merged: bool
) -> None:
    members = [f'"p";r={remaining};t={window}' for remaining, window in policies]
    fields = [", ".join(members)] if merged else members
    headers = CIMultiDict([("RateLimit", field) for field in fields])
    used_up = [window for remaining, window in policies if remaining == 0]
    assert parse_retry_after(headers) == max(used_up, default=None)
