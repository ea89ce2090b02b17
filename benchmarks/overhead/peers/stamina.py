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

from benchmarks.overhead.equal import STATUSES, TRANSPORT, Equal
from benchmarks.overhead.wrapper import Decorator, raising

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
        self, function: Callable[[_T], Awaitable[ClientResponse]], equal: Equal
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate it."""
        retry = stamina.retry(
            on=(ClientResponseError, *TRANSPORT),
            attempts=equal.attempts,
            timeout=equal.total,
            wait_initial=equal.base,
            wait_jitter=equal.base,
            wait_max=equal.cap,
        )
        return retry(raising(function, STATUSES))


WRAPPER = Stamina()
