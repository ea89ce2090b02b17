"""`Services`: what is refused, and orders that are warned about."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from resilient import (
    AttemptTimeout,
    BudgetPolicy,
    BulkheadPolicy,
    CircuitBreaker,
    ConfigError,
    NormalizeErrors,
    Pipeline,
    PipelineWarning,
    Policy,
    Retry,
    Service,
    Services,
)
from resilient.pipeline.branches import Branches
from tests.unit.services.support import MAVIO, MEETERGO


@pytest.mark.parametrize(
    ("given", "settings", "says"),
    [
        (5, {}, "Services must be made of Service values, not 5"),
        (Service("a", MAVIO), {}, "Services must be made of Service values, not Service("),
        ([Policy()], {}, "Services must be made of Service values, not Policy("),
        ({"a": Service("a", MAVIO)}, {}, "Services must be made of Service values, not 'a'"),
        ("a", {}, "Services must be made of Service values, not 'a'"),
        ([], {"default": Service("a", MAVIO)}, "Services.default must be None or a Policy, not"),
        ([], {"default": Pipeline()}, "Services.default must be None or a Policy, not <Pipeline"),
        ([], {"budget": BudgetPolicy()}, "Services.budget must be None or a RetryBudget, not"),
        ([], {"bulkhead": BulkheadPolicy()}, "Services.bulkhead must be None or a Bulkhead, not"),
        ([], {"listeners": [5]}, "listeners must be plain"),
        ([Service("a", MAVIO)], {"listeners": [5]}, "listeners must be plain"),
    ],
)
def test_what_is_no_service_is_refused(given: Any, settings: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Services(given, **settings)
    assert str(caught.value).startswith(says)


def test_names_and_patterns_that_clash_are_named_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Services(
            [
                Service("a", [MAVIO, "https://*.example/v4"]),
                Service("b", MAVIO.upper() + ":443/"),
                Service("a", MEETERGO),
                Service("c", ["https://c.example", "https://*.example/v4/", MEETERGO]),
                Service("a", "https://d.example"),
                Service("b", "https://e.example"),
            ]
        )
    error = caught.value
    assert [(each.where, each.given, each.allowed) for each in error.problems] == [
        ("Service.name", "'a'", "a name that no other service has"),
        ("Service.name", "'b'", "a name that no other service has"),
        ("Service.match", f"'{MAVIO}'", "apart from that of service 'a' (in service 'b')"),
        (
            "Service.match",
            "'https://*.example/v4'",
            "apart from that of service 'a' (in service 'c')",
        ),
        ("Service.match", f"'{MEETERGO}'", "apart from that of service 'a' (in service 'c')"),
    ]
    assert str(error).splitlines()[0] == "5 problems:"
    assert (error.where, error.given, error.allowed) == (None, None, None)
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == str(error)
    assert [vars(each) for each in copied.problems] == [vars(each) for each in error.problems]


def test_one_clash_alone_is_an_error_of_its_own() -> None:
    with pytest.raises(ConfigError) as caught:
        Services([Service("a", MAVIO), Service("b", MAVIO)])
    assert caught.value.problems == (caught.value,)
    assert str(caught.value) == (
        f"Service.match must be apart from that of service 'a' (in service 'b'), not '{MAVIO}'"
    )


def test_a_service_may_say_the_same_twice() -> None:
    services = Services([Service("a", [MAVIO, MAVIO + "/", MAVIO + ":443"])])
    route = services.route(MAVIO)
    assert route is not None
    assert route.target.name == "a"


def test_patterns_that_overlap_do_not_clash() -> None:
    Services(
        [
            Service("exact", MAVIO),
            Service("path", MAVIO + "/v4"),
            Service("wildcard", "https://*.mavio.example"),
            Service("plain", MAVIO.replace("https", "http")),
            Service("port", MAVIO + ":8443"),
        ]
    )


SERVICES = [
    Service("all", "https://a.example"),
    Service("bare", "https://b.example", Policy(retry=None, breaker=None, errors=None)),
]
BARE = SERVICES[1:]


@pytest.mark.parametrize(
    ("middlewares", "says"),
    [
        ([Retry(), Services(SERVICES)], ["a Retry inside a Retry"]),
        ([Services(SERVICES), Retry()], ["a Retry inside a Retry", "an AttemptTimeout outside"]),
        ([Services(BARE, default=Policy()), NormalizeErrors()], ["of two NormalizeErrors"]),
        ([Services(SERVICES), CircuitBreaker()], ["two CircuitBreakers"]),
        ([AttemptTimeout(1), Services(SERVICES)], ["an AttemptTimeout outside Retry"]),
        ([Retry(), Services(BARE)], ["a Deadline inside Retry"]),
        ([Services([Service("a", MAVIO, Policy())]), Services(BARE), Retry()], ["a Retry inside"]),
        ([Services(BARE), CircuitBreaker()], []),
        ([Services([]), Retry()], []),
        ([Services(SERVICES)], []),
        ([Services(SERVICES, default=Policy())], []),
    ],
)
def test_what_makes_no_sense_with_some_service_is_warned_about(
    middlewares: list[Any], says: list[str]
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Pipeline.of(*middlewares)
    assert {each.category for each in caught} <= {PipelineWarning}
    assert {each.filename for each in caught} <= {__file__}
    told = [str(each.message) for each in caught]
    assert len(set(told)) == len(told)
    for words in says:
        assert sum(each.startswith(words) for each in told) == 1
    assert bool(told) == bool(says)


class Between(Branches):
    """A choice of the orders that it was given."""

    __call__: Any = None

    def __init__(self, *orders: list[Any]) -> None:
        self.orders = orders

    def summary(self) -> str:
        return "orders"

    def alternatives(self) -> Iterator[list[Any]]:
        yield from self.orders


def test_a_choice_within_a_choice_is_looked_into() -> None:
    harmless, harmful = Between([]), Between([Retry()])
    with pytest.warns(PipelineWarning, match="a Retry inside a Retry"):
        Pipeline.of(Retry(), Between([harmful], [harmless]))


def test_thousands_of_services_in_a_row_are_judged_by_their_kinds() -> None:
    asked = 0

    class Many(Between):
        def alternatives(self) -> Iterator[list[Any]]:
            nonlocal asked
            for _ in range(1000):
                asked += 1
                assert asked < 20_000, "each with each would be a thousand to the fifth"
                yield [Retry()]

    with pytest.warns(PipelineWarning, match="a Retry inside a Retry"):
        Pipeline.of(*(Many() for _ in range(5)))
