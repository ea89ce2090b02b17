"""Draw the trace of one call, and panels of the dashboard, of a run through an outage."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from benchmarks.report.pictures import States, for_documents, framed
from benchmarks.report.scales import make_scale
from benchmarks.report.svg import Drawing, width_of, wrapped
from benchmarks.results import Chart, Line, Span
from benchmarks.telemetry.outage import Outage, Sample

__all__ = ["draw_panels", "draw_trace"]

_WIDTH: Final = 440.0
_LINE: Final = 17.0
_BAR: Final = 12.0
_GAP: Final = 11.0


def draw_trace(outage: Outage, source: str) -> str:
    """Draw the spans of the call that has most to tell, one under the other.

    Args:
        outage: The run.
        source: What made it, for the last line.
    """
    call, attempts = outage.story()
    first = call.start_time or 0

    def seconds(nanoseconds: int | None) -> float:
        return ((nanoseconds or 0) - first) / 1e9

    scale = make_scale((0.0, seconds(call.end_time)), from_zero=True, rounded=False, most=6)
    assert scale is not None, "both ends can be drawn"
    drawing, top = Drawing(_WIDTH), 0.0

    for kind, meaning in (("waits", "waits"), ("ill", "fails"), ("well", "goes well")):
        drawing.box(top, 4, 10, 10, f"block {kind}")
        drawing.text(top + 16, 13, meaning)
        top += 16 + width_of(meaning) + 18
    top = _LINE + 4

    def bar(begin: float, end: float, kind: str) -> None:
        left, right = ((scale.place(each) or 0.0) * _WIDTH for each in (begin, end))
        # As wide as a line at least.
        drawing.box(left, top, max(right - left, 2.5), _BAR, f"block {kind}")

    for span in (call, *attempts):
        attributes: dict[str, Any] = dict(span.attributes or {})
        for index, line in enumerate(wrapped(_words(span, attributes), _WIDTH, 2)):
            top += _LINE
            drawing.text(0, top - 4, line, "strong" if span is call and not index else "")
        began, ended = seconds(span.start_time), seconds(span.end_time)
        if gap := _gap(attributes):
            bar(began - gap, began, "waits")
        bar(
            began,
            ended,
            "idle" if span is call else "ill" if "error.type" in attributes else "well",
        )
        top += _BAR + _GAP
    drawing.line(0, top, _WIDTH, top, "axis")
    for value, label in scale.ticks:
        at = (scale.place(value) or 0.0) * _WIDTH
        drawing.line(at, top, at, top + 4, "axis")
        drawing.text(at, top + 17, label, "soft", "middle" if value else "start")
    drawing.text(_WIDTH / 2, top + 36, "seconds since the call began", "soft", "middle")
    drawing.height = top + 42
    return framed(
        drawing,
        "One call through an outage, as a trace",
        f"A call of {len(attempts)} attempts. Each has a bar for the time that it took, and "
        "before it one for the time that it waited or queued.",
        source,
    )


def _gap(attributes: dict[str, Any]) -> float:
    """Return the seconds that an attempt waited and queued."""
    return sum(
        float(attributes.get(f"resilient.attempt.{each}", 0.0)) for each in ("wait", "queued")
    )


def _words(span: ReadableSpan, attributes: dict[str, Any]) -> str:
    if span.parent is None:
        count = attributes.get("resilient.call.attempts")
        attempts = "1 attempt" if count == 1 else f"{count} attempts"
        error = attributes.get("error.type")
        return f"{span.name}: {attempts}, " + (f"error {error}" if error else "no error")
    words = [str(attributes.get("http.response.status_code", attributes.get("error.type", "")))]
    if waited := float(attributes.get("resilient.attempt.wait", 0.0)):
        words.append(f"after {waited:.2f} s: {attributes.get('resilient.attempt.reason', '')}")
    if queued := float(attributes.get("resilient.attempt.queued", 0.0)):
        words.append(f"queued {queued:.2f} s")
    resend = attributes.get("http.request.resend_count")
    if resend:
        words.append(f"resend_count {resend}")
    return f"{span.name}: {', '.join(words)}"


def draw_panels(outage: Outage, source: str) -> str:
    """Draw panels of the dashboard: calls, requests, refusals, and the circuit.

    Args:
        outage: The run.
        source: What made it, for the last line.
    """
    calls = _grown(outage, "resilient.call.duration", "error.type")
    refusals = _grown(outage, "resilient.refusals", "resilient.refused_by")
    failed = {"calls that fail": _sum(rates for (error,), rates in calls.items() if error)}
    shown = {
        "calls that end well": _sum(rates for (error,), rates in calls.items() if not error),
        **{name: rates for name, rates in failed.items() if rates},
        "requests on the wire": _grown(outage, "http.client.request.duration").get((), []),
        **{f"refusals by the {by}": rates for (by,), rates in refusals.items()},
    }
    times = [(before.at + after.at) / 2 for before, after in pairwise(outage.samples)]
    chart = Chart(
        title="What an operator sees of an outage",
        x_label="seconds",
        y_label="per second",
        lines=tuple(Line(name=name, xs=times, ys=rates) for name, rates in shown.items()),
        spans=tuple(
            Span(start=begin, end=end, name="the server is down") for begin, end in outage.plan.down
        ),
    )
    return for_documents(
        chart,
        "Panels of the calls by their end, of the requests on the wire, and of the refusals by "
        "their reason, and the states of the circuit below, while a server is down twice.",
        source,
        _states(outage),
    )


def _grown(outage: Outage, metric: str, *labels: str) -> dict[tuple[str, ...], list[float]]:
    """Return by how much a metric grows a second between samples, by values of attributes."""
    sums = [sample.by(metric, *labels) for sample in outage.samples]
    gaps = [after.at - before.at for before, after in pairwise(outage.samples)]
    kinds = sorted({kind for each in sums for kind in each})

    def rates(kind: tuple[str, ...]) -> list[float]:
        counts = [each.get(kind, 0.0) for each in sums]
        return [(y - x) / gap for (x, y), gap in zip(pairwise(counts), gaps, strict=True)]

    return {kind: rates(kind) for kind in kinds}


def _sum(several: Iterable[list[float]]) -> list[float]:
    return [sum(each) for each in zip(*several, strict=True)]


_KINDS: Final = {"closed": "well", "open": "ill", "half-open": "s4"}


def _states(outage: Outage) -> States:
    def state(sample: Sample) -> str:
        for name in ("open", "half_open"):
            if sample.total("resilient.breaker.circuits", resilient__breaker__state=name):
                return name.replace("_", "-")
        return "closed"

    stretches, begin = [], 0.0
    for name, samples in groupby(outage.samples, key=state):
        end = list(samples)[-1].at
        stretches.append((begin, end, name))
        begin = end
    return States("the circuit", _KINDS, tuple(stretches))
