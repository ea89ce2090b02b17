"""gRPC's retry throttling, in the place of a retry budget.

gRFC A6, "gRPC Retry Design", section "Throttling Retry Attempts and Hedged RPCs"
(https://github.com/grpc/proposal/blob/master/A6-client-retries.md).
"""

from __future__ import annotations

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import RetryBudget
from resilient.core.outcome import Outcome, is_transport_failure, status_of
from resilient.retry import BudgetPolicy
from resilient.retry.policy import RETRY_STATUSES

__all__ = ["GrpcThrottle"]


class GrpcThrottle(RetryBudget):
    """Allows retries while failures are rare enough against successes.

    It is a budget for `Retry`, and a middleware to stand directly inside it, as it has to
    see every attempt:

        throttle = GrpcThrottle()
        Pipeline.of(Retry(policy, budget=throttle), throttle)

    A failed attempt takes a token, one that goes well gives `token_ratio` of one back, and
    retries are allowed while more than half of `max_tokens` are there. The defaults are those
    of A6's example.
    """

    __slots__ = ("max_tokens", "token_ratio", "tokens")

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        super().__init__(BudgetPolicy())
        self.max_tokens = max_tokens
        self.token_ratio = token_ratio
        self.tokens = max_tokens

    @property
    def threshold(self) -> float:
        """The share of failed attempts beyond which retries are suspended in the long run."""
        return self.token_ratio / (1 + self.token_ratio)

    def count_call(self, now: float) -> None:
        """Calls earn nothing; attempts that go well do."""

    def withdraw(self, now: float) -> bool:
        """Whether a retry is allowed; it costs nothing by itself."""
        return self.tokens > self.max_tokens / 2

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Take in how an attempt goes."""
        try:
            response = await handler(request)
        except Exception as error:
            self._take_in(error)
            raise
        self._take_in(response)
        return response

    def _take_in(self, outcome: Outcome) -> None:
        status = status_of(outcome)
        failed = (
            status in RETRY_STATUSES
            if status is not None
            else isinstance(outcome, Exception) and is_transport_failure(outcome)
        )
        if failed:
            self.tokens = max(0.0, self.tokens - 1)
        elif status is not None and status < 400:
            self.tokens = min(self.max_tokens, self.tokens + self.token_ratio)
