"""Simulate calls to a server that fails at random, with a limit over all retries."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random

import aiohttp
from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
)
from attrs import evolve

from benchmarks.storm.network import Network
from benchmarks.storm.simulation import Process, arrive_at_random, simulate
from benchmarks.storm.tally import Tally
from resilient import Backoff, BudgetPolicy, Pipeline, Retry, RetryBudget, RetryPolicy
from resilient.core.outcome import is_transport_failure
from resilient.core.statuses import RETRY_STATUSES
from resilient.retry.budget import Token
from resilient.testing import LoopClock, Mixture, Reply

__all__ = ["BUDGET", "MIDDLEWARES", "NO_BUDGET", "GrpcThrottle", "fail_at_random"]

# Three attempts, as in Google's figures, with the backoff of A6's example.
_POLICY = RetryPolicy(max_attempts=3, budget=None, backoff=Backoff(base=0.1, cap=1.0))

NO_BUDGET, BUDGET = "no budget", "our budget"


class GrpcThrottle(RetryBudget):
    """Allows retries while failures are rare enough against successes.

    It is gRPC's retry throttling (gRFC A6, "gRPC Retry Design", section "Throttling Retry
    Attempts and Hedged RPCs"), in the place of a retry budget. It is a budget for `Retry` and
    also a middleware that stands directly inside it, since it has to see every attempt:

        throttle = GrpcThrottle()
        Pipeline.of(Retry(policy, budget=throttle), throttle)

    A failed attempt takes a token, a successful one gives `token_ratio` of a token back, and
    retries are allowed while more than half of `max_tokens` are left. The defaults are those of
    A6's example.

    Attributes:
        max_tokens: Tokens at the beginning, and at most. Default 10.
        token_ratio: Tokens that a successful attempt gives back. Default 0.1.
        tokens: Tokens left.
    """

    __slots__ = ("max_tokens", "token_ratio", "tokens")

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        super().__init__(BudgetPolicy())
        self.max_tokens = max_tokens
        self.token_ratio = token_ratio
        self.tokens = max_tokens

    @property
    def threshold(self) -> float:
        """The share of failed attempts above which retries are suspended in the long run."""
        return self.token_ratio / (1 + self.token_ratio)

    def take(
        self, key: Hashable, now: float, *, took: float = 0.0, wait: float = 0.0
    ) -> Token | None:
        """Return a token if a retry is allowed; the retry itself costs nothing."""
        return Token(key, now) if self.tokens > self.max_tokens / 2 else None

    def give_back(self, token: Token, now: float) -> None:
        """Do nothing: attempts are counted, not retries."""

    charge = give_back

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run an attempt and count its outcome."""
        try:
            response = await handler(request)
        except Exception as error:
            status = error.status if isinstance(error, ClientResponseError) else None
            if status in RETRY_STATUSES or is_transport_failure(error):
                self._count(failed=True)
            raise
        if response.status < 400 or response.status in RETRY_STATUSES:
            self._count(failed=response.status in RETRY_STATUSES)
        return response

    def _count(self, *, failed: bool) -> None:
        if failed:
            self.tokens = max(0.0, self.tokens - 1)
        else:
            self.tokens = min(self.max_tokens, self.tokens + self.token_ratio)


_MiddlewareFactory = Callable[[Random], ClientMiddlewareType]


def _retry(budget: BudgetPolicy | None) -> _MiddlewareFactory:
    policy = evolve(_POLICY, budget=budget)
    return lambda random: Retry(policy, clock=LoopClock(draw=random.random))


def _grpc(random: Random) -> ClientMiddlewareType:
    throttle = GrpcThrottle()
    clock = LoopClock(draw=random.random)
    return Pipeline.of(Retry(_POLICY, budget=throttle, clock=clock), throttle)


MIDDLEWARES: dict[str, _MiddlewareFactory] = {
    NO_BUDGET: _retry(None),
    BUDGET: _retry(BudgetPolicy()),
    "gRPC's throttling": _grpc,
}


def fail_at_random(
    make: _MiddlewareFactory, *, failures: float, call_rate: float, calls: int, random: Random
) -> Tally:
    """Make calls through one middleware to a server that fails a share of the requests.

    Args:
        make: Makes the middleware.
        failures: The share of requests that get a 503, from 0 to 1.
        call_rate: Calls per second that begin.
        calls: The expected number of calls.
        random: Draws arrivals, failures and waits.
    """
    tally = Tally()
    seed = random.randrange(2**32)
    server = Mixture({Reply(503): failures}, otherwise=Reply(200), seed=seed)
    network = Network(server, tally)

    async def main(session: aiohttp.ClientSession) -> None:
        processes = [Process(session, make(random), network, tally)]
        await arrive_at_random(
            # A draw among one, so that a seed gives the figures that it always gave.
            lambda: random.choice(processes).call(),
            rate=call_rate,
            until=calls / call_rate,
            random=random,
        )

    simulate(main)
    return tally
