"""What the tests of telemetry share: providers in memory, and what came to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from resilient import Pipeline, Policy, Telemetry, TelemetryPolicy
from resilient.testing import FaultServer
from tests.integration.support import policy

__all__ = ["Recorder", "context_kept", "of", "parents_of", "traced_policy"]


class Recorder:
    """Providers of their own, and all that they were given.

    Args:
        **tracing: For the tracer provider.
    """

    def __init__(self, **tracing: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(**tracing)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(tracer_provider=self.tracers, meter_provider=self.meters)

    def pipeline(self, made: Policy | None = None, **others: Any) -> Pipeline:
        return Pipeline(made or traced_policy(), telemetry=self.telemetry, **others)

    # -- spans

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    @property
    def calls(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.INTERNAL]

    @property
    def attempts(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def statuses(self) -> list[StatusCode]:
        """The status of each span, those of attempts first as they ended."""
        return [span.status.status_code for span in self.spans]

    # -- metrics

    def points(self, name: str) -> list[tuple[Mapping[str, Any], Any]]:
        """The attributes and the data point of each series of a metric."""
        data = self.reader.get_metrics_data()
        found: list[tuple[Mapping[str, Any], Any]] = []
        for resource in [] if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        points: Any = metric.data.data_points
                        found += [(dict(each.attributes), each) for each in points]
        return found

    def counts(self, name: str, *keys: str) -> dict[Any, float]:
        """How often each series was recorded, or its value, by the values of some attributes."""
        found: dict[Any, float] = {}
        for attributes, point in self.points(name):
            key = tuple(attributes.get(each) for each in keys)
            value = point.count if hasattr(point, "count") else point.value
            found[key] = found.get(key, 0) + value
        return found

    def metric_names(self) -> set[str]:
        data = self.reader.get_metrics_data()
        return {
            metric.name
            for resource in ([] if data is None else data.resource_metrics)
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def everything(self) -> str:
        """All that was exported, as text."""
        data = self.reader.get_metrics_data()
        return " ".join([*(span.to_json() for span in self.spans), data.to_json() if data else ""])


def of(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})


def traced_policy(*, telemetry: TelemetryPolicy | None = None, **changes: Any) -> Policy:
    """The policy of the integration tests, with telemetry."""
    made = TelemetryPolicy() if telemetry is None else telemetry
    return policy(**{"name": "mavio", "telemetry": made, **changes})


def parents_of(server: FaultServer) -> list[int]:
    """The span that each request on the wire names as its parent."""
    return [int(each.headers["traceparent"].split("-")[2], 16) for each in server.requests]


@contextmanager
def context_kept() -> Iterator[None]:
    """Assert that the context is the same afterwards."""
    before = context.get_current()
    yield
    assert context.get_current() is before
