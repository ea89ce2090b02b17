"""What the tests of `Services` over real sockets share."""

from __future__ import annotations

from typing import Any

from yarl import URL

from resilient import Policy, Service, Services
from resilient.testing import FaultServer
from tests.integration.support import policy, retry_policy

__all__ = ["attempts", "localhost", "two"]


def attempts(most: int, **changes: Any) -> Policy:
    """The standard policy with so many attempts, milliseconds apart."""
    return policy(retry=retry_policy(max_attempts=most), **changes)


def localhost(server: FaultServer) -> URL:
    """The same server by another name, which is another origin."""
    return server.url.with_host("localhost")


def two(
    here: FaultServer,
    there: FaultServer,
    at_here: Policy | None = None,
    at_there: Policy | None = None,
    **settings: Any,
) -> Services:
    """Services at two servers: by default with two attempts at one and four at the other."""
    return Services(
        [
            Service("here", str(here.url), at_here or attempts(2)),
            Service("there", str(localhost(there)), at_there or attempts(4)),
        ],
        **settings,
    )
