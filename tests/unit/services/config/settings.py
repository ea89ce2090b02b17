"""Every field of every policy: what a file may say, and the value that code builds for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any, Final

import backoff
from attrs import field, frozen

from resilient import (
    Aimd,
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    BulkheadPolicy,
    CodeRule,
    ErrorPolicy,
    Policy,
    ResetHeader,
    RetryPolicy,
    TelemetryPolicy,
    ThrottlePolicy,
)

__all__ = [
    "FORMS",
    "PLACES",
    "SETTINGS",
    "Setting",
    "always",
    "document",
    "parse_nothing",
    "policy",
    "steps",
    "tenant",
]


def always(request: object, outcome: object) -> bool:
    """A judge."""
    return True


def steps(step: float) -> Generator[float | None, Any, Any]:
    """A wait generator."""
    yield None
    while True:
        yield step


def parse_nothing(status: int, headers: object, body: bytes) -> None:
    """A parser of error bodies."""


def tenant(request: object) -> str:
    """A key."""
    return "acme"


HERE: Final = __name__


@frozen
class Setting:
    """A key.

    Attributes:
        right: What a file may say, and what code builds for it.
        takes: Those of FORMS that it takes besides.
        along: Keys of the same table that it goes along with.
    """

    right: list[tuple[Any, Any]]
    takes: str = ""
    along: dict[str, Any] = field(factory=dict)


# A value of each type that TOML knows, and a few that are close to right ones.
FORMS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "text": "nonsense",
        "blank": "",
        "reference": "no_such_package.module:name",
        "integer": 7,
        "zero": 0,
        "negative": -1,
        "float": 7.5,
        "nan": math.nan,
        "inf": math.inf,
        "true": True,
        "false": False,
        "date": date(2030, 1, 1),
        "time": time(1, 2, 3),
        "datetime": datetime(2030, 1, 1, tzinfo=UTC),
        "array": [],
        "integers": [7],
        "texts": ["nonsense"],
        "arrays": [[]],
        "tables": [{"nonsense": 1}],
        "empty": {},
        "table": {"nonsense": 1},
    }
)

_SECONDS: Final = Setting([("40s", 40.0), ("1min", 60.0), (41, 41), (41.5, 41.5)], "integer float")
_SOME_SECONDS: Final = Setting([*_SECONDS.right, (False, None)], f"{_SECONDS.takes} false")
_SECONDS_OR_ZERO: Final = Setting([*_SECONDS.right, (0, 0), ("0s", 0.0)], f"{_SECONDS.takes} zero")
_COUNT: Final = Setting([(1, 1), (9, 9)], "integer")
_SHARE: Final = Setting([(0.25, 0.25), (1, 1)])
_FLAG: Final = Setting([(True, True), (False, False)], "true false")
_TEXTS: Final = Setting([(["a", "b"], frozenset({"a", "b"})), ([], frozenset())], "array texts")
_CODES: Final = Setting(
    [({"aws": ["b", "a"], "flat": []}, {"aws": {"a", "b"}, "flat": frozenset()}), ({}, {})], "empty"
)
_STATUSES: Final = Setting(
    [
        ([503, 429], frozenset({429, 503})),
        ([429, "502-504"], frozenset({429, 502, 503, 504})),
        ([], frozenset()),
    ],
    "array",
)

_KEY: Final = Setting(
    [
        ("origin+path:1", "origin+path:1"),
        ("origin + header:X-Tenant", "origin + header:X-Tenant"),
        (f"{HERE}:tenant", tenant),
    ]
)

SETTINGS: Final[Mapping[type[Any], Mapping[str, Setting]]] = {
    Policy: {
        "errors": Setting([({}, ErrorPolicy()), (False, None)], "empty false"),
        "total_timeout": _SOME_SECONDS,
        "retry": Setting([({}, RetryPolicy()), (False, None)], "empty false"),
        "throttle": Setting([({}, ThrottlePolicy()), (False, None)], "empty false"),
        "breaker": Setting([({}, BreakerPolicy()), (False, None)], "empty false"),
        "bulkhead": Setting([({}, BulkheadPolicy()), (False, None)], "empty false"),
        "attempt_timeout": _SOME_SECONDS,
        "max_waiting": _COUNT,
        "reset_headers": Setting(
            [
                (
                    [{"name": "X-Reset", "form": "seconds"}, {"name": "R", "form": "timestamp"}],
                    [ResetHeader("X-Reset", "seconds"), ResetHeader("R", "timestamp")],
                )
            ],
            "array",
        ),
        "telemetry": Setting([({}, TelemetryPolicy()), (False, None)], "empty false"),
    },
    TelemetryPolicy: {
        "templates": Setting([(["/a/{id}", "/a"], ("/a/{id}", "/a")), ([], ())], "array"),
        "call_spans": _FLAG,
        "attempt_spans": _FLAG,
        "metrics": _FLAG,
        "propagate": _FLAG,
        "show_query": _FLAG,
        "max_servers": _COUNT,
    },
    ThrottlePolicy: {
        "limit": Setting([("300/min", "300/min"), ("10/s", "10/s"), (False, None)], "false"),
        "burst": Setting([(1, 1), (5, 5), (False, None)], "integer false", {"limit": "10/s"}),
        "learn": _FLAG,
        "classes": _FLAG,
        "headers": Setting([(["RateLimit"], ("RateLimit",)), ([], ())], "array"),
        "max_wait": _SECONDS_OR_ZERO,
        "pace": Setting([("even", "even"), ("window", "window")]),
        "key": _KEY,
    },
    ErrorPolicy: {
        "parsers": Setting(
            [
                (["nested", "flat"], ("nested", "flat")),
                ("problem", "problem"),
                ([f"{HERE}:parse_nothing"], (parse_nothing,)),
            ],
            "array",
        ),
        "success_parsers": Setting(
            [(["graphql", "slack"], ("graphql", "slack")), ("jsonrpc", "jsonrpc")], "array"
        ),
        "code_rules": Setting(
            [([{"code": "a", "status": 400}], [CodeRule("a", status=400)]), ([], ())], "array"
        ),
        "throttling_codes": _CODES,
        "quota_codes": _CODES,
        "request_id_headers": Setting([(["X-B", "X-A"], ("X-B", "X-A"))], "array texts"),
        "ignore": Setting([([404, 410], {404, 410})], "array"),
        "max_body": Setting([(0, 0), (1_000_000, 1_000_000)], "integer zero"),
        "read_timeout": _SECONDS,
    },
    CodeRule: {
        "code": Setting([("slot_taken", "slot_taken")], "text reference", {"status": 400}),
        "status": Setting([(409, 409), (False, None)], "false", {"code": "a", "message": "b"}),
        "message": Setting(
            [("no longer", "no longer"), (False, None)],
            "text reference false",
            {"code": "a", "status": 400},
        ),
    },
    RetryPolicy: {
        "max_attempts": _COUNT,
        "statuses": _STATUSES,
        "methods": Setting([(["get", "PUT"], {"GET", "PUT"})], "array texts"),
        "exceptions": Setting(
            [
                (["builtins:KeyError", "asyncio:TimeoutError"], (KeyError, TimeoutError)),
                ("builtins:KeyError", KeyError),
            ],
            "array",
        ),
        "codes": _TEXTS,
        "fatal_codes": _TEXTS,
        "backoff": Setting([({"base": "1s"}, Backoff(base=1.0))], "empty"),
        "max_retry_after": _SECONDS_OR_ZERO,
        "budget": Setting(
            [({"ratio": 0.5}, BudgetPolicy(ratio=0.5)), (False, None)], "empty false"
        ),
        "judge": Setting([(f"{HERE}:always", always), (False, None)], "false"),
        "heed_should_retry": _FLAG,
        "idempotency_header": Setting([("Idempotency-Key",) * 2, (False, None)], "text false"),
        "read_body_up_to": Setting([(0, 0), (65_536, 65_536), (False, None)], "integer zero false"),
    },
    Backoff: {
        "wait": Setting(
            [
                ("expo", "expo"),
                ("fibo", "fibo"),
                ("constant", "constant"),
                ("backoff:fibo", backoff.fibo),
            ]
        ),
        "base": Setting([("250ms", 0.25), (2, 2), (2.5, 2.5)], "integer float"),
        "factor": Setting([(1, 1), (1.5, 1.5)], "integer float"),
        "cap": _SECONDS,
        "jitter": Setting([(each, each) for each in ("none", "full", "equal", "decorrelated")]),
        "options": Setting(
            [({"step": 2}, {"step": 2}), ({}, {})], "table empty", {"wait": f"{HERE}:steps"}
        ),
    },
    BudgetPolicy: {
        "ratio": _SHARE,
        "capacity": _COUNT,
        "min_per_second": Setting([(0, 0), (2.5, 2.5)], "integer zero float"),
        "key": _KEY,
    },
    ResetHeader: {
        "name": Setting([("RateLimit-Reset",) * 2], "text", {"form": "seconds"}),
        "form": Setting([("seconds",) * 2, ("timestamp",) * 2], "", {"name": "X"}),
        # However far off: infinitely.
        "limit": Setting(
            [("10min", 600.0), (60, 60)], "integer float inf", {"name": "X", "form": "seconds"}
        ),
        "remaining": Setting(
            [("X-Left", "X-Left"), (False, None)], "text false", {"name": "X", "form": "seconds"}
        ),
    },
    BreakerPolicy: {
        "failures": _COUNT,
        "failure_rate": _SHARE,
        "window": _SECONDS,
        "consecutive_failures": Setting([(5, 5), (False, None)], "integer false"),
        "slow_call": _SOME_SECONDS,
        "slow_rate": _SHARE,
        "open_for": Setting(
            [("250ms", 0.25), (2, 2), ("1min", 60.0)], "integer float", {"max_open_for": 60}
        ),
        "open_factor": Setting([(1, 1), (2.5, 2.5)], "integer float"),
        "max_open_for": _SECONDS,
        "max_open_retry_after": _SECONDS_OR_ZERO,
        "probes": _COUNT,
        # Not below the attempt's own time-out.
        "probe_lease": Setting(_SECONDS.right),
        "recovery": _SECONDS_OR_ZERO,
        "patience": _SECONDS_OR_ZERO,
        "patience_horizon": _SECONDS_OR_ZERO,
        "abandoned_after": _SECONDS,
        "statuses": _STATUSES,
        "key": Setting(
            [
                ("origin", "origin"),
                ("origin+path:2", "origin+path:2"),
                ("origin+method+header:X-Tenant", "origin+method+header:X-Tenant"),
                (f"{HERE}:tenant", tenant),
            ]
        ),
        "observe": _FLAG,
        "max_destinations": _COUNT,
    },
    BulkheadPolicy: {
        "max_concurrent": _COUNT,
        "max_wait": _SECONDS_OR_ZERO,
        "adaptive": Setting([({"initial": 9}, Aimd(initial=9)), (False, None)], "empty false"),
        "key": _KEY,
        "max_destinations": _COUNT,
    },
    Aimd: {
        "initial": _COUNT,
        "minimum": _COUNT,
        "maximum": Setting([(20, 20), (1_000, 1_000)]),
        "decrease": Setting([(0.5, 0.5), (0.75, 0.75)]),
        "increase": _COUNT,
        "statuses": _STATUSES,
    },
}

# Where in a service's table each policy stands.
PLACES: Final[Mapping[type[Any], tuple[str | int, ...]]] = {
    Policy: (),
    ErrorPolicy: ("errors",),
    CodeRule: ("errors", "code_rules", 0),
    RetryPolicy: ("retry",),
    Backoff: ("retry", "backoff"),
    BudgetPolicy: ("retry", "budget"),
    ResetHeader: ("reset_headers", 0),
    ThrottlePolicy: ("throttle",),
    BreakerPolicy: ("breaker",),
    BulkheadPolicy: ("bulkhead",),
    Aimd: ("bulkhead", "adaptive"),
    TelemetryPolicy: ("telemetry",),
}

_AROUND: Final[Mapping[type[Any], Callable[[Any], Policy]]] = {
    Policy: lambda it: it,
    ErrorPolicy: lambda it: Policy(errors=it),
    CodeRule: lambda it: Policy(errors=ErrorPolicy(code_rules=[it])),
    RetryPolicy: lambda it: Policy(retry=it),
    ThrottlePolicy: lambda it: Policy(throttle=it),
    Backoff: lambda it: Policy(retry=RetryPolicy(backoff=it)),
    BudgetPolicy: lambda it: Policy(retry=RetryPolicy(budget=it)),
    ResetHeader: lambda it: Policy(reset_headers=[it]),
    BreakerPolicy: lambda it: Policy(breaker=it),
    BulkheadPolicy: lambda it: Policy(bulkhead=it),
    TelemetryPolicy: lambda it: Policy(telemetry=it),
    Aimd: lambda it: Policy(bulkhead=BulkheadPolicy(adaptive=it)),
}


def policy(kind: type[Any], settings: Mapping[str, Any]) -> Policy:
    """The policy in which code sets these, and nothing else."""
    # What a file names, code has.
    known = {f"{HERE}:steps": steps}
    built = {
        key: known.get(each, each) if key == "wait" else each for key, each in settings.items()
    }
    return _AROUND[kind](kind(**built))


def document(kind: type[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A document of one service named "a" in which these are set, and nothing else."""
    value: Any = dict(settings)
    for key in reversed(PLACES[kind]):
        value = [value] if isinstance(key, int) else {key: value}
    return {"services": {"a": {"match": "https://a.example", **value}}}
