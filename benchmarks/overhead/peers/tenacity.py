"""tenacity: a decorator that retries any function.

https://github.com/jd/tenacity. It counts attempts, has full jitter, and stops after a time, if
an attempt ends. It knows exceptions and results but not HTTP: statuses become exceptions in
the decorated function, which costs it less than its own `retry_if_result` does. Methods are
for the user to think of; a budget and Retry-After too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity
from aiohttp import ClientResponse, ClientResponseError

from benchmarks.overhead.common_settings import RETRY_STATUSES, TRANSPORT_ERRORS, CommonSettings
from benchmarks.overhead.wrapper import Decorator, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")


class Tenacity(Decorator):
    """`tenacity.retry`."""

    name = "tenacity"
    parts = "retry"
    lacks = (
        "idempotency",
        "budget",
        "Retry-After",
        "drained responses",
        "a limit to an attempt under way",
    )
    first_use = "import tenacity; tenacity.AsyncRetrying()"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a retry."""
        retry = tenacity.retry(
            retry=tenacity.retry_if_exception_type((ClientResponseError, *TRANSPORT_ERRORS)),
            stop=tenacity.stop_after_attempt(common.attempts)
            | tenacity.stop_after_delay(common.total),
            wait=tenacity.wait_random_exponential(multiplier=common.base, max=common.cap),
            reraise=True,
        )
        return retry(raise_for_statuses(function, RETRY_STATUSES))


WRAPPER = Tenacity()
