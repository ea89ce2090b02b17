"""The retry budget: conserved whatever happens, small for a dead server, in nobody's way else."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

import aiohttp
import attrs
import pytest
from hypothesis import given, settings, strategies as st

from benchmarks.storm.throttling_simulation import MIDDLEWARES, fail_at_random
from resilient import Backoff, BudgetPolicy, Retry, RetryBudget, RetryPolicy
from resilient.retry.budget import Token
from resilient.testing import Answer, FaultServer, Received, Reply, run_in_virtual_time
from tests.guards import Bulkhead, Gate

pytestmark = pytest.mark.slow

policies = st.builds(
    BudgetPolicy,
    ratio=st.sampled_from([0.05, 0.1, 0.5, 1.0]),
    capacity=st.integers(1, 40),
    min_per_second=st.sampled_from([0.0, 0.3, 1.0, 10.0]),
)

# The operation, the key, and the seconds that pass before, be they negative.
steps = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "charge", "give_back", "earn"]),
        st.sampled_from("ab"),
        st.sampled_from([0.0, 0.0, 0.1, 1.0, 50.0, -1.0, -50.0]),
    ),
    max_size=200,
)


@given(policies, steps, st.sampled_from([0.02, 2.0]))
def test_it_is_never_below_nothing_nor_above_its_capacity(
    policy: BudgetPolicy, steps: list[tuple[str, str, float]], took: float
) -> None:
    budget = RetryBudget(policy)
    out: dict[str, list[Token]] = {"a": [], "b": []}
    now = 1000.0
    for step, key, passed in steps:
        other = "b" if key == "a" else "a"
        now += passed
        before, elsewhere = budget.left(key, now), budget.left(other, now)
        change = 0.0
        if step == "take":
            token = budget.take(key, now, took=took)
            assert (token is not None) == (before >= 1 - 1e-6)
            if token is not None:
                out[key].append(token)
                change = -1
        elif step == "earn":
            budget.earn(key, now)
            change = policy.ratio
        elif out[key]:
            token = out[key].pop(0)
            change = float(step == "give_back" and token.is_out)
            getattr(budget, step)(token, now)
        assert budget.left(key, now) <= max(before + change, 0.0) + 1e-6
        assert budget.left(other, now) == elsewhere
        for each in "ab":
            assert 0 <= budget.left(each, now) <= policy.capacity
        assert set(budget.accounts) <= {"a", "b"}


@given(policies, st.integers(1, 60), st.integers(1, 10), st.randoms(use_true_random=False))
def test_what_is_presumed_to_go_well_is_paid_for_if_it_fails(
    policy: BudgetPolicy, tries: int, rounds: int, random: Random
) -> None:
    """A server whose retries fail late is charged for all of them."""
    budget = RetryBudget(attrs.evolve(policy, min_per_second=0.0))
    now, sent, out = 0.0, 0, []
    for _ in range(rounds):
        for _ in range(tries):
            token = budget.take("a", now, took=0.02)
            if token is not None:
                out.append(token)
                sent += 1
        now += random.choice([0.01, 1.0])
        random.shuffle(out)
        for _ in range(random.randrange(len(out) + 1)):
            budget.charge(out.pop(), now)
    for token in out:
        budget.charge(token, now)
    assert budget.left("a", now + 1e6) == max(0, policy.capacity - sent)


# What one call meets: statuses in their order; and when it is given up, in seconds, if ever.
calls = st.tuples(
    st.lists(st.sampled_from([200, 503, 503, 429, 404]), min_size=3, max_size=3),
    st.sampled_from([None, None, 0.5, 1.5, 2.5, 3.5]),
    st.sampled_from([0.0, 0.0, 1.0, 2.0]),
)


@given(st.lists(calls, min_size=1, max_size=12), st.floats(0.5, 4), st.floats(0, 6))
def test_nothing_but_retries_that_were_sent_and_failed_is_charged(
    calls: list[tuple[list[int], float | None, float]], patience: float, opens: float
) -> None:
    """Whatever is refused by a guard, given up in a wait, a queue or on the way."""
    charged = run_in_virtual_time(play(calls, patience, opens))
    assert charged == pytest.approx(0, abs=1e-3)


async def play(
    calls: list[tuple[list[int], float | None, float]], patience: float, opens: float
) -> float:
    """The tokens that are missing and not accounted for."""
    failed = 0

    def answer(received: Received) -> Answer:
        nonlocal failed
        number, begun = int(received.path[1:]), seen[int(received.path[1:])]
        seen[number] += 1
        status = calls[number][0][begun]
        failed += begun > 0 and status == 503
        return Reply(status)

    seen = [0] * len(calls)
    budget = RetryBudget(BudgetPolicy(ratio=1e-9, capacity=1000, min_per_second=0))
    retry = Retry(RetryPolicy(backoff=Backoff(base=1, jitter="none")), budget=budget)
    gate = Gate(patience)
    gate.shut()
    asyncio.get_running_loop().call_later(opens, gate.open)
    async with (
        FaultServer(then=answer) as server,
        aiohttp.ClientSession(middlewares=[retry, Bulkhead(2), gate]) as session,
    ):

        async def call(number: int, given_up: float | None, begins: float) -> None:
            await asyncio.sleep(begins)
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(given_up), session.get(server.url / str(number)):
                    pass

        await asyncio.gather(*(call(i, each[1], each[2]) for i, each in enumerate(calls)))
        key = f"http://{server.url.host}:{server.url.port}"
        return 1000 - failed - budget.left(key, asyncio.get_running_loop().time())


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_a_fifth_of_random_failures_is_all_tried_again(seed: int) -> None:
    """Not one retry is refused: the calls end as they do without a budget."""

    def story(name: str) -> object:
        return attrs.asdict(
            fail_at_random(
                MIDDLEWARES[name], failures=0.2, call_rate=100.0, calls=600, random=Random(seed)
            )
        )

    assert story("our budget") == story("no budget")


@settings(max_examples=5)
@given(st.integers(0, 2**32), st.sampled_from([10.0, 50.0]))
def test_a_dead_server_gets_the_capacity_and_then_so_many_a_second(seed: int, rate: float) -> None:
    calls = int(10 * rate)
    tally = fail_at_random(
        MIDDLEWARES["our budget"], failures=1.0, call_rate=rate, calls=calls, random=Random(seed)
    )
    # It takes 27 retries until it grows by time.
    assert 30 <= tally.requests - tally.calls <= 30 + 10 + 3
