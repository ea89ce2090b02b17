"""Draw the trace of one call, and panels of the dashboard, of a run through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from opentelemetry.sdk.trace import ReadableSpan

from benchmarks.telemetry.outage import Outage, Plan, Sample, run_outage

__all__ = ["draw", "draw_panels", "draw_trace"]

_WELL: Final = "#3b8b5a"
_FAILED: Final = "#c0392b"
_WAITING: Final = "#c8cdd3"
_CALL: Final = "#5b6b7b"
_REFUSED: Final = ("#e0a030", "#8e6bb8", "#4a90c2", "#c2607f", "#7f8c8d", "#b5b04a")


def draw(folder: Path, plan: Plan | None = None) -> list[Path]:
    """Make a run, and write both pictures into a folder.

    Returns:
        The files.
    """
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        outage = runner.run(run_outage(plan or Plan()))
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, made in (("trace", draw_trace(outage)), ("outage", draw_panels(outage))):
        files.append(folder / f"{name}.png")
        made.savefig(files[-1], dpi=110)
    return files


def draw_trace(outage: Outage) -> Figure:
    """Draw the spans of the call that has most to tell, one under the other."""
    call, attempts = outage.story()
    spans = [call, *attempts]
    figure = Figure(figsize=(9.5, 0.9 + 0.52 * len(spans)), layout="constrained")
    axes: Axes = figure.subplots()
    first = call.start_time or 0

    def seconds(nanoseconds: int | None) -> float:
        return ((nanoseconds or 0) - first) / 1e9

    whole = seconds(call.end_time)
    for row, span in enumerate(spans):
        began, ended = seconds(span.start_time), seconds(span.end_time)
        attributes: dict[str, Any] = dict(span.attributes or {})
        color = _CALL if span is call else _FAILED if "error.type" in attributes else _WELL
        for name, gap in _gaps(attributes):
            axes.barh(row, gap, left=began - gap, height=0.5, color=_WAITING)
            if gap > whole / 12:
                axes.text(began - gap / 2, row, name, ha="center", va="center", fontsize=7.5)
        # As wide as a line at least.
        axes.barh(row, max(ended - began, whole / 250), left=began, height=0.5, color=color)
        label, inside = _label(span, attributes), span is call
        axes.text(
            *(0.01 * whole if inside else ended + whole / 80, row, label),
            va="center",
            fontsize=8.5,
            color="white" if inside else "black",
        )
    axes.set_yticks(range(len(spans)), [span.name for span in spans], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, whole * 1.28)
    axes.set_xlabel("seconds since the call began", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("One call through an outage, as a trace", fontsize=10, loc="left")
    return figure


def _gaps(attributes: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the time before an attempt that it waited, and the reason for most of it."""
    waited = float(attributes.get("resilient.attempt.wait", 0.0))
    queued = float(attributes.get("resilient.attempt.queued", 0.0))
    if not waited + queued:
        return []
    why = attributes.get("resilient.attempt.reason", "")
    words = []
    if waited:
        words.append(f"waits {waited:.2f} s: {why}")
    if queued:
        words.append(f"queues {queued:.2f} s")
    return [(", ".join(words), waited + queued)]


def _label(span: ReadableSpan, attributes: dict[str, Any]) -> str:
    if span.parent is None:
        count = attributes.get("resilient.call.attempts")
        attempts = "1 attempt" if count == 1 else f"{count} attempts"
        error = attributes.get("error.type")
        return f"{attempts}, " + (f"error {error}" if error else "no error for the caller")
    status = attributes.get("http.response.status_code", attributes.get("error.type", ""))
    resend = attributes.get("http.request.resend_count")
    return f"{status}" + (f", resend_count {resend}" if resend else "")


def draw_panels(outage: Outage) -> Figure:
    """Draw three panels of the dashboard: calls and attempts, refusals, circuits."""
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    calls, refusals, circuits = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1))
    _draw_calls(calls, outage)
    _draw_refusals(refusals, outage)
    _draw_circuits(circuits, outage)
    for axes in (calls, refusals, circuits):
        for begin, end in outage.plan.down:
            axes.axvspan(begin, end, color="#c0392b", alpha=0.07, lw=0)
        axes.set_xlim(0, outage.plan.seconds)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    circuits.set_xlabel("seconds; the server is down where it is shaded", fontsize=9)
    return figure


def _rates(outage: Outage, value: Callable[[Sample], float]) -> tuple[list[float], list[float]]:
    """Return times, and by how much a count has grown a second until then."""
    xs, ys = [], []
    for before, after in pairwise(outage.samples):
        xs.append((before.at + after.at) / 2)
        ys.append((value(after) - value(before)) / (after.at - before.at))
    return xs, ys


_Rates = tuple[list[float], list[float]]


def _layers(outage: Outage, metric: str, *labels: str) -> dict[tuple[str, ...], _Rates]:
    """Return the rates of a metric by the values of some attributes."""
    kinds = sorted({key for sample in outage.samples for key in sample.by(metric, *labels)})

    def rates(kind: tuple[str, ...]) -> _Rates:
        return _rates(outage, lambda sample: sample.by(metric, *labels).get(kind, 0.0))

    return {kind: rates(kind) for kind in kinds}


def _stack(axes: Axes, layers: dict[str, _Rates], colors: list[str]) -> None:
    if layers:
        xs = next(iter(layers.values()))[0]
        heights = [ys for _, ys in layers.values()]
        axes.stackplot(xs, *heights, labels=list(layers), colors=colors, alpha=0.8)


def _draw_calls(axes: Axes, outage: Outage) -> None:
    layers = _layers(outage, "resilient.call.duration", "error.type")
    errors = [error for (error,) in layers]
    _stack(
        axes,
        {f"calls: {error or 'well'}": layers[error,] for error in errors},
        [_WELL if not each else _FAILED if each.isdigit() else _REFUSED[0] for each in errors],
    )
    xs, ys = _rates(outage, lambda sample: sample.total("http.client.request.duration"))
    axes.plot(xs, ys, color="black", lw=1.4, label="requests on the wire")
    axes.set_title("Calls and requests per second", fontsize=10, loc="left")
    axes.legend(fontsize=8, loc="upper right", ncols=2, frameon=False)


def _draw_refusals(axes: Axes, outage: Outage) -> None:
    layers = _layers(outage, "resilient.refusals", "resilient.refused_by", "resilient.reason")
    colors = [_REFUSED[place % len(_REFUSED)] for place in range(len(layers))]
    _stack(axes, {f"{by}: {why}": ys for (by, why), ys in layers.items()}, colors)
    if layers:
        axes.legend(fontsize=8, loc="upper right", frameon=False)
    axes.set_title("Refusals per second, by reason", fontsize=10, loc="left")


def _draw_circuits(axes: Axes, outage: Outage) -> None:
    xs = [sample.at for sample in outage.samples]
    for state, color in (("open", _FAILED), ("half_open", "#e0a030")):
        ys = [
            sample.total("resilient.breaker.circuits", resilient__breaker__state=state)
            for sample in outage.samples
        ]
        axes.fill_between(xs, ys, step="post", color=color, alpha=0.8, label=state, lw=0)
    axes.set_yticks([0, 1])
    axes.set_title("Circuits that are not closed", fontsize=10, loc="left")
    axes.legend(fontsize=8, loc="upper right", frameon=False)
