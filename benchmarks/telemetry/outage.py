"""Make calls on real sockets through an outage, and keep what OpenTelemetry is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from attrs import define, field, frozen
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resilient import Pipeline, Policy, Telemetry, TelemetryPolicy, wrap
from resilient.testing import FaultServer, Received, Reply

__all__ = ["Outage", "Plan", "Sample", "run_outage"]


@frozen
class Plan:
    """The course of a run.

    Attributes:
        rate: Calls per second.
        seconds: How long calls are begun.
        down: When the server goes down, and when it is well again: a blip, and an outage.
        every: Seconds from one sample of the metrics to the next.
    """

    rate: float = 50.0
    seconds: float = 18.0
    down: tuple[tuple[float, float], ...] = ((2.0, 2.9), (9.0, 12.0))
    every: float = 0.5

    def scaled(self, seconds: float) -> Plan:
        """Return the same course in another time."""
        by = seconds / self.seconds
        down = tuple((begin * by, end * by) for begin, end in self.down)
        return Plan(self.rate, seconds, down, self.every * by)


@frozen
class Sample:
    """Metrics as they stood at one moment.

    Attributes:
        at: Seconds since the first call.
        counts: How often, or how many, by the name of the metric and the values of its
            attributes, sorted by their names.
    """

    at: float
    counts: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]

    def total(self, metric: str, **labels: str) -> float:
        """Return the sum over the series of a metric that have these attributes."""
        wanted = {(key.replace("__", "."), value) for key, value in labels.items()}
        return sum(
            value
            for (name, series), value in self.counts.items()
            if name == metric and wanted <= set(series)
        )

    def by(self, metric: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the sums over the series of a metric, by the values of some attributes."""
        found: dict[tuple[str, ...], float] = {}
        for (name, series), value in self.counts.items():
            if name == metric:
                own = dict(series)
                key = tuple(own.get(each, "") for each in labels)
                found[key] = found.get(key, 0.0) + value
        return found


@define
class Outage:
    """A run, and what was told of it.

    Attributes:
        plan: Its course.
        samples: The metrics, from moment to moment.
        spans: All spans.
        began: When it began, on the clock of spans, in nanoseconds.
    """

    plan: Plan
    samples: list[Sample] = field(factory=list)
    spans: list[ReadableSpan] = field(factory=list)
    began: int = 0

    def story(self) -> tuple[ReadableSpan, list[ReadableSpan]]:
        """Return the call that has most to tell, and its attempts, in their order.

        That is one that went well at last, with as many attempts as any, and of those the longest.
        """
        inside: dict[int, list[ReadableSpan]] = {}
        for span in self.spans:
            if span.parent is not None:
                inside.setdefault(span.parent.span_id, []).append(span)
        calls = [span for span in self.spans if span.parent is None]

        def worth(span: ReadableSpan) -> tuple[bool, int, int]:
            attempts = inside.get(span.context.span_id, [])
            went_well = "error.type" not in (span.attributes or {})
            return went_well, len(attempts), (span.end_time or 0) - (span.start_time or 0)

        chosen = max(calls, key=worth)
        attempts = inside.get(chosen.context.span_id, [])
        return chosen, sorted(attempts, key=lambda span: span.start_time or 0)


async def run_outage(plan: Plan) -> Outage:
    """Make the calls of a plan; nobody waits for one before the next begins."""
    found = Outage(plan)
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(tracer_provider=tracers, meter_provider=MeterProvider([reader]))
    chosen = TelemetryPolicy(templates=["/meetings/{id}"])
    pipeline = Pipeline(Policy(name="mavio", telemetry=chosen), telemetry=telemetry)
    loop = asyncio.get_running_loop()

    async def answer(_: Received) -> Reply:
        now = loop.time() - began
        is_down = any(begin <= now < end for begin, end in plan.down)
        return Reply(503 if is_down else 200, delay=0.01)

    async def call(session: aiohttp.ClientSession, url: Any) -> None:
        with suppress(aiohttp.ClientError):
            async with session.get(url):
                pass

    async with FaultServer(then=answer) as server, aiohttp.ClientSession() as existing:
        began = loop.time()
        session = wrap(existing, pipeline)
        tasks: set[asyncio.Task[None]] = set()
        samples = made = 0
        while (now := loop.time() - began) < plan.seconds:
            while made <= now * plan.rate:
                tasks.add(loop.create_task(call(session, server.url / f"meetings/{made}")))
                made += 1
            while samples * plan.every <= now:
                found.samples.append(Sample(now, dict(_counts(reader))))
                samples += 1
            await asyncio.sleep(0.25 / plan.rate)
        await asyncio.gather(*tasks)
    found.spans = list(exporter.get_finished_spans())
    found.began = min(span.start_time or 0 for span in found.spans)
    return found


def _counts(
    reader: InMemoryMetricReader,
) -> Iterator[tuple[tuple[str, tuple[tuple[str, str], ...]], float]]:
    data = reader.get_metrics_data()
    for resource in () if data is None else data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    labels = {key: str(value) for key, value in (point.attributes or {}).items()}
                    value = point.count if hasattr(point, "count") else point.value
                    yield (metric.name, tuple(sorted(labels.items()))), value
