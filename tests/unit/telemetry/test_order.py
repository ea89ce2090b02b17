"""Telemetry has its places in an order, and says what it does there."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
from aiohttp import ClientMiddlewareType
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from resilient import (
    AttemptTelemetry,
    AttemptTimeout,
    Bulkhead,
    CallEvents,
    CallTelemetry,
    CircuitBreaker,
    Deadline,
    Pipeline,
    PipelineWarning,
    Policy,
    Retry,
    Telemetry,
    TelemetryPolicy,
    Throttle,
)
from resilient.pipeline.search import is_one_of

NOBODY = Telemetry(tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider())


def call() -> CallTelemetry:
    return CallTelemetry(NOBODY, "mavio")


def attempt() -> AttemptTelemetry:
    return AttemptTelemetry(NOBODY, "mavio")


WRONG: list[tuple[Callable[[], list[ClientMiddlewareType]], str]] = [
    (lambda: [Deadline(5), call()], "CallTelemetry inside Deadline"),
    (lambda: [Retry(), call()], "makes a call of each attempt"),
    (lambda: [Retry(), CallEvents()], "tell of each attempt as a call"),
    (lambda: [attempt(), Retry()], "one span of all attempts"),
    (lambda: [attempt(), Throttle()], "requests of its refusals"),
    (lambda: [attempt(), CircuitBreaker()], "requests of its refusals"),
    (lambda: [attempt(), Bulkhead()], "requests of its refusals"),
    (lambda: [AttemptTimeout(5), attempt()], "takes it for a cancellation"),
    (lambda: [attempt(), attempt()], "each makes a span of the same request"),
]


@pytest.mark.parametrize(("make", "words"), WRONG)
def test_an_order_that_makes_no_sense_is_warned_of(
    make: Callable[[], list[ClientMiddlewareType]], words: str
) -> None:
    with pytest.warns(PipelineWarning, match=words):
        Pipeline.of(*make())


def test_the_standard_order_makes_sense() -> None:
    made = Pipeline(Policy(telemetry=TelemetryPolicy()), telemetry=NOBODY, listeners=[print])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pipeline.of(*made)
    assert [type(each) for each in made][:3] == [CallEvents, CallTelemetry, Deadline]


@pytest.mark.parametrize(
    ("chosen", "call_line", "attempt_line"),
    [
        (
            TelemetryPolicy(),
            "CallTelemetry: a span for each call and metrics, for mavio",
            "AttemptTelemetry: a span for each attempt, traceparent, metrics",
        ),
        (
            TelemetryPolicy(templates=["/a", "/b"], metrics=False, propagate=False),
            "CallTelemetry: a span for each call, for mavio",
            "AttemptTelemetry: a span for each attempt; 2 templates of paths",
        ),
        (
            TelemetryPolicy(call_spans=False, attempt_spans=False, templates=["/a"]),
            "CallTelemetry: metrics, for mavio",
            "AttemptTelemetry: traceparent, metrics; 1 template of paths",
        ),
    ],
)
def test_a_pipeline_says_what_is_told(
    chosen: TelemetryPolicy, call_line: str, attempt_line: str
) -> None:
    lines = str(Pipeline(Policy(name="mavio", telemetry=chosen), telemetry=NOBODY)).splitlines()
    assert lines[0] == f"1. {call_line}"
    assert lines[5] == f"6. {attempt_line}"


def test_what_tells_nothing_is_left_out() -> None:
    nothing = TelemetryPolicy(call_spans=False, attempt_spans=False, metrics=False, propagate=False)
    made = Pipeline(Policy(telemetry=nothing), telemetry=NOBODY)
    assert not is_one_of(CallTelemetry, made)
    assert not is_one_of(AttemptTelemetry, made)
    assert len(made) == len(Pipeline())
