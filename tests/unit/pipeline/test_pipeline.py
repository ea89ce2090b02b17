"""Policies and pipelines as values and as sequences."""

from __future__ import annotations

import asyncio
import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from attrs import evolve

from resilient import (
    AttemptTimeout,
    BreakerPolicy,
    BudgetPolicy,
    Bulkhead,
    BulkheadPolicy,
    CircuitBreaker,
    ConfigError,
    Deadline,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    PipelineWarning,
    Policy,
    Retry,
    RetryBudget,
    RetryPolicy,
    Service,
    Services,
    Throttle,
    ThrottlePolicy,
)

STANDARD = [Deadline, Retry, Throttle, CircuitBreaker, NormalizeErrors, AttemptTimeout]


async def mine(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


def test_the_standard_order_comes_from_a_policy_in_one_call() -> None:
    assert [type(each) for each in Pipeline()] == STANDARD


@pytest.mark.parametrize(
    ("left_out", "kind"),
    [
        ({"total_timeout": None}, Deadline),
        ({"retry": None}, Retry),
        ({"throttle": None}, Throttle),
        ({"breaker": None}, CircuitBreaker),
        ({"errors": None}, NormalizeErrors),
        ({"attempt_timeout": None}, AttemptTimeout),
    ],
)
def test_none_leaves_a_part_out(left_out: dict[str, Any], kind: type) -> None:
    rest = [each for each in STANDARD if each is not kind]
    assert [type(each) for each in Pipeline(Policy(**left_out))] == rest


def test_a_part_that_is_off_by_default_is_switched_on_by_its_policy() -> None:
    policy = Policy(bulkhead=BulkheadPolicy(max_concurrent=3))
    pipeline = Pipeline(policy)
    assert [type(each) for each in pipeline] == [*STANDARD[:4], Bulkhead, *STANDARD[4:]]
    assert pipeline.bulkhead.policy == policy.bulkhead
    assert "5. Bulkhead: at most 3 attempts at once" in str(pipeline)
    with pytest.raises(LookupError, match="no bulkhead"):
        _ = Pipeline().bulkhead


@pytest.mark.parametrize("policy", [Policy(), Policy(bulkhead=BulkheadPolicy())])
def test_a_bulkhead_that_is_passed_is_shared(policy: Policy) -> None:
    shared = Bulkhead()
    pipelines = Pipeline(policy, bulkhead=shared), Pipeline(bulkhead=shared)
    for pipeline in pipelines:
        assert [type(each) for each in pipeline] == [*STANDARD[:4], Bulkhead, *STANDARD[4:]]
        assert pipeline.bulkhead is shared
    services = Services([Service("a", "https://a.example", policy)], bulkhead=shared)
    assert services["a"].bulkhead is shared


def test_a_pipeline_is_a_sequence_and_says_what_is_in_it() -> None:
    pipeline = Pipeline.of(Deadline(5), Retry(), mine, CircuitBreaker())
    assert len(pipeline) == 4
    assert pipeline[2] is mine
    assert pipeline[1:3] == (pipeline[1], mine)
    assert pipeline.find(Retry) is pipeline[1]
    assert pipeline.find(NormalizeErrors) is None
    assert pipeline.breaker is pipeline[3]
    lines = str(pipeline).splitlines()
    assert lines[0] == "1. Deadline: 5 s for the whole call"
    assert "at most 3 attempts" in lines[1]
    assert lines[2] == "3. mine"
    assert "opens at 20 failures, if at least 90% fail, for 0.5 to 5 s" in lines[3]
    assert repr(pipeline) == "<Pipeline Deadline > Retry > mine > CircuitBreaker>"


PER_PATH = "origin+path:1"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({}, "a budget for each origin of 30 retries that fail, then one for every 10 successes"),
        ({}, "for each origin; a 429 holds its method, first path segment and credential"),
        ({}, "queues of up to 30 s (max_wait)"),
        ({}, "calls wait up to 2 s for it in the first 30 s of an outage"),
        (
            {"retry": RetryPolicy(budget=BudgetPolicy(key=PER_PATH, capacity=7, ratio=0.3))},
            "a budget for each origin+path:1 of 7 retries that fail, then one for every 3.33",
        ),
        ({"throttle": ThrottlePolicy(key=PER_PATH)}, "for each origin+path:1; a 429"),
        ({"throttle": ThrottlePolicy(limit="300/min")}, "at most 300/min, bursts of 15; a 429"),
        (
            {"throttle": ThrottlePolicy(limit="300/min", pace="window", learn=False)},
            "at most 300/min, a window at once; queues",
        ),
        ({"throttle": ThrottlePolicy(classes=False)}, "a 429 holds all for the server's time"),
        ({"throttle": ThrottlePolicy(headers=["RateLimit"])}, "reads RateLimit"),
        ({"breaker": BreakerPolicy(key=PER_PATH)}, "for each origin+path:1; opens at 20"),
        ({"breaker": BreakerPolicy(patience=0)}, "calls do not wait for it"),
        ({"breaker": BreakerPolicy(observe=True)}, "only observes"),
        ({"bulkhead": BulkheadPolicy(key=PER_PATH)}, "at once for each origin+path:1; others wait"),
    ],
)
def test_what_is_printed_names_budget_limits_patience_and_keys(
    policy: dict[str, Any], words: str
) -> None:
    assert words in str(Pipeline(Policy(**policy)))


def test_a_budget_that_is_shared_or_left_out_is_printed_as_it_is() -> None:
    shared = RetryBudget(BudgetPolicy(capacity=99))
    assert "of 99 retries" in str(Pipeline(budget=shared))
    assert "budget" not in str(Pipeline(Policy(retry=RetryPolicy(budget=None))))


def test_a_pipeline_without_a_breaker_says_so() -> None:
    with pytest.raises(LookupError, match="no circuit breaker"):
        _ = Pipeline.of(Retry()).breaker


def test_pipelines_in_a_pipeline_are_taken_apart() -> None:
    inner = Pipeline.of(CircuitBreaker(), NormalizeErrors())
    outer = Pipeline.of(mine, inner)
    assert list(outer) == [mine, *inner]


@pytest.mark.parametrize(
    ("middlewares", "says"),
    [
        ((Retry(), Retry()), "a Retry inside a Retry multiplies the attempts"),
        ((Retry(), mine, Pipeline()), "a Retry inside a Retry"),
        ((CircuitBreaker(), CircuitBreaker()), "count the same failures twice"),
        ((NormalizeErrors(), NormalizeErrors()), "nothing left to do"),
        ((Retry(), Deadline(1)), "a Deadline inside Retry"),
        ((AttemptTimeout(1), Retry()), "an AttemptTimeout outside Retry"),
    ],
)
def test_an_order_that_makes_no_sense_is_warned_about(
    middlewares: tuple[Any, ...], says: str
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Pipeline.of(*middlewares)
    assert any(says in str(each.message) for each in caught)
    assert {each.category for each in caught} == {PipelineWarning}
    assert {each.filename for each in caught} == {__file__}


@pytest.mark.parametrize(
    "middlewares",
    [
        (),
        (Retry(), mine, CircuitBreaker()),
        (CircuitBreaker(), Retry()),
        (Retry(), NormalizeErrors(), CircuitBreaker()),
    ],
)
def test_other_orders_are_nobodys_business(middlewares: tuple[Any, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pipeline.of(*middlewares)


@pytest.mark.parametrize("what", [None, "retry", Retry, 3, Policy()])
def test_what_is_no_middleware_is_refused(what: Any) -> None:
    with pytest.raises(ConfigError, match=r"Pipeline\.of must be given middlewares"):
        Pipeline.of(what)


def test_a_middleware_in_the_place_of_a_policy_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"middlewares go into Pipeline\.of"):
        Pipeline(Retry())  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"name": 3}, "Policy.name"),
        ({"errors": RetryPolicy()}, "Policy.errors must be None or an ErrorPolicy"),
        ({"retry": 3}, "Policy.retry must be None or a RetryPolicy"),
        ({"breaker": True}, "Policy.breaker"),
        ({"total_timeout": 0}, "Policy.total_timeout must be None or a positive"),
        ({"total_timeout": "10"}, "Policy.total_timeout"),
        ({"attempt_timeout": -1}, "Policy.attempt_timeout"),
        (
            {"total_timeout": 5, "attempt_timeout": 6},
            r"Policy.attempt_timeout must be at most total_timeout \(5 s\), not 6",
        ),
        (
            {"total_timeout": 30, "retry": RetryPolicy(max_retry_after=61)},
            r"Policy.retry.max_retry_after must be at most total_timeout \(30 s\), not 61",
        ),
        (
            {"attempt_timeout": 30, "breaker": BreakerPolicy(probe_lease=5)},
            r"Policy.breaker.probe_lease must be at least attempt_timeout \(30 s\)",
        ),
    ],
)
def test_a_policy_that_contradicts_itself_names_the_field(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        Policy(**settings)


def test_a_short_total_timeout_alone_is_no_contradiction() -> None:
    Policy(total_timeout=0.5)


def test_policies_are_values_and_sharing_one_shares_nothing() -> None:
    policy = Policy(name="mavio")
    assert policy == Policy(name="mavio")
    assert hash(policy) == hash(Policy(name="mavio"))
    one, other = Pipeline(policy), Pipeline(policy)
    assert one != other
    assert one.breaker is not other.breaker


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ignore": {200}}, "ErrorPolicy.ignore must be a set of statuses from 400 to 999"),
        ({"ignore": 404}, "ErrorPolicy.ignore"),
        ({"max_body": -1}, "ErrorPolicy.max_body"),
        ({"read_timeout": 0}, "ErrorPolicy.read_timeout"),
        ({"code_rules": ["slot_unavailable"]}, "ErrorPolicy.code_rules must be CodeRule values"),
        ({"parsers": ["nestled"]}, "nested"),
    ],
)
def test_an_error_policy_that_makes_no_sense_names_the_field(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        ErrorPolicy(**settings)


def given(value: object) -> Any:
    """A value of the wrong type."""
    return value


async def async_hook(*_: object) -> None:
    """Nobody would await it."""


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Retry(given(Policy())), "Retry.policy must be a RetryPolicy"),
        (lambda: NormalizeErrors(given(Policy())), "NormalizeErrors.policy must be an ErrorPolicy"),
        (lambda: CircuitBreaker(given(Policy())), "CircuitBreaker.policy must be a BreakerPolicy"),
        (lambda: Retry(budget=given(BudgetPolicy())), "Retry.budget must be None or a RetryBudget"),
        (lambda: BreakerPolicy(key=given(5)), r"BreakerPolicy.key must be a key: "),
        (lambda: BreakerPolicy(key=given(async_hook)), r"BreakerPolicy.key must be a key: "),
        (
            lambda: Pipeline(bulkhead=given(BulkheadPolicy())),
            "Pipeline.bulkhead must be None or a Bulkhead",
        ),
        (lambda: Pipeline(listeners=given([async_hook])), r"listeners must be plain \(not async\)"),
        (lambda: Pipeline(listeners=given(print)), "listeners must be a list of functions"),
        (lambda: ErrorPolicy(parsers=given(5)), "ErrorPolicy.parsers must be a list of parsers"),
        (lambda: CircuitBreaker().circuit("api.example"), "must be a URL with scheme and host"),
        (lambda: CircuitBreaker().circuit("localhost:80"), "must be a URL with scheme and host"),
    ],
)
def test_what_would_fail_or_do_nothing_later_is_refused_at_once(
    make: Callable[[], object], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        make()


def test_a_long_attempt_timeout_alone_is_no_contradiction() -> None:
    Policy(attempt_timeout=90)


def test_a_subclass_counts_as_what_it_extends() -> None:
    class Mine(Retry):
        pass

    with pytest.warns(PipelineWarning, match="a Retry inside a Retry"):
        Pipeline.of(Mine(), Retry())


async def test_a_request_that_comes_in_anew_is_a_new_call() -> None:
    pipeline = Pipeline(Policy(retry=RetryPolicy(max_attempts=1)))
    async with aiohttp.ClientSession() as session:
        url = session._build_url("http://a.example/")
        loop = asyncio.get_running_loop()
        request = ClientRequest("GET", url, loop=loop, session=session)

        async def fails(_: ClientRequest) -> ClientResponse:
            raise aiohttp.ClientPayloadError

        for _ in range(2):
            with pytest.raises(aiohttp.ClientConnectionError) as caught:
                await pipeline(request, fails)
            assert len(caught.value.attempts) == 1  # type: ignore[attr-defined]  # it is ours


# Copies of a policy whose defaults gave way.
COPIES: dict[str, Callable[[Policy], Policy]] = {
    "itself": lambda it: it,
    "pickled": lambda it: pickle.loads(pickle.dumps(it)),
    "copied": copy.copy,
    "deeply copied": copy.deepcopy,
    "evolved": lambda it: evolve(it, name="other"),
    "evolved after a pickle": lambda it: evolve(pickle.loads(pickle.dumps(it)), name="other"),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize(
    "given",
    [
        Policy(total_timeout=20),
        Policy(total_timeout=0.5, breaker=None),
        Policy(attempt_timeout=50, breaker=BreakerPolicy()),
    ],
    ids=["a total", "no breaker", "a long attempt"],
)
def test_a_policy_that_is_copied_any_way_serves_as_the_original_does(
    given: Policy, copied: Callable[[Policy], Policy]
) -> None:
    made = copied(given)
    assert evolve(made, name=given.name) == given
    assert Services([Service("a", "https://a.example", made)])["a"].describe() == (
        Pipeline(given).describe()
    )


def test_a_default_gives_way_to_a_shorter_total_and_the_pipeline_says_so() -> None:
    described = Pipeline(Policy(total_timeout=20)).describe()
    assert "AttemptTimeout: 20 s for each attempt" in described
    assert "AttemptTimeout: 30 s for each attempt" in Pipeline().describe()
    evolved = evolve(Policy(), total_timeout=20)
    assert Pipeline(evolved).describe() == described
