"""stamina: tenacity with sound defaults, as a decorator.

https://github.com/hynek/stamina. It counts attempts, stops after a time, if an attempt ends,
and caps its waits. It knows exceptions alone: statuses become exceptions in the decorated
function. Its jitter is added to the wait, and does not grow with it, so full jitter cannot be
expressed: it is given one of up to the first wait. Methods, a budget and Retry-After are for
the user to think of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
from aiohttp import ClientResponse, ClientResponseError

from benchmarks.overhead.common_settings import RETRY_STATUSES, TRANSPORT_ERRORS, CommonSettings
from benchmarks.overhead.wrapper import Decorator, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")


class Stamina(Decorator):
    """`stamina.retry`."""

    name = "stamina"
    parts = "retry"
    lacks = (
        "full jitter",
        "idempotency",
        "budget",
        "Retry-After",
        "drained responses",
        "a limit to an attempt under way",
    )
    first_use = "import stamina; stamina.retry(on=OSError)"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a retry."""
        retry = stamina.retry(
            on=(ClientResponseError, *TRANSPORT_ERRORS),
            attempts=common.attempts,
            timeout=common.total,
            wait_initial=common.base,
            wait_jitter=common.base,
            wait_max=common.cap,
        )
        return retry(raise_for_statuses(function, RETRY_STATUSES))


WRAPPER = Stamina()
