"""Make the rows and columns of what the demo shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from resilient.attempts import Attempt
from resilient.cli.demo.facts import CallFacts, Side, Spell
from resilient.cli.tables import grid

__all__ = [
    "COUNTS",
    "STATES",
    "afterwards",
    "attributes_in_words",
    "outcome",
    "side_rows",
    "timeline",
]

STATES: Final = {"closed": "green", "half_open": "yellow", "open": "red"}

COUNTS: tuple[tuple[str, Callable[[Spell], int]], ...] = (
    ("calls", lambda spell: spell.calls),
    ("failed", lambda spell: spell.failed),
    ("refused", lambda spell: spell.refused),
    ("requests", lambda spell: spell.requests),
)


def timeline() -> Table:
    """Make columns: attempt, start, duration, outcome, and what followed."""
    return grid(1, 5, 6, 19, None)


def outcome(attempt: Attempt) -> Text:
    """Put the outcome of an attempt into words."""
    if attempt.status is not None:
        return Text(str(attempt.status), "green" if attempt.status < 400 else "red")
    # What the system said of it stands beside, in the reason.
    return Text((attempt.error or "").partition(" (")[0], "red")


def afterwards(attempt: Attempt, facts: CallFacts) -> Text:
    """Put what followed an attempt, and why, into words."""
    held = f"held for {attempt.queued:.3f} s before; " if attempt.queued else ""
    if attempt.waited is not None:
        return Text(f"{held}waited {attempt.waited:.3f} s: {attempt.reason}", "yellow")
    if facts.raised is None:
        keys = f"; {facts.requests} requests, {facts.keys} key" if facts.keyed else ""
        return Text(f"{held}returned{keys}", "green")
    return Text.assemble(held, (f"raised {facts.raised}", "bold red"), f": {facts.stop_reason}")


def attributes_in_words(attributes: Mapping[str, object]) -> str:
    """Put attributes of a span or a metric into a line; durations to the millisecond."""
    return ", ".join(
        f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value}"
        for name, value in attributes.items()
    )


def side_rows(side: Side) -> list[tuple[str, str]]:
    """Return the names and figures of one side of the comparison."""
    return [
        ("calls", str(side.calls)),
        ("  succeeded", str(side.succeeded)),
        ("  failed", str(side.failed)),
        ("requests on the wire", str(side.requests)),
        *((f"  {name}", str(count)) for name, count in side.served),
        ("time", f"{side.seconds:.2f} s"),
        ("slowest call", f"{side.slowest:.2f} s"),
    ]
