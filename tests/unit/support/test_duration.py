"""Durations as servers write them."""

import pytest

from resilient.headers.retry_after import ResetHeader, parse_retry_after
from resilient.support.duration import LONGEST, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("1s", 1.0),
        ("3.5s", 3.5),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("250ms", 0.25),
        ("1d", 86_400.0),
        ("500us", 0.0005),
        ("500\u00b5s", 0.0005),
        ("20ns", 2e-8),
        (" 1s ", 1.0),
        ("9" * 30 + "h", LONGEST),
    ],
)
def test_what_is_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "-1s", "+1s", "1,000", "1s2m", "1 s", "1x", "1m2", "PT30S", "1e5s", "\u0661s",
     "nan", "9" * 1000],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("value", "seconds"), [("6m0s", None), ("4m0s", 240.0), ("1s", 1.0), ("12ms", 0.012)]
)
def test_a_reset_header_may_hold_one_within_its_limit(value: str, seconds: float | None) -> None:
    header = ResetHeader("x-ratelimit-reset-tokens", "seconds")
    found = parse_retry_after({"x-ratelimit-reset-tokens": value}, reset_headers=[header])
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_timestamp_is_no_duration() -> None:
    header = ResetHeader("x-reset", "timestamp")
    assert parse_retry_after({"x-reset": "1s"}, reset_headers=[header]) is None
