"""What the tests of services and of their router share."""

from __future__ import annotations

from typing import Any

from yarl import URL

from resilient import BreakerPolicy, Policy, RetryPolicy, Service, Services
from resilient.services import Pattern
from resilient.services.router import Router

__all__ = ["FRAGILE", "MAVIO", "MEETERGO", "router_of", "taker", "two"]

MAVIO = "https://api.mavio.example"
MEETERGO = "https://api.meetergo.example"

# One attempt, and a breaker that one failure opens.
FRAGILE = Policy(
    retry=RetryPolicy(max_attempts=1),
    breaker=BreakerPolicy(consecutive_failures=1, open_for=60, max_open_for=60, patience=0),
)


def two(**settings: Any) -> Services:
    """Two services of that policy."""
    return Services(
        [Service("mavio", MAVIO, FRAGILE), Service("meetergo", MEETERGO, FRAGILE)], **settings
    )


def router_of(*patterns: str) -> Router[str]:
    """A router whose patterns lead to themselves."""
    made: Router[str] = Router()
    for text in patterns:
        assert made.add(Pattern.parse(text), text) is None
    return made


def taker(router: Router[str], url: str | URL) -> str | None:
    """The pattern that takes a URL."""
    route = router.find(URL(url))
    if route is None:
        return None
    assert route.pattern == Pattern.parse(route.target)
    return route.target
