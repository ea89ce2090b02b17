"""An adaptive limit, written down as a script."""

from __future__ import annotations

import random
from typing import Any

import pytest

from resilient import Aimd
from resilient.bulkhead.destination import Destination
from resilient.core.outcome import Verdict
from resilient.core.queues import Room

VERDICTS = {".": Verdict.SUCCESS, "x": Verdict.TRANSIENT, "-": Verdict.NEUTRAL}


def made(limit: int = 20, **settings: Any) -> Destination:
    return Destination("a", limit, Aimd(initial=limit, **settings), Room())


def play(found: Destination, script: str) -> list[int]:
    """Run a script of ends; ">3" lets three attempts in first. Those that came first end first.

    Returns:
        The limit after each end.
    """
    inside: list[int] = []
    limits = []
    steps = iter(script.split())
    for step in steps:
        if step.startswith(">"):
            inside += [found.take() for _ in range(int(step[1:]))]
            continue
        for end in step:
            found.learn(inside.pop(0), VERDICTS[end])
            found.give_back()
            limits.append(found.limit)
    return limits


@pytest.mark.parametrize(
    ("limit", "script", "limits"),
    [
        # It rises by one for a success while at least half of it is taken.
        (4, ">4 ....", [5, 6, 6, 6]),
        (4, ">2 ..", [5, 5]),
        (4, ">1 .", [4]),
        (20, ">9 .", [20]),
        (20, ">10 .", [21]),
        # It falls to nine tenths, once for all that had begun, neither way.
        (20, ">20 xxx", [18, 18, 18]),
        (20, ">20 x.....", [18] * 6),
        # Then those count that began since.
        (20, ">20 x >2 ................... x", [18] * 20 + [16]),
        (20, ">1 x >1 x >1 x", [18, 16, 14]),
        (20, ">2 x >12 ...", [18, 18, 19, 20]),
        # By one at least, and not below the minimum.
        (3, ">1 x >1 x >1 x >1 x", [2, 1, 1, 1]),
        # From one it comes back.
        (1, ">1 . >1 . >2 .", [2, 3, 4]),
        # What says nothing changes nothing.
        (20, ">20 -----", [20] * 5),
        (20, ">20 x >1 -", [18, 18]),
    ],
)
def test_an_adaptive_limit(limit: int, script: str, limits: list[int]) -> None:
    assert play(made(limit), script)[: len(limits)] == limits


@pytest.mark.parametrize(
    ("settings", "script", "limit"),
    [
        ({"minimum": 8, "decrease": 0.5, "limit": 10}, ">1 x >1 x", 8),
        ({"maximum": 12, "limit": 10}, ">10 .....", 12),
        ({"increase": 5, "limit": 10}, ">10 ..", 20),
        ({"decrease": 0.5, "limit": 10}, ">1 x", 5),
    ],
)
def test_its_settings(settings: dict[str, Any], script: str, limit: int) -> None:
    assert play(made(**settings), script)[-1] == limit


def test_a_fixed_limit_learns_nothing() -> None:
    found = Destination("a", 4, None, Room())
    assert play(found, ">4 .x-.") == [4] * 4


@pytest.mark.parametrize(("share", "limit"), [(0.5, 10), (0.1, 90), (0.02, 200)])
def test_it_settles_where_the_share_of_failures_has_it(share: float, limit: int) -> None:
    found, draw = made(), random.Random(1)
    inside: list[int] = []
    seen = []
    for step in range(60_000):
        while found.taken < found.limit:
            inside.append(found.take())
        number = inside.pop(0)
        found.learn(number, Verdict.TRANSIENT if draw.random() < share else Verdict.SUCCESS)
        found.give_back()
        if step > 10_000:
            seen.append(found.limit)
    # It falls by one at least, so that a low limit stands a little lower than by the formula.
    assert limit * 0.65 <= sum(seen) / len(seen) <= limit * 1.2
