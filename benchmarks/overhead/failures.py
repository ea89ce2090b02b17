"""Calls that fail in the ways that are most common, for what they cost beside their time."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from attrs import evolve
from yarl import URL

from benchmarks.overhead.common_settings import WITHOUT_WAITS, CommonSettings
from benchmarks.overhead.server import FAILING

__all__ = ["FAILURES", "NEVER_OPEN", "failing_urls"]

# Three attempts in each failed call, at once, and no breaker that opens.
NEVER_OPEN: CommonSettings = evolve(WITHOUT_WAITS, consecutive_failures=10**9)

# In the order of the columns.
FAILURES = ("503 with JSON", "connection refused")


def failing_urls(url: URL) -> Mapping[str, URL]:
    """Return for each kind of failure a URL whose requests fail so.

    Args:
        url: A URL of the server that is running.
    """
    answered, refused = FAILURES
    return {answered: url.with_path(FAILING), refused: _refused_url()}


def _refused_url() -> URL:
    """Return a URL on this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return URL.build(scheme="http", host="127.0.0.1", port=port, path="/")
