"""Make a call that OpenTelemetry is told of, and take down what it was told.

This needs OpenTelemetry's SDK, which keeps spans and metrics in memory here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resilient.cli.demo.facts import MetricFacts, SpanFacts, TelemetryFacts
from resilient.cli.demo.run import Stage, make_call
from resilient.cli.demo.scenario import POLICY, TRACED
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap
from resilient.telemetry.policy import TelemetryPolicy
from resilient.telemetry.telemetry import Telemetry

__all__ = ["run_traced"]


async def run_traced(stage: Stage) -> TelemetryFacts:
    """Make the call, and return its spans and the metrics that moved."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(tracer_provider=tracers, meter_provider=MeterProvider([reader]))
    chosen = TelemetryPolicy(templates=["/mavio/meetings/{id}"])
    pipeline = Pipeline(evolve(POLICY, telemetry=chosen), telemetry=telemetry)
    await make_call(stage, wrap(stage.plain, pipeline), TRACED)
    spans = exporter.get_finished_spans()
    (root,) = (span for span in spans if span.parent is None)
    return TelemetryFacts(_tree(root, root, spans), tuple(_moved(reader)))


def _tree(span: ReadableSpan, root: ReadableSpan, spans: Iterable[ReadableSpan]) -> SpanFacts:
    began, ended, first = span.start_time or 0, span.end_time or 0, root.start_time or 0
    inside = [each for each in spans if each.parent and each.parent.span_id == span.context.span_id]
    return SpanFacts(
        name=span.name,
        kind=span.kind.name,
        began=(began - first) / 1e9,
        seconds=(ended - began) / 1e9,
        failed=not span.status.is_unset and not span.status.is_ok,
        attributes=dict(span.attributes or {}),
        inside=tuple(_tree(each, root, spans) for each in inside),
    )


def _moved(reader: InMemoryMetricReader) -> Iterator[MetricFacts]:
    data = reader.get_metrics_data()
    assert data is not None, "something was counted"
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = _value(point, metric.unit or "")
                    if value is not None:
                        yield MetricFacts(metric.name, dict(point.attributes or {}), value)


def _value(point: Any, unit: str) -> str | None:
    """Put a value into words; None for one that has not moved."""
    if hasattr(point, "count"):
        seconds = f"{point.sum:.3f} s" if unit == "s" else f"{point.sum:g}"
        return seconds if point.count == 1 else f"{point.count} times, {seconds} in all"
    return f"{point.value:g}" if point.value else None
