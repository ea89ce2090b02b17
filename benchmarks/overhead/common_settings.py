"""The settings at which everything is measured: those of the standard pipeline.

Who cannot express one of them has the nearest that there is, and says so.
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientConnectionError
from attrs import evolve, frozen

__all__ = [
    "COMMON",
    "FAILURE_STATUSES",
    "IDEMPOTENT_METHODS",
    "RETRY_STATUSES",
    "TRANSPORT_ERRORS",
    "WITHOUT_WAITS",
    "CommonSettings",
]

RETRY_STATUSES: Final = frozenset({429, 500, 502, 503, 504})

# Those that say something of a server's health.
FAILURE_STATUSES: Final = frozenset({500, 502, 503, 504})

# RFC 9110 9.2.2.
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

TRANSPORT_ERRORS: Final = (ClientConnectionError, TimeoutError)


@frozen
class CommonSettings:
    """Settings that all have in common. Durations are seconds.

    Attributes:
        attempts: The first included.
        base: The longest first wait; the next is twice as long. Full jitter.
        cap: The longest wait.
        total: For a whole call.
        attempt: For an attempt.
        consecutive_failures: Failures after which a breaker opens that knows no rate: in an outage it
            opens with the same call as one that waits for a minimum of so many.
        open_for: How long it stays open.
        probes: How many calls show that the server is back.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 20.0
    total: float = 100.0
    attempt: float = 30.0
    consecutive_failures: int = 20
    open_for: float = 5.0
    probes: int = 3


COMMON: Final = CommonSettings()

# A breaker that is opened by failures, at once, and stays open while it is looked at.
WITHOUT_WAITS: Final = evolve(COMMON, base=1e-9, cap=1e-9, open_for=3600.0)
