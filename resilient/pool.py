"""What the connection pool can tell about the attempt that is about to start.

Two failures say nothing of a server: a pooled connection that it had closed while idle
(the keep-alive race of RFC 9112 9.3.1), and waiting for a free place in our own pool.
Neither shows in the exception; what the pool looked like before the attempt does.
"""

from __future__ import annotations

from enum import Enum

from aiohttp import ClientRequest

__all__ = ["Prospect", "prospect"]


class Prospect(Enum):
    """Where the connection of the next attempt will come from."""

    FRESH = "fresh"
    POOLED = "pooled"
    QUEUED = "queued"


def prospect(request: ClientRequest) -> Prospect:
    """Look at the pool of the request's session.

    aiohttp publishes the limits of a connector, but not how much of them is in use. A
    connector that keeps its books otherwise is taken to open a fresh connection each time.
    """
    connector = request.session.connector
    try:
        idle = connector._conns  # type: ignore[union-attr]  # read-only, see above
        if idle and idle.get(request.connection_key):
            return Prospect.POOLED
        limit = connector.limit  # type: ignore[union-attr]  # None has no attribute, see below
        if limit and len(connector._acquired) >= limit:  # type: ignore[union-attr]  # the same
            return Prospect.QUEUED
        if connector.limit_per_host:  # type: ignore[union-attr]  # the same
            key = request.connection_key
            if connector._available_connections(key) <= 0:  # type: ignore[union-attr]  # the same
                return Prospect.QUEUED
    except AttributeError:
        pass
    return Prospect.FRESH
