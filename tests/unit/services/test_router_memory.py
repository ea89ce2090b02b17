"""What a router keeps: patterns, and for a while the origins that were asked for."""

from __future__ import annotations

import pytest
from yarl import URL

from resilient.services import Pattern, router
from resilient.services.router import Router
from tests.unit.services.support import router_of, taker

ONE = "https://api.example"


def test_a_router_without_patterns_finds_nothing() -> None:
    assert router_of().find(URL("https://api.example")) is None


def test_adding_the_same_again_gives_back_what_was_there_and_leaves_it() -> None:
    found = router_of("https://api.example", "https://api.example/v4")
    for text in ("https://API.example:443/", "https://api.example/v4/"):
        pattern = Pattern.parse(text)
        assert found.add(pattern, "other") == str(pattern)
    assert taker(found, "https://api.example") == "https://api.example"
    assert taker(found, "wss://api.example/v4") == "https://api.example/v4"


def test_what_is_falsy_can_be_led_to() -> None:
    numbers: Router[int] = Router()
    pattern = Pattern.parse(ONE)
    assert numbers.add(pattern, 0) is None
    assert numbers.add(pattern, 1) == 0
    route = numbers.find(URL(ONE))
    assert route is not None
    assert route.target == 0


def test_routers_share_nothing() -> None:
    one, other = router_of(ONE), router_of()
    assert taker(one, ONE) == ONE
    assert taker(other, ONE) is None


LATER = [
    # (there before, asked for, added after it was asked for)
    ([], ONE, ONE),
    ([], ONE, "https://*.example"),
    (["https://*.example"], ONE, ONE),
    (["https://*.example"], "https://a.b.example", "https://*.b.example"),
    ([ONE], ONE + "/v4", ONE + "/v4"),
    ([ONE + "/v4"], ONE, ONE),
    ([ONE + "/v4"], ONE + "/v5/a", ONE + "/v5/a"),
    ([ONE], "ws://other.example", "http://*.example"),
]


@pytest.mark.parametrize(("before", "url", "added"), LATER)
def test_what_was_asked_for_is_not_remembered_beyond_the_next_addition(
    before: list[str], url: str, added: str
) -> None:
    found = router_of(*before)
    assert taker(found, url) != added
    found.add(Pattern.parse(added), added)
    assert taker(found, url) == added


def test_the_memory_of_origins_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "_MOST_ASKED", 5)
    found = router_of("https://*.example", "https://api.example/v4")
    largest = 0
    for number in range(40):
        assert taker(found, f"https://h{number}.example") == "https://*.example"
        assert taker(found, f"https://h{number}.elsewhere") is None
        assert taker(found, "https://api.example/v4/x") == "https://api.example/v4"
        largest = max(largest, len(found._asked))
    assert largest == 5


def test_thousands_of_origins_are_remembered() -> None:
    assert router._MOST_ASKED >= 1000


def test_an_origin_is_looked_up_once() -> None:
    found = router_of("https://*.example")
    assert taker(found, "https://a.b.example/x") == "https://*.example"
    # Whoever asks again does not go through the patterns again.
    found._origins.clear()
    assert taker(found, "https://a.b.example/y") == "https://*.example"
    assert taker(found, "https://c.example") is None
