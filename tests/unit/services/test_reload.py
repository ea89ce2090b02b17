"""Services are replaced whole or not at all, and keep what did not change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from resilient import (
    Bulkhead,
    CircuitBreaker,
    ConfigError,
    Event,
    Policy,
    Retry,
    Service,
    Services,
    Telemetry,
    Throttle,
    load_services,
)
from resilient.clock import SYSTEM_CLOCK
from resilient.core.queues import Room
from resilient.pipeline.standard import STANDARD, Shared
from resilient.telemetry.emitter import Emitter
from resilient.testing import EventLog
from tests.unit.services.support import MAVIO, MEETERGO

BEFORE: dict[str, Any] = {
    "services": {
        "mavio": {"match": MAVIO, "bulkhead": {}, "facts": {"a": 1}},
        "meetergo": {"match": MEETERGO},
    },
    "default": {"total_timeout": 5},
}


def changed(*path: str, to: Any, before: Any = BEFORE) -> Any:
    """The document with another value at a path; None removes it."""
    made = copy.deepcopy(before)
    table = made
    for key in path[:-1]:
        table = table.setdefault(key, {})
    if to is None:
        del table[path[-1]]
    else:
        table[path[-1]] = to
    return made


GUARDS = (Retry, Throttle, CircuitBreaker, Bulkhead)


@pytest.mark.parametrize(
    ("key", "value", "anew", "keys"),
    [
        ("total_timeout", 7, set(), ("total_timeout",)),
        ("attempt_timeout", False, set(), ("attempt_timeout",)),
        ("errors", {"ignore": [404]}, set(), ("errors.ignore",)),
        ("max_waiting", 7, set(), ("max_waiting",)),
        ("facts", {"a": 2}, set(), ("facts",)),
        ("match", [MAVIO, "https://x.example"], set(), ("match",)),
        ("retry", {"max_attempts": 7}, {Retry}, ("retry.max_attempts",)),
        ("retry", {"max_retry_after": 7}, {Retry, Throttle}, ("retry.max_retry_after",)),
        ("throttle", {"limit": "7/s"}, {Throttle}, ("throttle.limit",)),
        ("breaker", {"failures": 7}, {CircuitBreaker}, ("breaker.failures",)),
        ("bulkhead", {"max_concurrent": 7}, {Bulkhead}, ("bulkhead.max_concurrent",)),
        ("bulkhead", False, {Bulkhead}, ("bulkhead",)),
        (
            "reset_headers",
            [{"name": "X-Reset", "form": "seconds"}],
            {Retry, Throttle, CircuitBreaker},
            ("reset_headers",),
        ),
    ],
)
def test_a_part_whose_settings_did_not_change_stays(
    key: str, value: object, anew: set[type[Any]], keys: tuple[str, ...]
) -> None:
    log = EventLog()
    services = load_services(BEFORE, listeners=[log])
    mavio, meetergo, default = services["mavio"], services["meetergo"], services.default_pipeline
    parts = {kind: mavio.find(kind) for kind in GUARDS}
    assert mavio.retry.budget is not None
    budget = mavio.retry.budget
    changes = services.reload(changed("services", "mavio", key, to=value))
    assert changes.changed == {"mavio": keys}
    assert (changes.added, changes.removed, changes.default) == ((), (), ())
    # The pipelines are the same objects, for those who hold them.
    assert services["mavio"] is mavio
    assert services["meetergo"] is meetergo
    assert services.default_pipeline is default
    for kind, part in parts.items():
        assert (mavio.find(kind) is part) == (kind not in anew), kind
    assert mavio.retry.budget is budget
    fresh = load_services(changed("services", "mavio", key, to=value), listeners=[log])["mavio"]
    assert mavio.policy == fresh.policy
    assert mavio.describe() == fresh.describe()
    (event,) = log.reloads
    assert event.changed == tuple(f"mavio.{each}" for each in keys)


def test_circuits_and_queues_stay() -> None:
    services = load_services(BEFORE)
    services["mavio"].breaker.circuit(MAVIO).isolate()
    services.reload(changed("services", "mavio", "retry", to={"max_attempts": 1}))
    assert services["mavio"].breaker.circuit(MAVIO).isolated
    services.reload(changed("services", "mavio", "max_waiting", to=3))
    assert services["mavio"].breaker.room.limit == 3
    # With another policy its circuits begin anew, but for those that somebody has isolated.
    services["mavio"].breaker.circuit(MEETERGO)
    breaker = services["mavio"].breaker
    services.reload(changed("services", "mavio", "breaker", to={"failures": 3}))
    assert services["mavio"].breaker is not breaker
    assert [each.isolated for each in services["mavio"].breaker.circuits] == [True]


def test_a_listener_finds_services_replaced_whole_or_not_at_all() -> None:
    def seconds(services: Services) -> set[Any]:
        of_services = {each.policy.total_timeout for each in services.services}
        return of_services | {
            each.policy.total_timeout for each in services.values() if each.policy
        }

    def document(total: int) -> dict[str, Any]:
        parts = {"total_timeout": total, "breaker": {"failures": total}}
        names = {"mavio": MAVIO, "meetergo": MEETERGO}
        return {"services": {name: {"match": url, **parts} for name, url in names.items()}}

    heard: list[tuple[str, set[Any]]] = []

    def hears(event: Event) -> None:
        heard.append((event.kind, seconds(services)))
        if len(heard) == 2:
            services.reload(document(70))

    services = load_services(document(50), listeners=[hears])
    services["mavio"].breaker.circuit(MAVIO).isolate()
    services.reload(document(60))
    # That the circuit stays isolated is no other transition.
    assert heard == [("transition", {50}), ("reload", {60}), ("reload", {70})]
    assert seconds(services) == {70}
    assert services["mavio"].breaker.circuit(MAVIO).isolated


def test_services_come_and_go() -> None:
    log = EventLog()
    services = load_services(BEFORE, listeners=[log])
    after = changed("services", "meetergo", to=None)
    after["services"]["new"] = {"match": "https://new.example"}
    del after["default"]
    changes = services.reload(after)
    assert (changes.added, changes.removed, changes.default) == (
        ("new",),
        ("meetergo",),
        ("default",),
    )
    assert changes.keys == ("default",)
    assert list(services) == ["mavio", "new"]
    assert services.route(MEETERGO) is None
    route = services.route("https://new.example")
    assert route is not None
    assert route.target.name == "new"
    assert services.default is None
    assert services.default_pipeline is None
    (event,) = log.reloads
    assert str(event) == "services from code: added new; removed meetergo; changed default"
    # And back; what did not change is not told.
    assert services.reload(BEFORE).default == ("default",)
    assert not services.reload(BEFORE)
    assert len(log.reloads) == 2
    assert services.reload(changed("default", "retry", to=False)).keys == ("default.retry",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[services.mavio", "is not valid TOML"),
        ("[services.mavio]\nmatch = 'https://new.example'\nretry = 3\n", "mavio.retry must be"),
        (
            "[services.mavio]\nmatch = 'https://new.example'\n[services.b]\nmatch = 'x'\n",
            "services.b.match must be",
        ),
    ],
)  # fmt: skip
def test_a_problem_in_the_file_leaves_everything_as_it_was(
    content: str, problem: str, tmp_path: Path
) -> None:
    log = EventLog()
    services = load_services(BEFORE, listeners=[log])
    kept = {name: (made, made.policy, list(made)) for name, made in services.items()}
    file = tmp_path / "resilient.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=problem):
        services.reload(file)
    assert {name: (made, made.policy, list(made)) for name, made in services.items()} == kept
    assert services.route("https://new.example") is None
    assert services.default is not None
    (event,) = log.reloads
    assert (event.source, event.added, event.changed) == (str(file), (), ())
    assert problem in event.problems[0]
    assert event.level > 30
    assert "stay as they were" in str(event)


def test_services_from_code_are_replaced_as_well() -> None:
    services = Services([Service("a", "https://a.example")])
    changes = services.replace([Service("a", "https://a.example", Policy(total_timeout=9))])
    assert changes.changed == {"a": ("total_timeout",)}
    with pytest.raises(ConfigError):
        services.replace([Service("b", MAVIO), Service("c", MAVIO)])
    with pytest.raises(ConfigError):
        services.replace([], default="x")  # type: ignore[arg-type]  # what is refused
    assert list(services) == ["a"]


def test_what_all_services_share_stays_shared() -> None:
    throttle = Throttle()
    services = load_services(BEFORE, throttle=throttle)
    services.reload(changed("services", "mavio", "throttle", to={"limit": "7/s"}))
    assert services["mavio"].throttle is throttle
    assert throttle.heir is None


def test_telemetry_can_be_switched_on_and_off() -> None:
    told = Telemetry(meter_provider=MeterProvider())
    services = load_services(BEFORE, telemetry=told)
    breaker = services["mavio"].breaker
    on = changed("services", "mavio", "telemetry", to={})
    assert services.reload(on).changed == {"mavio": ("telemetry",)}
    assert services["mavio"].breaker is breaker
    assert told in breaker.emitter.listeners
    assert services["mavio"].describe() == load_services(on, telemetry=told)["mavio"].describe()
    services.reload(BEFORE)
    assert told not in breaker.emitter.listeners


class Reads:
    """A policy that notes which of its fields are read."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._policy, name)


@pytest.mark.parametrize(
    "part", [each for each in STANDARD if each.settings], ids=lambda it: it.field
)
def test_the_settings_of_a_part_are_all_that_it_is_made_from(part: Any) -> None:
    made, compared = Reads(Policy()), Reads(Policy())
    shared = Shared(SYSTEM_CLOCK, Emitter(), Room(), None, None, None)
    part.make(made if part.field != "bulkhead" else Reads(BULKHEAD), shared)
    part.settings(compared)
    assert made.names <= compared.names


BULKHEAD = load_services(BEFORE)["mavio"].policy or Policy()
