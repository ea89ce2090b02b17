"""Durations as text."""

import pytest

from resilient import ConfigError
from resilient.services.config.durations import ALLOWED, to_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("5min", 300),
        ("2h", 7200),
        ("0s", 0),
        ("007s", 7),
        ("1.5s", 1.5),
        ("0.5min", 30),
        ("0.25h", 900),
        ("30 s", 30),
        ("  30s\n", 30),
    ],
)
def test_the_forms(text: str, seconds: float) -> None:
    found = to_seconds(text)
    assert found == seconds
    assert type(found) is float


@pytest.mark.parametrize("milliseconds", [1, 3, 100, 300, 700, 1001, 86_399_999])
def test_milliseconds_are_exact_to_the_last_bit(milliseconds: int) -> None:
    # 300 * 0.001 is another number than 0.3.
    assert to_seconds(f"{milliseconds}ms") == milliseconds / 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "ms",
        "-5s",
        "+5s",
        "5S",
        "5 Min",
        "5d",
        "1h30min",
        "1h 30min",
        "5  s",
        "5\ts",
        "5,5s",
        ".5s",
        "5.s",
        "1e3s",
        "1_000s",
        "0x1s",
        "infs",
        "nan",
        "PT30S",
        "00:30",
        "٣s",  # Arabic-Indic three
        "５s",  # full width
        "5\u00a0s",
        "5s;",
        "5s 5s",
        "9" * 400 + "s",
        "9" * 100_000,
        " " * 100_000 + "x",
        "s" * 100_000,
        "\ud800",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        to_seconds(text)
    assert caught.value.allowed == ALLOWED
    assert caught.value.given is not None
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5m", '"5min"'),  # minutes to some, milliseconds to others
        ("5mins", '"5min"'),
        ("1 minute", '"1min"'),
        ("5minutes", '"5min"'),
        ("30sec", '"30s"'),
        ("30secs", '"30s"'),
        ("1second", '"1s"'),
        ("30 seconds", '"30s"'),
        ("250msec", '"250ms"'),
        ("250 milliseconds", '"250ms"'),
        ("2hr", '"2h"'),
        ("1hour", '"1h"'),
        ("2.5 hours", '"2.5h"'),
        ("30", "30, without quotes"),
        ("0.5 ", "0.5, without quotes"),
    ],
)
def test_what_was_meant_is_said(text: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        to_seconds(text)
    assert caught.value.allowed == f"{ALLOWED} (did you mean {meant}?)"
    assert caught.value.given == repr(text)


def test_what_is_meant_can_be_written() -> None:
    for text in ("5m", "30sec", "250msec", "2hr"):
        with pytest.raises(ConfigError) as caught:
            to_seconds(text)
        _, _, meant = str(caught.value.allowed).partition("did you mean ")
        if meant:
            assert to_seconds(meant.split('"')[1]) > 0


def test_no_number_of_digits_is_too_much_to_be_refused_or_read() -> None:
    assert to_seconds("9" * 20 + "h") == 3600 * float("9" * 20)
    assert to_seconds("0." + "0" * 19 + "1s") == 1e-20
    with pytest.raises(ConfigError):
        to_seconds("9" * 21 + "s")
