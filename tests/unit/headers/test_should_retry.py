"""x-should-retry: what it says, and when it says nothing."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from resilient.headers.should_retry import should_retry


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("false", False),
        (" True ", True),
        ("FALSE\t", False),
        ("", None),
        ("1", None),
        ("yes", None),
        ("true, false", None),
        ("truely", None),
    ],
)
def test_it_says_true_or_false_or_nothing(value: str, expected: bool | None) -> None:
    assert should_retry(CIMultiDict({"X-Should-Retry": value})) is expected
    assert should_retry(CIMultiDict({"Stripe-Should-Retry": value})) is expected


def test_where_it_is_absent_nothing_is_said() -> None:
    assert should_retry({}) is None
