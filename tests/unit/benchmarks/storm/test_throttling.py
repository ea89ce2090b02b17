"""gRPC's retry throttling, by the text of gRFC A6."""

import aiohttp
import pytest
from aiohttp import ClientRequest, ClientResponse

from benchmarks.storm.network import Replies
from benchmarks.storm.throttling_simulation import GrpcThrottle
from resilient import Backoff, Pipeline, Retry, RetryPolicy
from resilient.testing import LoopClock, Reply
from tests.unit.benchmarks.storm.support import in_virtual_time


def take(throttle: GrpcThrottle, *outcomes: int | Exception) -> None:
    """Let attempts pass through it."""

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        for outcome in outcomes:

            async def answer(
                request: ClientRequest, outcome: int | Exception = outcome
            ) -> ClientResponse:
                if isinstance(outcome, Exception):
                    raise outcome
                return await Replies().parse(request, Reply(outcome))

            try:
                await throttle(request, answer)
            except (aiohttp.ClientError, ValueError):
                assert isinstance(outcome, Exception)

    in_virtual_time(scenario)


def test_retries_are_allowed_while_more_than_half_of_the_tokens_are_there() -> None:
    throttle = GrpcThrottle(max_tokens=10, token_ratio=0.1)
    take(throttle, *[503] * 4)
    assert throttle.tokens == 6
    assert throttle.take("a", 0)
    take(throttle, 503)
    assert throttle.tokens == 5
    assert not throttle.take("a", 0)
    take(throttle, 200)
    assert throttle.take("a", 0)


def test_a_retry_costs_nothing_by_itself() -> None:
    throttle = GrpcThrottle()
    for _ in range(100):
        assert throttle.take("a", 0)
    assert throttle.tokens == 10


def test_tokens_stay_between_none_and_their_maximum() -> None:
    throttle = GrpcThrottle(max_tokens=2)
    take(throttle, 200, 200)
    assert throttle.tokens == 2
    take(throttle, *[500] * 5)
    assert throttle.tokens == 0


@pytest.mark.parametrize(
    ("outcome", "tokens"),
    [
        (404, 5.0),
        (400, 5.0),
        (429, 4.0),
        (aiohttp.ClientConnectionError(), 4.0),
        (ValueError(), 5.0),
        (302, 5.1),
    ],
)
def test_only_what_is_worth_a_retry_is_a_failure(outcome: int | Exception, tokens: float) -> None:
    throttle = GrpcThrottle()
    throttle.tokens = 5.0
    take(throttle, outcome)
    assert throttle.tokens == pytest.approx(tokens)


def test_every_attempt_counts_the_last_ones_too() -> None:
    throttle = GrpcThrottle()
    policy = RetryPolicy(max_attempts=3, budget=None, backoff=Backoff(base=0.1))
    pipeline = Pipeline.of(Retry(policy, budget=throttle, clock=LoopClock()), throttle)
    attempts = []

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        async def answer(request: ClientRequest) -> ClientResponse:
            attempts.append(request)
            return await Replies().parse(request, Reply(503))

        for _ in range(3):
            await pipeline(request, answer)

    in_virtual_time(scenario)
    # Three, and two of which the second has taken the fifth token; then none but the first.
    assert len(attempts) == 3 + 2 + 1
    assert throttle.tokens == 10 - 6


def test_the_threshold_is_where_tokens_are_taken_as_fast_as_they_are_given_back() -> None:
    throttle = GrpcThrottle(token_ratio=0.25)
    failures = throttle.threshold
    assert failures * 1 == pytest.approx((1 - failures) * 0.25)
