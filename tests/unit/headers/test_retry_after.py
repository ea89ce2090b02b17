"""Every form of Retry-After, its relatives, and what only looks like them."""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import http_sf
import pytest
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict

from resilient.errors import ConfigError
from resilient.headers.retry_after import ResetHeader, parse_retry_after

NOW = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)
SENT = "Sat, 14 Mar 2026 12:00:00 GMT"  # NOW, as a Date header says it
BOUND = 2147483648.0  # 2**31, spelled out so that the test does not share the code's arithmetic

row = pytest.param


def wait(value: object, **others: object) -> float | None:
    """What a Retry-After of this value comes to, in a response sent at NOW."""
    headers: Any = {"Date": SENT, "Retry-After": value, **others}
    return parse_retry_after(headers)


# --- seconds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        row("120", 120.0, id="RFC 9110 10.2.3, second example"),
        row("0", 0.0, id="now is an answer too, and not the same as no answer"),
        ("1", 1.0),
        ("60", 60.0),
        ("007", 7.0),
        row("0000000000000000000005", 5.0, id="long is not large"),
        ("3600", 3600.0),
        row("31536000", 31536000.0, id="a year is for the policy to refuse, not for the parser"),
        row("0.5", 0.5, id="a fraction, from openai and others"),
        ("1.25", 1.25),
        ("1.0", 1.0),
        ("0.0", 0.0),
        row("20240101", 20240101.0, id="digits are seconds, never a compact ISO date"),
        row(" 5", 5.0, id="space around the value is no part of it (RFC 9110 5.5)"),
        ("5\t ", 5.0),
        row("\t42 ", 42.0, id="urllib3 test_parse_retry_after"),
        row("120, 60", 120.0, id="two fields merged by a proxy: the largest"),
        ("60, 120", 120.0),
        row("60,30", 60.0, id="merged without a space"),
        row("1000,60", 1000.0, id="no separator of thousands stands there"),
        row("0.500", 0.5, id="a fraction with three digits"),
        ("9, 10", 10.0),
        row("5 ,\t3", 5.0, id="space before the comma too"),
        ("1, 2, 3, 2", 3.0),
        row("0.5, 2", 2.0, id="merged fractions"),
    ],
)
def test_seconds(value: str, seconds: float) -> None:
    assert wait(value) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2147483647", 2147483647.0),
        ("2147483648", BOUND),
        row("2147483649", BOUND, id="RFC 9111 1.2.2: an overflowing value is taken for 2**31"),
        row("99999999999999999999999999999999999", BOUND, id="openai's largest"),
        row("9" * 5000, BOUND, id="int() refuses 5,000 digits"),
        row("1" * 400, BOUND, id="float() makes inf of it"),
        row("9" * 5000 + ".5", BOUND, id="inf with a fraction"),
        row("1" * 400 + ", 3", BOUND, id="inf in a list"),
        row("0." + "3" * 5000, 1 / 3, id="many digits of a small number"),
        row("Fri, 31 Dec 9999 23:59:59 GMT", BOUND, id="the last date that there is"),
        ("Thu, 01 Jan 2099 00:00:00 GMT", BOUND),
        row("Fri, 31 Dec 9999 23:59:59 -0200", BOUND, id="past the last date in UTC"),
    ],
)
def test_no_wait_is_longer_than_the_bound(value: str, seconds: float) -> None:
    found = wait(value)
    assert found == pytest.approx(seconds)
    assert found is not None
    assert found <= BOUND


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\t \t",
        row("-1", id="negative (urllib3, openai)"),
        "-10",
        "-0.5",
        row("+5", id="no sign in delay-seconds (urllib3)"),
        row("−5", id="a typographic minus"),
        row("²", id="isdigit() is true, int() raises (urllib3)"),
        row("1²", id="the same, hidden"),
        row("٣", id="isdecimal() and int() know it, HTTP does not"),
        row("５", id="full-width"),
        row("१२०", id="Devanagari"),
        "nan",
        "NaN",
        "inf",
        "Infinity",
        "-inf",
        row("1e9", id="float() reads it, no one documents it"),
        "1E3",
        "2.5e1",
        row("1_000", id="int() and float() read it"),
        row("1,000", id="a separator of thousands: it is neither 1 nor 0"),
        row("60,120", id="nor is this 120: it may be sixty thousand"),
        row("1, 000", id="nor with a space"),
        "1,000,000",
        "12,345.5",
        row("1 000", id="another separator of thousands"),
        "1'000",
        "1\u00a0000",
        row("1.000.000", id="and another"),
        "0x1E",
        "1e3",
        "10s",
        "5 seconds",
        "1m30s",
        "1:30",
        "~5",
        "5-10",
        "5/10",
        "<5",
        "0x10",
        "0b1",
        "5 s",
        "5s",
        "PT5S",
        "5;q=1",
        '"5"',
        "1.2.3",
        ".5",
        "5.",
        "1,5.",
        row("120,", id="every part of a merged list must be a number"),
        ",120",
        "120,,60",
        "120, soon",
        "120 60",
        "120, -1",
        row("5\0", id="NUL after"),
        row("\x005", id="NUL before"),
        "5\0 0",
        row("5\n", id="a line feed is no white space of HTTP's"),
        "5\r\n",
        "5\x0b",
        row("\u00a05", id="str.strip() would take a no-break space away"),
        row("\ud8005", id="a lone surrogate, as aiohttp decodes a stray byte"),
        "soon",
        "None",
        "true",
        "a" * 5000,
        "," * 5000,
        "(" * 5000,
    ],
)
def test_what_is_no_form_of_it_says_nothing(value: str) -> None:
    assert wait(value) is None


# --- dates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sent", "seconds"),
    [
        row(
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "Fri, 31 Dec 1999 23:58:59 GMT",
            60.0,
            id="RFC 9110 10.2.3, first example",
        ),
        row(
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:30 GMT",
            7.0,
            id="RFC 9110 5.6.7, IMF-fixdate",
        ),
        row(
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:30 GMT",
            7.0,
            id="RFC 9110 5.6.7, RFC 850",
        ),
        row(
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:30 GMT",
            7.0,
            id="RFC 9110 5.6.7, asctime",
        ),
        row(
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:30 GMT",
            7.0,
            id="Date in the form of RFC 850",
        ),
        row(
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov  6 08:49:30 1994",
            7.0,
            id="Date in the form of asctime",
        ),
        row(
            "Mon, 05 Aug 2019 09:27:05 GMT",
            "Mon, 05 Aug 2019 09:27:00 GMT",
            5.0,
            id="ratelimit draft B.1.4",
        ),
        row(
            "Wed Nov 16 08:49:37 1994",
            "Wed, 16 Nov 1994 08:49:30 GMT",
            7.0,
            id="asctime with two digits of day",
        ),
        row(
            "Sun, 31 Dec 2000 23:59:59 GMT",
            "Sun, 31 Dec 2000 00:00:00 GMT",
            86399.0,
            id="the last day of a leap year",
        ),
        row(
            "Tue, 29 Feb 2000 00:00:01 GMT",
            "Mon, 28 Feb 2000 23:59:59 GMT",
            2.0,
            id="2000 is a leap year",
        ),
    ],
)
def test_a_date_is_read_against_the_date_of_the_response(
    value: str, sent: str, seconds: float
) -> None:
    assert parse_retry_after({"Retry-After": value, "Date": sent}, now=NOW) == seconds


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month(month: int) -> None:
    then = datetime(2027, month, 9, 8, 7, 6, tzinfo=UTC)
    seconds = (then - NOW).total_seconds()
    assert wait(then.strftime("%a, %d %b %Y %H:%M:%S GMT")) == seconds
    assert wait(then.strftime("%A, %d-%b-%y %H:%M:%S GMT")) == seconds
    assert wait(then.ctime()) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Sat, 14 Mar 2026 12:00:30 GMT", 30.0),
        row(SENT, 0.0, id="this very moment"),
        row("Sat, 14 Mar 2026 11:59:59 GMT", 0.0, id="past: at once, not a negative wait"),
        row("Thu, 01 Jan 1970 00:00:00 GMT", 0.0, id="long past"),
        row("Mon, 01 Jan 0001 00:00:00 GMT", 0.0, id="the first date that there is"),
        row("sat, 14 mar 2026 12:00:30 gmt", 30.0, id="lower case"),
        row("SAT, 14 MAR 2026 12:00:30 GMT", 30.0, id="upper case"),
        row("Mon, 14 Mar 2026 12:00:30 GMT", 30.0, id="it is not a Monday; the date counts"),
        row("Xyz, 14 Mar 2026 12:00:30 GMT", 30.0, id="no weekday at all"),
        row("Saturday, 14 Mar 2026 12:00:30 GMT", 30.0, id="IMF-fixdate, long weekday"),
        row("14 Mar 2026 12:00:30 GMT", 30.0, id="RFC 5322 lets the weekday go"),
        row("Sat,14 Mar 2026 12:00:30 GMT", 30.0, id="no space after the comma"),
        row("Sat, 14-Mar-2026 12:00:30 GMT", 30.0, id="as in old cookies: dashes, four digits"),
        row("Sat, 14 Mar 26 12:00:30 GMT", 30.0, id="RFC 822: spaces, two digits"),
        row("Sat, 14 Mar 2026 12:01 GMT", 60.0, id="RFC 5322 lets the seconds go"),
        row("Sat, 14 Mar 2026 12:00:30.5 GMT", 30.5, id="a fraction of a second"),
        row("  Sat, 14 Mar 2026 12:00:30 GMT\t", 30.0, id="space around it"),
        row("Sat, 14 Mar 2026 12:00:60 GMT", 60.0, id="a leap second is the next minute's first"),
        row("Sat, 14 Mar 2026 23:59:60 GMT", 43200.0, id="a leap second at the end of the day"),
        row("Saturday, 14-Mar-26 12:00:60 GMT", 60.0, id="a leap second, RFC 850"),
        row("Sat Mar 14 12:00:60 2026", 60.0, id="a leap second, asctime"),
        ("Sat Mar 14 12:00:30 2026", 30.0),
        row("Mar 14 12:00:30 2026", 30.0, id="asctime without the weekday"),
        row("sat mar 14 12:00:30 2026", 30.0, id="asctime in lower case"),
        row("Sat Mar 14 12:00:30 2026 GMT", 30.0, id="asctime with a zone that it should not have"),
    ],
)
def test_recipients_of_dates_are_lenient(value: str, seconds: float) -> None:
    assert wait(value) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        row("Sat, 14 Mar 2026 12:00:30", 30.0, id="none is UTC"),
        ("Sat, 14 Mar 2026 12:00:30 UTC", 30.0),
        ("Sat, 14 Mar 2026 12:00:30 UT", 30.0),
        ("Sat, 14 Mar 2026 12:00:30 Z", 30.0),
        ("Sat, 14 Mar 2026 12:00:30 +0000", 30.0),
        row("Sat, 14 Mar 2026 12:00:30 -0000", 30.0, id="parsedate_to_datetime: naive, TypeError"),
        row("Sat, 14 Mar 2026 14:00:30 +0200", 30.0, id="east of Greenwich noon comes earlier"),
        row("Sat, 14 Mar 2026 12:00:30 +0200", 0.0, id="so this one has passed"),
        ("Sat, 14 Mar 2026 07:00:30 -0500", 30.0),
        ("Sat, 14 Mar 2026 12:00:30 -0500", 18030.0),
        row("Sat, 14 Mar 2026 17:30:30 +0530", 30.0, id="half an hour"),
        row("Sat, 14 Mar 2026 08:30:30 -0330", 30.0, id="half an hour westward"),
        row("Sun, 15 Mar 2026 02:00:30 +14:00", 30.0, id="another day, and a colon"),
        row("Sat, 14 Mar 2026 12:00:30GMT", 30.0, id="no space before it"),
        row("Saturday, 14-Mar-26 14:00:30 +0200", 30.0, id="RFC 850"),
        row("Sat, 14 Mar 2026 12:00:30 EST", None, id="taken for UTC it would undercut five hours"),
        ("Sat, 14 Mar 2026 12:00:30 CEST", None),
        ("Sat, 14 Mar 2026 12:00:30 Europe/Berlin", None),
        row("Sat, 14 Mar 2026 12:00:30 +9900", None, id="no such zone"),
        ("Sat, 14 Mar 2026 12:00:30 +0060", None),
        ("Sat, 14 Mar 2026 12:00:30 +2400", None),
        ("Sat, 14 Mar 2026 12:00:30 +2", None),
        ("Sat, 14 Mar 2026 12:00:30 0000", None),
        ("Sat, 14 Mar 2026 12:00:30 GMT+0200", None),
        ("Sat, 14 Mar 2026 12:00:30 GMT GMT", None),
    ],
)
def test_zones(value: str, seconds: float | None) -> None:
    assert wait(value) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-03-14T12:00:30Z", 30.0),
        row("2026-03-14t12:00:30z", 30.0, id="RFC 3339 5.6 allows lower case"),
        row("2026-03-14 12:00:30Z", 30.0, id="and a space"),
        row("2026-03-14T12:00:30", 30.0, id="no zone is UTC, not local time"),
        ("2026-03-14T12:00:30.250Z", 30.25),
        row("2026-03-14T12:00:30.123456789Z", 30.123457, id="nanoseconds"),
        ("2026-03-14T12:01Z", 60.0),
        ("2026-03-14T12:00:30+00:00", 30.0),
        ("2026-03-14T12:00:30-00:00", 30.0),
        ("2026-03-14T14:00:30+02:00", 30.0),
        ("2026-03-14T07:00:30-05:00", 30.0),
        ("2026-03-14T14:00:30+0200", 30.0),
        row("2026-03-14 12:00:30 UTC", 30.0, id="as Ruby prints it"),
        ("2026-03-14T12:00:60Z", 60.0),
        ("2020-03-14T12:00:30Z", 0.0),
        ("9999-12-31T23:59:60Z", None),
        row("2026-03-14", None, id="a day is no moment"),
        row("2026-03-14T12", None, id="nor is an hour"),
        row("20260314T120030Z", None, id="the basic form, which no one sends"),
        ("2026-W11-6T12:00:30Z", None),
        ("2026-02-29T12:00:00Z", None),
        ("2026-13-01T12:00:00Z", None),
        ("2026-00-01T12:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("10000-01-01T00:00:00Z", None),
        ("-2026-03-14T12:00:30Z", None),
        row("２０２６-03-14T12:00:30Z", None, id="full-width digits"),
    ],
)
def test_timestamps_of_rfc_3339(value: str, seconds: float | None) -> None:
    assert wait(value) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 31 Feb 2027 12:00:00 GMT",
        row("Mon, 29 Feb 2027 12:00:00 GMT", id="2027 is no leap year"),
        row("Mon, 29 Feb 2100 12:00:00 GMT", id="nor is 2100"),
        "Sat, 00 Mar 2026 12:00:30 GMT",
        "Sat, 32 Mar 2026 12:00:30 GMT",
        "Saturday, 31-Feb-27 12:00:30 GMT",
        "Sat Feb 31 12:00:30 2027",
        row("Sat, 01 Jan 0000 00:00:00 GMT", id="there is no year 0"),
        row("Fri, 31 Dec 9999 23:59:60 GMT", id="the leap second that ends all dates"),
        row("Fri, 31 Dec 99999 23:59:59 GMT", id="five digits of year"),
        "Fri, 31 Dec 199 23:59:59 GMT",
        "Sat, 14 Mar 2026 24:00:00 GMT",
        "Sat, 14 Mar 2026 25:00:00 GMT",
        "Sat, 14 Mar 2026 12:60:00 GMT",
        row("Sat, 14 Mar 2026 12:00:61 GMT", id="there are no two leap seconds"),
        "Sat, 14 Mar 2026 12:00:99 GMT",
        "Sat, 14 Mar 2026 12 GMT",
        "Sat, 14 Mar 2026",
        "Sat, 14 March 2026 12:00:30 GMT",
        "Sat, 14 Foo 2026 12:00:30 GMT",
        row("Sat, 14 03 2026 12:00:30 GMT", id="a month in digits, in a form that spells it"),
        "Sat, 14 Mar 2026 -1:00:30 GMT",
        "Sat, 14 Mar 2026 12:00:-5 GMT",
        row("Sat, 14 ſep 2026 12:00:30 GMT", id="ſ is s, to Unicode that ignores case"),
        row("ſat, 14 Mar 2026 12:00:30 GMT", id="nor in a weekday, though that is ignored"),
        row("Sat, ١٤ Mar 2026 12:00:30 GMT", id="Arabic digits"),
        row("Sat, 14 Mar 2026 12:00:30 GMT\0", id="NUL"),
        "Sat,\x0014 Mar 2026 12:00:30 GMT",
        row("Sat, 14 Mar 2026 12:00:30 GMT, 5", id="merged with something else"),
        "03/14/2026 12:00:30",
        "12:00:30",
        "GMT",
        "Sat",
        "Sat,",
        "Sat, " + "9" * 5000 + " Mar 2026 12:00:30 GMT",
        "Sat, 14 Mar 2026 " + "9" * 5000 + ":00:30 GMT",
    ],
)
def test_dates_that_do_not_exist_say_nothing(value: str) -> None:
    assert wait(value) is None


@pytest.mark.parametrize(
    ("sent", "value", "moment"),
    [
        row("1994-11-06T00:00:00", "06-Nov-94 08:49:37", "1994-11-06T08:49:37", id="RFC 9110"),
        row("1999-12-31T23:59:00", "01-Jan-00 00:00:00", "2000-01-01T00:00:00", id="new century"),
        row("2099-12-31T23:59:00", "01-Jan-00 00:00:00", "2100-01-01T00:00:00", id="and the next"),
        row("2000-01-01T00:00:00", "31-Dec-99 23:59:59", None, id="the old one, just over"),
        row("2026-03-14T12:00:00", "14-Mar-26 12:00:01", "2026-03-14T12:00:01", id="this year"),
        row("2026-03-14T12:00:00", "14-Mar-25 12:00:01", None, id="last year"),
        row("2026-03-14T12:00:00", "14-Mar-69 12:00:00", "2069-03-14T12:00:00", id="POSIX: 1969"),
        row("2026-03-14T12:00:00", "31-Dec-75 23:59:59", "2075-12-31T23:59:59", id="49 years"),
        row("2026-03-14T12:00:00", "14-Mar-76 11:59:59", "2076-03-14T11:59:59", id="just within"),
        row("2026-03-14T12:00:00", "14-Mar-76 12:00:00", "2076-03-14T12:00:00", id="fifty exactly"),
        row("2026-03-14T12:00:00", "14-Mar-76 12:00:01", None, id="a second more than fifty"),
        row("2026-03-14T12:00:00", "15-Mar-76 00:00:00", None, id="a day more"),
        row("2026-03-14T12:00:00", "01-Apr-76 00:00:00", None, id="a month more"),
        row("2026-03-14T12:00:00", "01-Jan-77 00:00:00", None, id="1977, not 2077"),
        row("2026-03-14T12:00:00", "31-Dec-99 23:59:59", None, id="1999, not 2099"),
        row("2060-06-01T00:00:00", "01-Jan-05 00:00:00", "2105-01-01T00:00:00", id="not 2005"),
        row("2060-06-01T00:00:00", "01-Jan-61 00:00:00", "2061-01-01T00:00:00", id="2061"),
        row("2028-02-29T00:00:00", "28-Feb-78 23:59:59", "2078-02-28T23:59:59", id="from 29 Feb"),
        row("2028-02-29T00:00:00", "01-Mar-78 00:00:00", None, id="more than fifty from 29 Feb"),
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_ahead(
    sent: str, value: str, moment: str | None
) -> None:
    reference = datetime.fromisoformat(sent).replace(tzinfo=UTC)
    headers = {"Retry-After": f"Someday, {value} GMT"}
    expected = 0.0
    if moment is not None:
        then = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        expected = (then - reference).total_seconds()
    assert parse_retry_after(headers, now=reference) == expected
    # Measured from the Date of the response too, whatever the time here.
    headers["Date"] = format_datetime(reference, usegmt=True)
    assert parse_retry_after(headers, now=datetime(1970, 1, 1, tzinfo=UTC)) == expected


def test_a_year_of_two_digits_at_the_ends_of_the_calendar() -> None:
    headers = {"Retry-After": "Monday, 01-Jan-99 00:00:00 GMT"}
    assert parse_retry_after(headers, now=datetime(1, 1, 1, tzinfo=UTC)) is None
    headers = {"Retry-After": "Monday, 01-Jan-05 00:00:00 GMT"}
    assert parse_retry_after(headers, now=datetime(9999, 6, 1, tzinfo=UTC)) is None


# --- against what a date is read ---------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "now", "seconds"),
    [
        row([SENT], None, 60.0, id="Date"),
        row([SENT], NOW + timedelta(hours=5), 60.0, id="Date, though our clock is fast"),
        row([SENT], NOW - timedelta(hours=5), 60.0, id="Date, though our clock is slow"),
        row([], NOW, 60.0, id="no Date: now"),
        row([], NOW - timedelta(seconds=30), 90.0, id="no Date: now, half a minute earlier"),
        row([], NOW.replace(tzinfo=None), 60.0, id="a naive now is UTC"),
        row([], NOW.astimezone(timezone(timedelta(hours=9))), 60.0, id="now in Tokyo"),
        row(["yesterday"], NOW, 60.0, id="an invalid Date is none"),
        row([""], NOW, 60.0, id="nor is an empty one"),
        row(["Sat, 31 Feb 2026 12:00:00 GMT"], NOW, 60.0, id="nor one that does not exist"),
        row(["1773489600"], NOW, 60.0, id="nor a number"),
        row(["Sat, 14 Mar 2026 14:00:00 +0200"], None, 60.0, id="Date in another zone"),
        row(["Sat, 14 Mar 2026 12:00:00 -0000"], None, 60.0, id="Date in zone -0000"),
        row(["2026-03-14T12:00:00Z"], None, 60.0, id="Date as a timestamp"),
        row(["bad", SENT], None, 60.0, id="the valid one of two"),
        row(
            [SENT, "Sat, 14 Mar 2026 11:59:00 GMT", "Sat, 14 Mar 2026 12:00:59 GMT"],
            None,
            120.0,
            id="the earliest of several, for the longer wait",
        ),
    ],
)
def test_the_reference(dates: Sequence[str], now: datetime | None, seconds: float) -> None:
    headers = CIMultiDict([("Retry-After", "Sat, 14 Mar 2026 12:01:00 GMT")])
    headers.extend([("Date", date) for date in dates])
    assert parse_retry_after(headers, now=now) == seconds


def test_two_digits_of_year_in_the_date_are_near_now() -> None:
    headers = {
        "Date": "Tuesday, 14-Mar-90 12:00:00 GMT",
        "Retry-After": "Tue, 14 Mar 2090 12:00:30 GMT",
    }
    assert parse_retry_after(headers, now=datetime(2089, 12, 31, tzinfo=UTC)) == 30.0


def test_with_neither_date_nor_now_the_time_of_day_counts() -> None:
    then = datetime.now(UTC) + timedelta(hours=1)
    found = parse_retry_after({"Retry-After": format_datetime(then, usegmt=True)})
    assert found == pytest.approx(3600, abs=30)


@pytest.mark.parametrize("value", ["5", "0.5"])
def test_seconds_do_not_depend_on_any_clock(value: str) -> None:
    headers = {"Retry-After": value, "Date": "Fri, 31 Dec 1999 23:59:59 GMT"}
    assert parse_retry_after(headers, now=NOW) == float(value)


# --- which header ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["retry-after-ms", "x-ms-retry-after-ms", "Retry-After-Ms"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1500", 1.5),
        ("0", 0.0),
        ("1", 0.001),
        row("12.5", 0.0125, id="a fraction of a millisecond"),
        ("60000", 60.0),
        row("9" * 5000, BOUND, id="bounded"),
        ("2147483648000", BOUND),
        ("2147483647000", 2147483647.0),
        row("100, 300", 0.3, id="merged"),
        (" 250 ", 0.25),
        ("-1", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("²", None),
        row("Sat, 14 Mar 2026 12:00:30 GMT", None, id="no date in milliseconds"),
    ],
)
def test_milliseconds(name: str, value: str, seconds: float | None) -> None:
    assert parse_retry_after({name: value, "Date": SENT}) == seconds


RESETS = [ResetHeader("X-RateLimit-Reset", "seconds"), ResetHeader("X-Reset-At", "timestamp")]
EVERYTHING = {
    "retry-after-ms": "1000",
    "x-ms-retry-after-ms": "2000",
    "Retry-After": "3",
    "X-RateLimit-Reset": "4",
    "X-Reset-At": str(int(NOW.timestamp()) + 5),
    "RateLimit": '"default";r=0;t=6',
}


@pytest.mark.parametrize("dropped", range(len(EVERYTHING) + 1))
@pytest.mark.parametrize("spoilt", [None, "", "soon", "-1"])
def test_the_order_and_that_an_invalid_one_falls_through(dropped: int, spoilt: str | None) -> None:
    headers = {}
    for place, (name, value) in enumerate(EVERYTHING.items()):
        if place >= dropped:
            headers[name] = value
        elif spoilt is not None:
            headers[name] = spoilt
    expected = None if dropped == len(EVERYTHING) else float(dropped + 1)
    assert parse_retry_after(headers, now=NOW, reset_headers=RESETS) == expected
    # The order of the headers in the response has no say.
    backwards = dict(reversed(headers.items()))
    assert parse_retry_after(backwards, now=NOW, reset_headers=RESETS) == expected


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        row([("Retry-After", "5"), ("Retry-After", "7")], 7.0, id="the largest"),
        row([("Retry-After", "7"), ("Retry-After", "5")], 7.0, id="in whatever order"),
        row([("Retry-After", "5"), ("RETRY-AFTER", "7")], 7.0, id="in whatever case"),
        row([("Retry-After", "5"), ("Retry-After", "soon")], 5.0, id="the valid one"),
        row([("Retry-After", "-9"), ("Retry-After", "5")], 5.0, id="the valid one, last"),
        row([("Retry-After", "9"), ("Retry-After", "10")], 10.0, id="as numbers, not as text"),
        row([("Retry-After", "5, 6"), ("Retry-After", "4")], 6.0, id="merged and repeated"),
        row(
            [("Retry-After", "5"), ("Retry-After", "Sat, 14 Mar 2026 12:00:30 GMT")],
            30.0,
            id="a date that is further off than the seconds",
        ),
        row(
            [("Retry-After", "50"), ("Retry-After", "Sat, 14 Mar 2026 12:00:30 GMT")],
            50.0,
            id="seconds that are further off than the date",
        ),
        row(
            [
                ("Retry-After", "Sat, 14 Mar 2026 12:00:10 GMT"),
                ("Retry-After", "Sat, 14 Mar 2026 12:00:30 GMT"),
                ("Retry-After", "Sat, 14 Mar 2026 12:00:20 GMT"),
            ],
            30.0,
            id="the latest of three dates",
        ),
        row([("retry-after-ms", "20"), ("retry-after-ms", "500")], 0.5, id="milliseconds"),
        row(
            [("retry-after-ms", "20"), ("Retry-After", "9")],
            0.02,
            id="the largest of one name only: the finer one goes before",
        ),
        row([("Retry-After", ""), ("Retry-After", "")], None, id="nothing, twice"),
    ],
)
def test_repeated_fields_never_undercut(
    fields: list[tuple[str, str]], seconds: float | None
) -> None:
    headers = CIMultiDict([("Date", SENT), *fields])
    assert parse_retry_after(headers) == seconds
    assert parse_retry_after(CIMultiDictProxy(headers)) == seconds


# --- RateLimit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        row('"default";r=50;t=30', None, id="draft 4: something remains"),
        row('"default";r=999;pk=:dHJpYWwxMjEzMjM=:', None, id="draft 4.2, no window"),
        row('"default";r=300000000;t=60;pk=:QXBwLTk5OQ==:', None, id="draft 4.2, partition key"),
        row('"problemPolicy";r=0;t=10', 10.0, id="draft 6"),
        row('"default";r=1;t=7', None, id="draft 7: one remains"),
        row('"daily";r=1;t=86400', None, id="draft 8.5"),
        row('"somepolicy";r=10000;t=10', None, id="draft 8.5, unconsumed"),
        row('"default";r=0;t=50', 50.0, id="draft B.1.1"),
        row('"default";r=0;t=48', 48.0, id="draft B.1.1, second"),
        row('"dayLimit";r=100;t=36000', None, id="draft B.1.2"),
        row('"basic";r=60;t=58', None, id="draft B.1.3"),
        row('"basic";r=20;t=56', None, id="draft B.1.3, second"),
        row('"default";r=0;t=5', 5.0, id="draft B.1.4"),
        row('"fixedwindow";r=99;t=50', None, id="draft B.2.1"),
        row('"dynamic";r=9;t=50', None, id="draft B.2.2"),
        row('"dynamic";r=0;t=20', 20.0, id="draft B.2.3"),
        row('"sliding";q=12;r=6;t=1', None, id="draft FAQ"),
        ('"policy";r=0;t=8', 8.0),
        ('"policy";r=0;t=0', 0.0),
        row('"policy";t=8;r=0', 8.0, id="parameters in any order"),
        row('"policy"; r=0; t=8', 8.0, id="with spaces"),
        row('"policy";r=0;t=8;pk=:QXBwLTk5OQ==:;acme-burst=3', 8.0, id="others are comments"),
        row('"a";r=0;t=8, "b";r=0;t=20', 20.0, id="the largest of those used up"),
        row('"a";r=0;t=20, "b";r=0;t=8', 20.0, id="in whatever order"),
        row('"a";r=5;t=90, "b";r=0;t=8', 8.0, id="only those used up count"),
        row('"burst";r=0;t=2,"daily";r=900;t=80000', 2.0, id="a used-up burst"),
        row('"a";r=0, "b";r=0;t=8', 8.0, id="a window that is not known does not count"),
        row('"p";r=1;t=5;r=0', 5.0, id="of a parameter given twice the last counts (RFC 9651)"),
        row("policy;r=0;t=8", 8.0, id="a token for a name"),
        row('"p";r=0;t=999999999999999', BOUND, id="the largest Integer there is, bounded"),
        row('"p";r=0;t=9999999999999999', None, id="larger than an Integer may be"),
        row('"p";r=0;t=' + "9" * 5000, None, id="5,000 digits are no Integer"),
        row('"p";r=0', None, id="no window"),
        row('"p";t=8', None, id="nothing on what remains"),
        row('"p"', None, id="nothing at all"),
        row('"p";r=0;t=-8', None, id="negative"),
        row('"p";r=-1;t=8', None, id="less than nothing remains"),
        row('"p";r=0;t=8.0', None, id="a Decimal is no Integer"),
        row('"p";r=0.0;t=8', None, id="nor here"),
        row('"p";r=?0;t=8', None, id="false is not 0, though Python says so"),
        row('"p";r=0;t=?1', None, id="true is not 1"),
        row('"p";r=0;t', None, id="a bare parameter is true"),
        row('"p";r="0";t="8"', None, id="Strings"),
        row('"p";r=0;t=@8', None, id="a Date of RFC 9651"),
        row("limit=100, remaining=0, reset=50", None, id="the draft's own form before its 08"),
        row('"p";r=0;t=8,', None, id="trailing comma"),
        row('"p";r=0;t=8;', None, id="trailing semicolon"),
        row('"p;r=0;t=8', None, id="an open string"),
        row('"p";R=0;T=8', None, id="keys are in lower case"),
        row("'p';r=0;t=8", None, id="single quotes"),
        row('"\u00fc";r=0;t=8', None, id="beyond ASCII"),
        row('"\ud800";r=0;t=8', None, id="a lone surrogate"),
        row('"p";r=0;t=8\0', None, id="NUL"),
        row('%"%ff";r=0;t=8', None, id="a Display String that is not UTF-8"),
        row("@99999999999999999;r=0;t=8", None, id="a Date past all calendars"),
        row(":not base64:;r=0;t=8", None, id="a broken Byte Sequence"),
        row("(" * 5000, None, id="5,000 brackets"),
        ("", None),
        ("8", None),
    ],
)
def test_rate_limit(value: str, seconds: float | None) -> None:
    assert parse_retry_after({"RateLimit": value}) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        row(['"a";r=0;t=8', '"b";r=0;t=20'], 20.0, id="a list in two fields (RFC 9651 3.1)"),
        row(['"b";r=0;t=20', '"a";r=0;t=8'], 20.0, id="in whatever order"),
        row(["malformed;;", '"b";r=0;t=20'], 20.0, id="a malformed field leaves the others be"),
        row(['"a";r=3;t=80', '"b";r=0;t=20'], 20.0, id="only the one used up"),
    ],
)
def test_rate_limit_in_several_fields(fields: list[str], seconds: float) -> None:
    headers = CIMultiDict([("RateLimit", value) for value in fields])
    assert parse_retry_after(headers) == seconds


def test_retry_after_goes_before_rate_limit() -> None:
    # The draft, section 7 and B.3: "the Retry-After field MUST take precedence".
    headers = {
        "Retry-After": "20",
        "RateLimit-Policy": '"dynamic";q=100;w=60',
        "RateLimit": '"dynamic";r=0;t=40',
    }
    assert parse_retry_after(headers) == 20.0


def test_rate_limit_policy_is_no_wait() -> None:
    assert parse_retry_after({"RateLimit-Policy": '"p";r=0;t=8'}) is None


def test_a_parser_of_structured_fields_that_breaks_is_nobodys_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of its own")

    monkeypatch.setattr(http_sf, "parse", broken)
    assert parse_retry_after({"RateLimit": '"p";r=0;t=8'}) is None


class NoMoreFiles:
    """An importer in a process that is out of file descriptors."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.asked.append(name)
        raise self.error


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "Too many open files"), ImportError("no such module"), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_be_imported_is_absent(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer = NoMoreFiles(error)
    for name in [each for each in sys.modules if each.split(".")[0] in ("http_sf", "_strptime")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [importer])
    assert parse_retry_after({"RateLimit": '"p";r=0;t=8'}) is None
    assert importer.asked == ["http_sf"]
    assert wait("Sat, 14 Mar 2026 14:00:30 +0200") == 30.0
    assert wait("5", RateLimit='"p";r=0;t=8') == 5.0
    assert importer.asked == ["http_sf"]


# --- reset headers -----------------------------------------------------------------------

ENVOY_NOW = datetime.fromtimestamp(1_000_000_000, UTC)


@pytest.mark.parametrize(
    ("form", "value", "seconds"),
    [
        # test/common/router/reset_header_parser_test.cc
        row("seconds", "5", 5.0, id="Envoy: seconds"),
        row("seconds", "Fri, 17 Jul 2020 11:59:51 GMT", None, id="Envoy: a date is not seconds"),
        row("seconds", "2.5", 2.5, id="Envoy passes over a fraction; here it counts"),
        row("timestamp", "1000000007", 7.0, id="Envoy: timestamp"),
        row("timestamp", "1000000000", 0.0, id="Envoy: timestamp, an empty interval"),
        row("timestamp", "999999999", 0.0, id="Envoy passes over the past; here it means at once"),
        row("timestamp", "1595320702.1234", None, id="Envoy: a fraction; here too far off"),
        row("timestamp", "1000000007.25", 7.25, id="a fraction of a timestamp"),
        row("seconds", "300", 300.0, id="Envoy's max_interval, just within"),
        row("seconds", "301", None, id="and just beyond"),
        row("timestamp", "1000000300", 300.0, id="the same for a timestamp"),
        ("timestamp", "1000000301", None),
        row("timestamp", "999999700", 0.0, id="and into the past"),
        ("timestamp", "999999699", None),
        row("timestamp", "30", None, id="seconds in a field configured as a timestamp"),
        row("timestamp", "1000000030000", None, id="milliseconds in such a field"),
        row("seconds", "1000000030", None, id="a timestamp in a field configured as seconds"),
        ("seconds", "0", 0.0),
        ("seconds", "", None),
        ("seconds", "-5", None),
        ("seconds", "nan", None),
        ("seconds", "1e2", None),
        ("seconds", "²", None),
        row("seconds", "6m0s", None, id="OpenAI's x-ratelimit-reset-tokens"),
        ("seconds", "9" * 5000, None),
        ("timestamp", "", None),
        ("timestamp", "-5", None),
        ("timestamp", "inf", None),
        ("timestamp", "9" * 5000, None),
        row("seconds", "5, 7", 7.0, id="merged"),
        row("seconds", "5, 700", 5.0, id="merged, one too far off"),
        row("timestamp", "1000000005, 1000000007", 7.0, id="merged timestamps"),
    ],
)
def test_reset_headers(form: Any, value: str, seconds: float | None) -> None:
    reset = ResetHeader("X-RateLimit-Reset", form)
    found = parse_retry_after({"x-ratelimit-reset": value}, now=ENVOY_NOW, reset_headers=[reset])
    assert found == seconds


@pytest.mark.parametrize(
    ("remaining", "seconds"),
    [
        row(["42"], None, id="something remains: there is nothing to wait for"),
        row(["1"], None, id="if only one"),
        row(["0.5"], None, id="or a part of one"),
        row(["42, 7"], None, id="merged"),
        row(["42", "7"], None, id="repeated"),
        row(["0"], 5.0, id="nothing remains"),
        row(["0.0"], 5.0, id="nothing remains, as a fraction"),
        row(["000"], 5.0, id="nothing remains, in three digits"),
        row(["42, 0"], 5.0, id="of one of two nothing remains"),
        row(["42", "0"], 5.0, id="of one of two, repeated"),
        row(["42", "many"], 5.0, id="of one of two nobody knows"),
        row([], 5.0, id="nobody knows"),
        row([""], 5.0, id="an empty one says nothing"),
        row(["many"], 5.0, id="no number says nothing"),
        row(["-1"], 5.0, id="nor does less than nothing"),
        row(["1,000"], 5.0, id="nor does a separator of thousands"),
        row(["42;w=60"], 5.0, id="nor does another syntax"),
    ],
)
@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("X-RateLimit-Reset", "seconds"), "X-RateLimit-Remaining"),
        (("x-ratelimit-reset-requests", "seconds"), "x-ratelimit-remaining-requests"),
        (("anthropic-ratelimit-tokens-RESET", "seconds"), "Anthropic-RateLimit-Tokens-Remaining"),
        (("X-RateLimit-Reset-After", "seconds", 300, "X-RateLimit-Remaining"), None),
        (("Quota-Over", "seconds", 300, "Quota-Left"), None),
    ],
)
def test_a_reset_is_heeded_only_if_nothing_remains(
    remaining: list[str], seconds: float | None, given: Any, name: str | None
) -> None:
    reset = ResetHeader(*given)
    headers = CIMultiDict([(given[0], "5")])
    headers.extend([(name or given[3], value) for value in remaining])
    assert parse_retry_after(headers, reset_headers=[reset]) == seconds
    # Another one that is used up counts, and so does what asks for a wait in plain words.
    other = ResetHeader("X-Other-Reset", "seconds")
    headers["X-Other-Reset"] = "4"
    assert parse_retry_after(headers, reset_headers=[reset, other]) == (seconds or 4.0)
    headers["RateLimit"] = '"p";r=0;t=3'
    assert parse_retry_after(headers, reset_headers=[reset]) == (seconds or 3.0)
    headers["Retry-After"] = "2"
    assert parse_retry_after(headers, reset_headers=[reset]) == 2.0


@pytest.mark.parametrize(
    ("reset", "name"),
    [
        (ResetHeader("X-RateLimit-Reset", "seconds"), "X-RateLimit-Remaining"),
        (ResetHeader("Reset", "seconds"), "Remaining"),
        (ResetHeader("X-Retry-In", "seconds"), None),
        (ResetHeader("X-Reset", "seconds", remaining="X-Left"), "X-Left"),
        (ResetHeader("X-Reset", "seconds", remaining=None), None),
    ],
)
def test_which_header_says_what_remains(reset: ResetHeader, name: str | None) -> None:
    assert reset.remaining == name


def test_with_no_header_for_what_remains_a_reset_is_always_heeded() -> None:
    headers = {"X-RateLimit-Reset": "5", "X-RateLimit-Remaining": "42"}
    resets = [ResetHeader("X-RateLimit-Reset", "seconds", remaining=None)]
    assert parse_retry_after(headers, reset_headers=resets) == 5.0


def test_reset_headers_count_only_where_they_are_configured() -> None:
    assert parse_retry_after({"X-RateLimit-Reset": "5", "RateLimit-Reset": "5"}) is None


def test_a_reset_timestamp_is_read_against_the_date_of_the_response() -> None:
    headers = {"Date": SENT, "X-Reset": str(int(NOW.timestamp()) + 40)}
    resets = [ResetHeader("X-Reset", "timestamp")]
    for now in (None, NOW + timedelta(hours=5), NOW - timedelta(hours=5)):
        assert parse_retry_after(headers, now=now, reset_headers=resets) == 40.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        row({"X-A": "10", "X-B": "20"}, 10.0, id="the first configured, not the largest"),
        row({"X-B": "20"}, 20.0, id="the second, where the first is absent"),
        row({"X-A": "soon", "X-B": "20"}, 20.0, id="or invalid"),
        row({"X-A": "100", "X-B": "20"}, 20.0, id="or too far off"),
        row({"X-A": "100", "X-B": "1000"}, None, id="none is near enough"),
        row({"X-A": "100", "RateLimit": '"p";r=0;t=8'}, 8.0, id="then RateLimit"),
        row({"X-A": "10", "RateLimit": '"p";r=0;t=8'}, 10.0, id="before RateLimit"),
        row({"X-A": "10", "Retry-After": "3"}, 3.0, id="after Retry-After"),
        row({"X-A": "10", "Retry-After": "soon"}, 10.0, id="unless that is invalid"),
    ],
)
def test_reset_headers_are_asked_in_order(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    resets = (ResetHeader("X-A", "seconds", limit=60), ResetHeader("X-B", "seconds"))
    assert parse_retry_after(headers, now=NOW, reset_headers=resets) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        row(["5", "7"], 7.0, id="the largest"),
        row(["700", "7"], 7.0, id="of those near enough"),
        row(["soon", "7"], 7.0, id="of those valid"),
    ],
)
def test_repeated_reset_headers(fields: list[str], seconds: float) -> None:
    headers = CIMultiDict([("X-A", value) for value in fields])
    assert parse_retry_after(headers, reset_headers=[ResetHeader("x-a", "seconds")]) == seconds


def test_a_limit_can_be_lifted_and_the_bound_remains() -> None:
    resets = [ResetHeader("X-A", "seconds", limit=math.inf)]
    assert parse_retry_after({"X-A": "86400"}, reset_headers=resets) == 86400.0
    assert parse_retry_after({"X-A": "9" * 5000}, reset_headers=resets) == BOUND


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("", "seconds"), r"ResetHeader\.name must be the name of a header, not ''"),
        (("X Reset", "seconds"), r"ResetHeader\.name .* not 'X Reset'"),
        (("X-Reset:", "seconds"), r"ResetHeader\.name"),
        (("X-Reset\n", "seconds"), r"ResetHeader\.name"),
        (("X-Räset", "seconds"), r"ResetHeader\.name"),
        ((b"X-Reset", "seconds"), r"ResetHeader\.name .* not b'X-Reset'"),
        ((None, "seconds"), r"ResetHeader\.name"),
        ((5, "seconds"), r"ResetHeader\.name"),
        (("X", "minutes"), r"ResetHeader\.form must be 'seconds' or 'timestamp', not 'minutes'"),
        (("X", "Seconds"), r"ResetHeader\.form"),
        (("X", "UNIX_TIMESTAMP"), r"ResetHeader\.form"),
        (("X", None), r"ResetHeader\.form"),
        (("X", []), r"ResetHeader\.form"),
        (("X", "seconds", 0), r"ResetHeader\.limit must be a positive number of seconds, not 0"),
        (("X", "seconds", -1.0), r"ResetHeader\.limit"),
        (("X", "seconds", math.nan), r"ResetHeader\.limit"),
        (("X", "seconds", "300"), r"ResetHeader\.limit .* not '300'"),
        (("X", "seconds", None), r"ResetHeader\.limit"),
        (("X", "seconds", True), r"ResetHeader\.limit"),
        (("X", "seconds", 5, "X Left"), r"ResetHeader\.remaining must be None or the name of a"),
        (("X", "seconds", 5, ""), r"ResetHeader\.remaining"),
        (("X", "seconds", 5, False), r"ResetHeader\.remaining"),
    ],
)
def test_a_reset_header_that_makes_no_sense_says_which_field(
    given: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ResetHeader(*given)


def test_a_reset_header_is_a_value() -> None:
    assert ResetHeader("X-Reset", "seconds") == ResetHeader("X-Reset", "seconds", 300.0)
    assert len({ResetHeader("X-Reset", "seconds"), ResetHeader("X-Reset", "seconds")}) == 1
    with pytest.raises(AttributeError):
        ResetHeader("X-Reset", "seconds").limit = 5  # type: ignore[misc]  # on purpose


# --- kinds of headers ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER", "rEtRy-aFtEr"])
@pytest.mark.parametrize("kind", [dict, MultiDict, CIMultiDict])
def test_names_in_any_case(name: str, kind: Any) -> None:
    assert parse_retry_after(kind({name: "5"})) == 5.0


def test_the_date_in_any_case() -> None:
    headers = {"DATE": SENT, "retry-AFTER": "Sat, 14 Mar 2026 12:00:30 GMT"}
    assert parse_retry_after(headers) == 30.0


def test_a_plain_dict_with_two_spellings_has_a_repeated_field() -> None:
    assert parse_retry_after({"Retry-After": "5", "retry-after": "7"}) == 7.0


def test_headers_of_aiohttp_are_not_copied() -> None:
    class Watched(CIMultiDict[str]):
        def items(self) -> Any:
            raise AssertionError("copied")

        __iter__ = keys = values = items

    headers = Watched({"Date": SENT, "Retry-After": "Sat, 14 Mar 2026 12:00:30 GMT"})
    assert parse_retry_after(headers) == 30.0
    assert parse_retry_after(CIMultiDictProxy(headers)) == 30.0


def test_headers_are_left_as_they_were() -> None:
    headers = {"Retry-After": " 5 ", "X-Other": "x"}
    parse_retry_after(headers)
    assert headers == {"Retry-After": " 5 ", "X-Other": "x"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 5.0),
        (0, 0.0),
        (2.5, 2.5),
        (-1, None),
        (-0.5, None),
        row(10**5000, BOUND, id="str() refuses it"),
        row(-(10**5000), None, id="and its negative"),
        row(1e300, BOUND, id="str() gives 1e+300"),
        row(1e16, BOUND, id="str() gives 1e+16"),
        row(math.nan, None, id="nan"),
        (None, None),
        (b"5", 5.0),
        (b"Sat, 14 Mar 2026 12:00:30 GMT", 30.0),
        (b"\xb2", None),
        (b"\xff\xfe", None),
        (b"", None),
        ([], None),
        (["5"], None),
        ({}, None),
        (object(), None),
        (NOW, None),
    ],
)
def test_values_that_are_no_text(value: object, seconds: float | None) -> None:
    assert wait(value) == seconds
    headers: Any = CIMultiDict([("Date", SENT), ("Retry-After", value)])
    assert parse_retry_after(headers) == seconds


@pytest.mark.parametrize("date", [None, 5, 2.5, b"x", [], object()])
def test_a_date_that_is_no_text_is_none(date: object) -> None:
    headers: Any = {"Date": date, "Retry-After": "Sat, 14 Mar 2026 12:00:30 GMT"}
    assert parse_retry_after(headers, now=NOW) == 30.0


@pytest.mark.parametrize("name", [b"Retry-After", b"retry-after"])
def test_names_that_are_bytes(name: bytes) -> None:
    headers: Any = {name: b"5", None: "x", 7: "y", b"\xff": "z", (): ""}
    assert parse_retry_after(headers) == 5.0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        CIMultiDict(),
        {"Date": SENT},
        {"Content-Type": "text/html", "Content-Length": "120"},
        {"X-Retry-After": "5"},
        {"Retry-After ": "5"},
        {"Retry_After": "5"},
    ],
)
def test_no_header_no_wait(headers: Mapping[str, str]) -> None:
    assert parse_retry_after(headers, now=NOW, reset_headers=RESETS) is None


# --- what others document ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # urllib3 test_respect_retry_after_header_sleep, at 2019-06-03 11:00:00 UTC
        ("3600", 3600.0),
        ("Mon, 3 Jun 2019 12:00:00 UTC", 3600.0),
        ("Mon, 3 Jun 2019 11:00:00 UTC", 0.0),
        ("Mon, 03 Jun 2019 11:30:12 GMT", 1812.0),
        ("Monday, 03-Jun-19 11:30:12 GMT", 1812.0),
        ("Mon Jun  3 11:30:12 2019", 1812.0),
        # urllib3 test_parse_retry_after and its invalid twin
        ("0", 0.0),
        ("1000", 1000.0),
        ("\t42 ", 42.0),
        ("-1", None),
        ("+1", None),
        row("1.0", 1.0, id="invalid to urllib3; read here, as openai does"),
        ("\xb2", None),
    ],
)
def test_urllib3(value: str, seconds: float | None) -> None:
    now = datetime(2019, 6, 3, 11, 0, 0, tzinfo=UTC)
    assert parse_retry_after({"Retry-After": value}, now=now) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # openai test_parse_retry_after_header, at 1696004797; it caps where this only reads.
        ("20", 20.0),
        ("0", 0.0),
        ("-10", None),
        ("60", 60.0),
        ("61", 61.0),
        ("Fri, 29 Sep 2023 16:26:57 GMT", 20.0),
        ("Fri, 29 Sep 2023 16:26:37 GMT", 0.0),
        ("Fri, 29 Sep 2023 16:26:27 GMT", 0.0),
        ("Fri, 29 Sep 2023 16:27:37 GMT", 60.0),
        ("Fri, 29 Sep 2023 16:27:38 GMT", 61.0),
        ("99999999999999999999999999999999999", BOUND),
        ("Zun, 29 Sep 2023 16:26:27 GMT", 0.0),
        ("", None),
    ],
)
def test_openai(value: str, seconds: float | None) -> None:
    now = datetime.fromtimestamp(1696004797, UTC)
    assert parse_retry_after({"Retry-After": value}, now=now) == seconds


def test_openai_prefers_milliseconds() -> None:
    assert parse_retry_after({"retry-after": "2", "retry-after-ms": "1500"}) == 1.5
    assert parse_retry_after({"retry-after": "2", "retry-after-ms": "soon"}) == 2.0


def test_botocores_header_is_in_milliseconds_and_is_not_taken_for_seconds() -> None:
    headers = {"x-amz-retry-after": "1500"}
    assert parse_retry_after(headers) is None
    resets = [ResetHeader("x-amz-retry-after", "seconds")]
    assert parse_retry_after(headers, reset_headers=resets) is None


def test_github_resets_at_a_timestamp() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1372700873"}
    resets = [ResetHeader("X-RateLimit-Reset", "timestamp", limit=3600)]
    now = datetime.fromtimestamp(1372700873 - 1800, UTC)
    assert parse_retry_after(headers, now=now, reset_headers=resets) == 1800.0
