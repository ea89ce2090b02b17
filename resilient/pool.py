"""What the connection pool can tell about the attempt that is about to start.

Two failures say nothing of a server: a pooled connection that it had closed while idle
(the keep-alive race of RFC 9112 9.3.1), and waiting for a free place in our own pool.
Neither shows in the exception; what the pool looked like before the attempt does.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from aiohttp import ClientRequest

__all__ = ["Prospect", "prospect"]


class Prospect(Enum):
    """Where the connection of the next attempt will come from."""

    FRESH = "fresh"
    POOLED = "pooled"
    QUEUED = "queued"


def prospect(request: ClientRequest) -> Prospect:
    """Look at the pool of the request's session.

    aiohttp does not publish how much of a pool is in use. A connector that keeps its books
    otherwise is taken to open a fresh connection each time.
    """
    connector: Any = request.session.connector
    try:
        idle = connector._conns
        if idle:
            for connection, _ in idle.get(request.connection_key, ()):
                if connection.is_connected():
                    return Prospect.POOLED
        limit = connector._limit
        if limit and len(connector._acquired) >= limit:
            return Prospect.QUEUED
        if (
            connector._limit_per_host
            and connector._available_connections(request.connection_key) <= 0
        ):
            return Prospect.QUEUED
    except AttributeError:
        pass
    return Prospect.FRESH
