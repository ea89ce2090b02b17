"""What a bounded registry forgets, and in which order."""

from __future__ import annotations

import pytest

from resilient.support.registry import IN_DOUBT, IN_USE, UNUSED, make_room

NAMES = {"-": UNUSED, "?": IN_DOUBT, "!": IN_USE}


@pytest.mark.parametrize(
    ("entries", "most", "left"),
    [
        # While there is room nothing goes.
        ("", 1, ""),
        ("a-", 2, "a-"),
        # The oldest goes, and no more than has to.
        ("a- b- c-", 3, "b- c-"),
        ("a- b- c-", 2, "c-"),
        # What is in use stays, and goes to the end.
        ("a! b- c-", 3, "c- a!"),
        ("a! b! c!", 3, "a! b! c!"),
        # What is in doubt goes after what is not used, and only if it has to.
        ("a? b- c!", 3, "c! a?"),
        ("a? b? c!", 3, "b? c!"),
        ("a? b- c!", 2, "c!"),
    ],
)
def test_what_is_forgotten(entries: str, most: int, left: str) -> None:
    kept = {each[0]: NAMES[each[1]] for each in entries.split()}
    make_room(kept, most, lambda use: use)
    assert kept == {each[0]: NAMES[each[1]] for each in left.split()}
    assert len(kept) < most or set(kept.values()) == {IN_USE}


def test_only_some_of_the_oldest_are_looked_at() -> None:
    kept = dict.fromkeys(range(1000), IN_USE)
    kept[64] = UNUSED
    looked_at = []

    def use(found: int) -> int:
        looked_at.append(found)
        return found

    make_room(kept, 1000, use)
    assert (len(looked_at), len(kept)) == (64, 1000)
    # The next search goes on behind them.
    make_room(kept, 1000, lambda use: use)
    assert 64 not in kept
