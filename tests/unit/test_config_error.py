"""`ConfigError`: what is wrong, where, and what would be right; one problem or many."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from resilient import ConfigError, Policy, RetryPolicy

ONE = ConfigError.of("Policy.name", 3, "a name")
OTHER = ConfigError("a.toml: services.a is wrong", where="services.a", file="a.toml")
THIRD = ConfigError("c")


def attributes(error: ConfigError) -> tuple[str | None, ...]:
    return error.where, error.given, error.allowed, error.file


def test_it_is_a_value_error_and_names_the_field() -> None:
    error = ConfigError.of("RetryPolicy.max_attempts", 0, "an integer of at least 1")
    assert isinstance(error, ValueError)
    assert str(error) == "RetryPolicy.max_attempts must be an integer of at least 1, not 0"
    expected = ("RetryPolicy.max_attempts", "0", "an integer of at least 1", None)
    assert attributes(error) == expected
    assert error.problems == (error,)


def test_a_message_alone_names_nothing() -> None:
    error = ConfigError("it makes no sense")
    assert str(error) == "it makes no sense"
    assert attributes(error) == (None, None, None, None)
    assert error.problems == (error,)


def test_what_was_given_is_kept_as_text() -> None:
    error = ConfigError.of("a", open, "a name")
    assert error.given == repr(open)
    assert pickle.loads(pickle.dumps(error)).given == repr(open)


@pytest.mark.parametrize(("length", "shown"), [(298, 300), (299, 300), (1_000_000, 300)])
def test_what_was_given_is_shown_in_bounded_length(length: int, shown: int) -> None:
    given = ConfigError.of("a", "x" * length, "a name").given
    assert given is not None
    assert len(given) == shown
    assert given.endswith("'" if length == 298 else "…")
    assert given in str(ConfigError.of("a", "x" * length, "a name"))


def test_a_policy_that_makes_no_sense_tells_the_field_and_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        RetryPolicy(max_attempts=0)
    expected = ("RetryPolicy.max_attempts", "0", "an integer of at least 1", None)
    assert attributes(caught.value) == expected


def test_all_contradictions_of_a_policy_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Policy(total_timeout=5, attempt_timeout=6, retry=RetryPolicy(max_retry_after=7))
    assert [(each.where, each.given) for each in caught.value.problems] == [
        ("Policy.attempt_timeout", "6"),
        ("Policy.retry.max_retry_after", "7"),
    ]


def test_several_problems_are_one_error_that_keeps_each() -> None:
    error = ConfigError.of_all([ONE, OTHER])
    assert isinstance(error, ConfigError)
    assert error.problems == (ONE, OTHER)
    assert str(error) == (
        "2 problems:\n  Policy.name must be a name, not 3\n  a.toml: services.a is wrong"
    )
    assert error.where is error.given is error.allowed is None


def test_a_single_problem_is_itself() -> None:
    assert ConfigError.of_all([ONE]) is ONE
    assert ConfigError.of_all([ConfigError.of_all([OTHER])]) is OTHER


def test_problems_of_problems_are_told_in_one_list() -> None:
    error = ConfigError.of_all([THIRD, ConfigError.of_all([ONE, OTHER])])
    assert error.problems == (THIRD, ONE, OTHER)
    assert str(error).startswith("3 problems:\n  c\n  Policy.name")


@pytest.mark.parametrize("error", [ONE, OTHER, THIRD, ConfigError.of_all([ONE, OTHER, THIRD])])
def test_it_pickles_and_copies_with_all_that_it_tells(error: ConfigError) -> None:
    copies: list[Any] = [copy.copy(error), copy.deepcopy(error)]
    copies += [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
    for copied in copies:
        assert type(copied) is ConfigError
        assert str(copied) == str(error)
        assert attributes(copied) == attributes(error)
        assert len(copied.problems) == len(error.problems)
        for one, other in zip(copied.problems, error.problems, strict=True):
            assert str(one) == str(other)
            assert attributes(one) == attributes(other)
