"""Numbers in words."""

import pytest

from resilient.support.words import brief


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (0.0123456, "0.0123"),
        (12.345, "12.3"),
        (999.4, "999"),
        (999.96, "1000"),
        (3600, "3600"),
        (86399.7, "86400"),
        (-3600, "-3600"),
    ],
)
def test_a_number_has_three_digits_and_no_exponent(number: float, words: str) -> None:
    assert brief(number) == words
