"""The settings at which everything is measured: those of the standard pipeline.

A library that cannot express one of them gets the nearest setting that it has, and its `lacks`
names the difference.
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientConnectionError
from attrs import evolve, frozen

from resilient.core.statuses import RETRY_STATUSES, SERVER_TROUBLE

__all__ = [
    "COMMON",
    "FAILURE_STATUSES",
    "IDEMPOTENT_METHODS",
    "RETRY_STATUSES",
    "TRANSPORT_ERRORS",
    "WITHOUT_WAITS",
    "CommonSettings",
]

# The statuses that count as failures of the server.
FAILURE_STATUSES: Final = SERVER_TROUBLE

# RFC 9110 9.2.2.
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

TRANSPORT_ERRORS: Final = (ClientConnectionError, TimeoutError)


@frozen
class CommonSettings:
    """The settings that all wrappers share. Durations are seconds.

    Attributes:
        attempts: Attempts per call, the first included. Default 3.
        base: The longest first wait; each further one is twice as long. Full jitter. Default 0.5.
        cap: The longest wait. Default 20.
        total: The limit for a call. Default 100.
        attempt: The limit for an attempt. Default 30.
        consecutive_failures: Failures in a row that open a breaker without a failure rate.
            Default 20: in an outage it opens with the same call as one with a rate and this
            minimum of calls.
        open_for: Seconds that a breaker stays open. Default 5.
        probes: Successful probes that close a breaker. Default 3.
        budget: Keep the retry budget, which peers do not have. Default True.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 20.0
    total: float = 100.0
    attempt: float = 30.0
    consecutive_failures: int = 20
    open_for: float = 5.0
    probes: int = 3
    budget: bool = True


COMMON: Final = CommonSettings()

# No waits between attempts, and breakers that stay open while they are measured.
WITHOUT_WAITS: Final = evolve(COMMON, base=1e-9, cap=1e-9, open_for=3600.0)
