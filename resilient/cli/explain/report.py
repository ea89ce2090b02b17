"""What `explain` prints."""

from __future__ import annotations

import math
from typing import Any

from attrs import asdict
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from resilient.cli.explain.explanation import Explanation
from resilient.cli.explain.times import Times
from resilient.cli.plain import fact_lines, plain
from resilient.redact import public_url

__all__ = ["as_json", "show"]

# Waits after so many attempts are as good as all.
_SHOWN = 10


def as_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation for a program; None where nothing limits a time."""
    times = explanation.times
    return {
        "url": str(public_url(explanation.target.url)),
        "method": explanation.target.method,
        "service": explanation.service,
        "because": explanation.because,
        "others": [{"service": name, "pattern": each} for name, each in explanation.others],
        "facts": plain(explanation.facts),
        "order": list(explanation.order),
        "failures": [asdict(each) for each in explanation.failures],
        "notes": list(explanation.notes),
        "times": times and {name: _finite(each) for name, each in asdict(times).items()},
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and math.isinf(value) else value


def show(explanation: Explanation, console: Console) -> None:
    """Print an explanation."""
    name = explanation.service or ("aiohttp alone" if explanation.times is None else "the default")
    console.print(Text.assemble((str(explanation.target), "bold")))
    console.print(Text.assemble("  goes to ", (name, "bold green"), f": {explanation.because}"))
    for other, pattern in explanation.others:
        console.print(Text(f"  {pattern} of {other} covers it too, and is less specific", "dim"))
    for line in fact_lines(explanation.facts):
        console.print(Text(f"  {line}", "dim"))
    if explanation.times is None:
        return
    _heading(console, "Order, outermost first")
    for place, line in enumerate(explanation.order, 1):
        console.print(Padding(Text(f"{place}. {line}"), (0, 0, 0, 2)))
    if explanation.failures:
        _heading(console, "After a first attempt that failed")
        console.print(_failures(explanation))
    for note in explanation.notes:
        console.print(Padding(Text(f"- {note}"), (0, 0, 0, 2)))
    _heading(console, "Time")
    console.print(Padding(_times(explanation.times), (0, 0, 0, 2)))


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, "bold"))


def _failures(explanation: Explanation) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("failure", "repeated", "because"):
        table.add_column(column, overflow="fold")
    for each in explanation.failures:
        verdict = Text("yes", "green") if each.is_repeated else Text("no", "red")
        table.add_row(Text(each.what), verdict, Text(each.reason))
    return table


def _times(times: Times) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_row("attempts", f"at most {times.attempts}, each {_seconds(times.attempt)} at most")
    for wait in times.waits[:_SHOWN]:
        bounds = f"{wait.least:.3g} to {wait.most:.3g} s"
        if wait.least == wait.most:
            bounds = f"{wait.most:.3g} s"
        rows.add_row(f"wait {wait.after_attempt}", bounds)
    if times.attempts - 1 > _SHOWN:
        rows.add_row("…", f"and so on, {times.attempts - 1} waits in all")
    rows.add_row("at worst", f"{_seconds(times.worst)}, limited by {times.limited_by}")
    if times.unlimited > times.worst:
        rows.add_row("", f"(without that, {_seconds(times.unlimited)})")
    return rows


def _seconds(seconds: float) -> str:
    return "without limit" if math.isinf(seconds) else f"{seconds:.4g} s"
