"""Wrap pipelines that tell OpenTelemetry of their calls, and the usual instrumentation beside one.

Spans are made, ended and given to a processor that drops them; metrics are kept in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from aiohttp import ClientMiddlewareType, ClientSession
from attrs import evolve
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

import resilient
from benchmarks.overhead.common_settings import COMMON, CommonSettings
from benchmarks.overhead.ours import PIPELINE, OurMiddleware, policy
from benchmarks.overhead.wrapper import Fetch, fetch_with

__all__ = ["ON_SOCKETS", "TRACED", "USUAL", "instrumented"]

_PARTS = f"{PIPELINE.parts}, telemetry"


def _providers(*, is_sampled: bool = True) -> dict[str, Any]:
    sampling = {} if is_sampled else {"sampler": ParentBased(ALWAYS_OFF)}
    tracers = TracerProvider(**sampling)  # type: ignore[arg-type]  # of that one argument
    tracers.add_span_processor(SpanProcessor())
    return {
        "tracer_provider": tracers,
        "meter_provider": MeterProvider([InMemoryMetricReader()]),
    }


def _telling(name: str, *, is_sampled: bool = True, **chosen: bool) -> OurMiddleware:
    def make(common: CommonSettings) -> ClientMiddlewareType:
        told = resilient.TelemetryPolicy(**chosen)  # type: ignore[arg-type]  # flags
        telemetry = resilient.Telemetry(**_providers(is_sampled=is_sampled))
        return resilient.Pipeline(evolve(policy(common), telemetry=told), telemetry=telemetry)

    return OurMiddleware(f"Pipeline, telemetry: {name}", _PARTS, make, resilient.CircuitOpenError)


_METRICS = _telling("metrics", call_spans=False, attempt_spans=False, propagate=False)
_ATTEMPTS = _telling("metrics, spans of attempts", call_spans=False)
_ALL = _telling("metrics, spans of calls and attempts")
_SAMPLED_OUT = _telling("all of it, sampled out", is_sampled=False)

TRACED = (_METRICS, _ATTEMPTS, _ALL, _SAMPLED_OUT)
ON_SOCKETS = (_METRICS, _ATTEMPTS, _ALL)

# The row of the usual instrumentation.
USUAL = "Pipeline, instrumented as usual"


class _Instrumented(OurMiddleware):
    """A pipeline without telemetry, in a session with OpenTelemetry's own instrumentation."""

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Yield a fetch through a session with both."""
        from opentelemetry.instrumentation.aiohttp_client import create_trace_config

        async with ClientSession(
            connector=session.connector,
            connector_owner=False,
            timeout=session.timeout,
            middlewares=[self.middleware(common)],
            trace_configs=[create_trace_config(**_providers())],
        ) as client:
            yield fetch_with(client)


def instrumented() -> tuple[OurMiddleware, ...]:
    """Return the pipeline beside the usual instrumentation; nothing if that is not installed."""
    if find_spec("opentelemetry.instrumentation") is None:
        return ()

    def make(common: CommonSettings) -> ClientMiddlewareType:
        return resilient.Pipeline(policy(common))

    return (_Instrumented(USUAL, _PARTS, make, resilient.CircuitOpenError),)
