"""backoff: its decorator, not the wait generators, which our own retry uses.

https://github.com/litl/backoff, which is archived. It counts attempts, has full jitter and a
cap, and stops after a time, if an attempt ends. It knows exceptions, or a predicate of
results, not both in one decorator: statuses become exceptions in the decorated function.
Methods, a budget and Retry-After are for the user to think of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import backoff
from aiohttp import ClientResponse, ClientResponseError

from benchmarks.overhead.common_settings import RETRY_STATUSES, TRANSPORT_ERRORS, CommonSettings
from benchmarks.overhead.wrapper import Decorator, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")


class Backoff(Decorator):
    """`backoff.on_exception`."""

    name = "backoff"
    parts = "retry"
    lacks = (
        "idempotency",
        "budget",
        "Retry-After",
        "drained responses",
        "a limit to an attempt under way",
    )
    first_use = "import backoff; backoff.on_exception(backoff.expo, OSError)"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a retry."""
        retry = backoff.on_exception(
            backoff.expo,
            (ClientResponseError, *TRANSPORT_ERRORS),
            max_tries=common.attempts,
            max_time=common.total,
            factor=common.base,
            max_value=common.cap,
            logger=None,
        )
        return retry(raise_for_statuses(function, RETRY_STATUSES))


WRAPPER = Backoff()
