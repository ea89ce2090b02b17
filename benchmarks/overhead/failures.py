"""Calls that fail in the ways that are most common, for what they cost beside their time."""

from __future__ import annotations

import socket
from typing import Final

from attrs import evolve
from yarl import URL

from benchmarks.overhead.common_settings import WITHOUT_WAITS
from benchmarks.overhead.server import FAILING, SILENT

__all__ = ["ANSWERED", "PERSISTENT", "READ_LIMIT", "REFUSED", "TIMED_OUT", "failing_url"]

# The kinds of failures, as columns name them.
ANSWERED: Final = "503 with JSON"
REFUSED: Final = "connection refused"
TIMED_OUT: Final = "time-out"

# Three attempts in each failed call, at once, and no breaker that opens. The limit to an attempt
# is shorter than that to reading, which those have that know none to an attempt.
PERSISTENT: Final = evolve(WITHOUT_WAITS, consecutive_failures=10**9, budget=False, attempt=0.01)
READ_LIMIT: Final = 0.03


def failing_url(kind: str, url: URL) -> URL:
    """Return a URL whose requests fail in a way.

    Args:
        kind: `ANSWERED`, `REFUSED` or `TIMED_OUT`.
        url: A URL of the server that is running.
    """
    if kind == REFUSED:
        with socket.socket() as free:  # where nobody listens
            free.bind(("127.0.0.1", 0))
            return url.with_port(free.getsockname()[1])
    return url.with_path(FAILING if kind == ANSWERED else SILENT)
