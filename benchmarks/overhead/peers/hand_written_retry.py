"""A retry as people write it in ten minutes, as a middleware: the least cost of a retry.

It has no budget, and ignores Retry-After, the body, the connection of the response that it
drops, and aiohttp's own second attempt.
"""

from __future__ import annotations

import asyncio
import random

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from benchmarks.overhead.common_settings import (
    IDEMPOTENT_METHODS,
    RETRY_STATUSES,
    TRANSPORT_ERRORS,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Middleware

__all__ = ["WRAPPER"]


class HandWrittenRetry(Middleware):
    """A loop around the handler."""

    name = "hand-written retry"
    parts = "retry"
    lacks = ("budget", "Retry-After", "drained responses", "deadline", "attempt time-out")

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a new middleware."""

        async def retry(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            attempt = 1
            while True:
                is_last = attempt >= common.attempts or request.method not in IDEMPOTENT_METHODS
                try:
                    response = await handler(request)
                except TRANSPORT_ERRORS:
                    if is_last:
                        raise
                else:
                    if is_last or response.status not in RETRY_STATUSES:
                        return response
                    response.release()
                longest = min(common.cap, common.base * 2 ** (attempt - 1))
                await asyncio.sleep(random.uniform(0, longest))
                attempt += 1

        return retry


WRAPPER = HandWrittenRetry()
