"""Listeners hear of the kinds that they declare, and what nobody wants is not made."""

from __future__ import annotations

import logging
from typing import Any, get_args
from unittest.mock import Mock

import pytest

from resilient import CallEvents, ConfigError, Deadline, Event, Pipeline, listens_to
from resilient.pipeline.optimistic import optimistic
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.events import KINDS, kinds_of
from resilient.telemetry.levels import LEVELS, Kind

pytestmark = pytest.mark.usefixtures("default_log_level")


class Declared:
    """A listener with an attribute."""

    def __init__(self, kinds: Any) -> None:
        self.kinds = kinds
        self.heard: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event)


def test_each_kind_has_a_class_and_a_level() -> None:
    assert set(KINDS) == set(LEVELS) == set(get_args(Kind))


@pytest.mark.parametrize("kinds", [{"transition"}, frozenset({"transition"})])
def test_a_listener_hears_of_the_kinds_that_it_declares(kinds: Any) -> None:
    declared, everything = Declared(kinds), Mock(spec=[])
    heard: list[Event] = []
    emitter = Emitter([declared, everything, listens_to("throttle", "turn")(heard.append)])
    facts: dict[str, Any] = {"key": "k", "before": "closed", "after": "open"}
    emitter.announce("transition", **facts, code=Mock(), reason="")
    emitter.announce("turn", call=1, method="GET", url="u", by="throttle", seconds=1.0)
    assert [event.kind for event in declared.heard] == ["transition"]
    assert [event.kind for event in heard] == ["turn"]
    assert everything.call_count == 2


def test_what_no_listener_wants_is_not_wanted() -> None:
    emitter = Emitter([Declared({"transition"}), listens_to("refusal", "call")(print)])
    assert {kind for kind in KINDS if emitter.wants(kind)} == {"transition", "refusal", "call"}
    assert not emitter.is_heard(logging.DEBUG)
    assert Emitter([print]).is_heard(logging.DEBUG)
    assert Emitter([print]).wants("call")


def test_the_logger_wants_what_its_level_lets_through_but_no_calls() -> None:
    emitter = Emitter()
    assert not any(map(emitter.wants, KINDS))
    logging.getLogger("resilient").setLevel(logging.DEBUG)
    assert {kind for kind in KINDS if not emitter.wants(kind)} == {"call"}


@pytest.mark.parametrize("kinds", [["transition"], "attempt", None, Mock()])
def test_an_attribute_that_is_no_set_is_the_listeners_own_business(kinds: Any) -> None:
    assert kinds_of(Declared(kinds)) == set(KINDS)
    assert kinds_of(Mock()) == set(KINDS)


@pytest.mark.parametrize("kinds", [{"transitions"}, {"attempt", 5}, {""}])
def test_a_kind_that_does_not_exist_is_refused(kinds: set[Any]) -> None:
    for make in (lambda: Pipeline(listeners=[Declared(kinds)]), lambda: listens_to(*kinds)):
        with pytest.raises(ConfigError, match="kinds must be kinds of events: attempt, "):
            make()


def test_a_listener_that_is_no_plain_function_is_refused() -> None:
    async def listener(event: Event) -> None: ...

    for wrong in (listener, 5):
        with pytest.raises(ConfigError, match="listens_to must be given a plain"):
            listens_to("call")(wrong)  # type: ignore[arg-type]  # on purpose


def test_a_listener_that_raises_is_named_as_it_was_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def rude(event: Event) -> None:
        raise ValueError("no")

    emitter = Emitter([listens_to("turn")(rude)])
    emitter.announce("turn", call=1, method="GET", url="u", by="throttle", seconds=1.0)
    assert "rude" in caplog.text


def test_a_pipeline_follows_calls_only_if_a_listener_wants_them() -> None:
    without = [type(each) for each in Pipeline()]
    uninterested = Pipeline(listeners=[listens_to("attempt", "refusal")(print)])
    assert [type(each) for each in uninterested] == without
    interested = Pipeline(listeners=[listens_to("call")(print)])
    assert [type(each) for each in interested] == [CallEvents, *without]
    assert "1. CallEvents: tells listeners when a call is over" in str(interested)


def test_a_listener_that_wants_no_attempts_leaves_calls_on_their_quick_way() -> None:
    def is_quick(*kinds: Any) -> bool:
        made = Pipeline(listeners=[listens_to(*kinds)(print)])
        return optimistic(made, made) is not None

    assert is_quick("refusal", "transition", "throttle", "hold", "turn", "wait")
    assert not is_quick("attempt")
    assert not is_quick("call")


def test_it_stands_outside_the_deadline() -> None:
    with pytest.warns(UserWarning, match="inside Deadline"):
        Pipeline.of(Deadline(5), CallEvents([print]))
