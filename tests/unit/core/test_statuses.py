"""The statuses of trouble, and statuses as text."""

from __future__ import annotations

import pytest

from resilient import BreakerPolicy, RetryPolicy
from resilient.core.statuses import RETRY_STATUSES, SERVER_TROUBLE, TO_STAY, in_words


def test_every_5xx_means_trouble_but_those_that_no_wait_mends() -> None:
    assert {501, 505, 506, 507, 508, 510, 511} == TO_STAY.keys()
    assert {500, 502, 503, 504, 509, *range(520, 531), 599} <= SERVER_TROUBLE
    assert {*range(500, 600)} == SERVER_TROUBLE | TO_STAY.keys()
    assert not SERVER_TROUBLE & TO_STAY.keys()
    assert all("RFC" in source for source in TO_STAY.values())


def test_retry_and_breaker_have_the_same_5xx() -> None:
    assert RetryPolicy().statuses == RETRY_STATUSES
    assert BreakerPolicy().statuses == SERVER_TROUBLE
    assert RetryPolicy().statuses - BreakerPolicy().statuses == {408, 425, 429}


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([], ""),
        ([503], "503"),
        ([504, 429, 503], "429, 503, 504"),
        ([429, 500, 502, 503, 504], "429, 500, 502 to 504"),
        (range(500, 600), "5xx"),
        (RETRY_STATUSES, "408, 425, 429, 5xx but 501, 505 to 508, 510, 511"),
        ({*range(400, 600)} - {404}, "4xx but 404, 5xx"),
    ],
)
def test_statuses_in_words(statuses: list[int], words: str) -> None:
    assert in_words(statuses) == words
