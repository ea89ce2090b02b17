"""Print the demo; count nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from resilient.cli.demo.facts import (
    CallFacts,
    Comparison,
    ErrorFacts,
    OutageFacts,
    SpanFacts,
    TelemetryFacts,
)
from resilient.cli.demo.rows import (
    COUNTS,
    STATES,
    afterwards,
    attributes_in_words,
    outcome,
    side_rows,
    timeline,
)
from resilient.cli.tables import grid

__all__ = ["Show"]


class Show:
    """Prints what was counted, part by part.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def opening(self, where: str, seed: int, pipeline: str) -> None:
        """Print what this is about."""
        self._console.print(
            Text(
                f"A server on {where} that misbehaves to order (seed {seed}), and a plain\n"
                "aiohttp session, made beforehand, put under a pipeline by resilient.wrap:\n"
            )
        )
        parts = grid(2, None)
        for line in pipeline.splitlines():
            number, _, part = line.partition(" ")
            parts.add_row(number, Text(part))
        self._indented(parts)

    def heading(self, title: str, explanation: str) -> None:
        """Print the head of a part."""
        self._console.print()
        self._console.print(Text(title, "bold"))
        self._console.print(Text(explanation, "dim"))

    # Single calls.

    def columns(self) -> None:
        """Print the head of the rows of `call`."""
        rows = timeline()
        rows.add_row(*(Text(name, "dim") for name in ("#", "at s", "took s", "outcome", "then")))
        self._console.print()
        self._indented(rows)

    def call(self, facts: CallFacts) -> None:
        """Print the timeline of one call."""
        title = Text.assemble((f"{facts.method} {facts.path}", "bold cyan"))
        if facts.keyed:
            title.append(" with an idempotency key", "cyan")
        title.append(f"  server: {facts.script}", "dim")
        self._console.print(title)
        rows = timeline()
        for attempt in facts.attempts:
            rows.add_row(
                str(attempt.number),
                f"{attempt.started:.3f}",
                f"{attempt.duration:.3f}",
                outcome(attempt),
                afterwards(attempt, facts),
            )
        self._indented(rows)

    def calls(self, facts: Iterable[CallFacts]) -> None:
        """Print the outcomes of the calls."""
        facts = list(facts)
        attempts = sum(len(each.attempts) for each in facts)
        requests = sum(each.requests for each in facts)
        self._console.print(
            Text(
                f"\n{len(facts)} calls: {attempts} attempts by their account, "
                f"{requests} requests by the server's."
            )
        )

    # Typed errors.

    def errors(self, title: str, errors: Iterable[ErrorFacts]) -> None:
        """Print the fields of errors."""
        self._console.print()
        self._console.print(Text(title, "bold cyan"))
        rows = grid(3, 24, None)
        for error in errors:
            remarks = [error.message, *(f"{name}: {said}" for name, said in error.field_errors)]
            rest = []
            if error.request_id is not None:
                rest.append(f"request_id {error.request_id}")
            if error.retry_after is not None:
                rest.append(f"retry_after {error.retry_after:g}")
            remarks.append(", ".join(rest))
            rows.add_row(
                str(error.status),
                Text.assemble((error.kind, "bold"), "\n", (error.code or "", "green")),
                Text("\n".join(remarks)),
            )
        self._indented(rows)

    # The outage.

    def outage(self, facts: OutageFacts) -> None:
        """Print the states of the circuit over time, and then both sides."""
        table = Table(box=SIMPLE_HEAD, show_footer=True, pad_edge=False)
        spells = facts.spells
        table.add_column("at", justify="right")
        table.add_column("circuit")
        table.add_column("because", "in all")
        for name, count in COUNTS:
            total = str(sum(count(spell) for spell in spells))
            table.add_column(name, total, justify="right")
        for spell in spells:
            table.add_row(
                f"{spell.began:.2f}",
                Text(spell.state, STATES[spell.state]),
                Text(spell.reason),
                *(str(count(spell)) for _, count in COUNTS),
            )
        self._console.print(table)
        self.comparison(facts.comparison)

    # With and without.

    def comparison(self, facts: Comparison) -> None:
        """Print both sides, one beside the other."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column()
        table.add_column("aiohttp alone", justify="right")
        table.add_column("with the pipeline", justify="right")
        sides = (side_rows(facts.without), side_rows(facts.with_pipeline))
        for (name, without), (_, with_pipeline) in zip(*sides, strict=True):
            table.add_row(Text(name), without, with_pipeline)
        self._console.print(table)
        for failure, count in Counter(facts.with_pipeline.failures).items():
            self._console.print(Text(f"With the pipeline, {count} failed: {failure}."))

    @contextmanager
    def progress(self, total: int, label: str) -> Iterator[Callable[[str], None]]:
        """Show a progress bar if this is a terminal; call what it yields to advance by one call."""
        if not self._console.is_interactive:
            yield lambda _: None
            return

        def styled(label: str) -> str:
            return f"[{STATES.get(label, 'cyan')}]{label:<9}[/]"

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed} calls"),
        )
        with Progress(
            *columns,
            console=self._console,
            transient=True,
        ) as bar:
            task = bar.add_task(styled(label), total=total)

            def advance(label: str) -> None:
                bar.update(task, advance=1, description=styled(label))

            yield advance

    # Telemetry.

    def telemetry(self, facts: TelemetryFacts) -> None:
        """Print the spans of a call as a tree, and the metrics that moved."""
        self._indented(_tree(facts.call, None))
        self._console.print()
        table = grid(32, 24, None)
        for metric in facts.metrics:
            table.add_row(
                Text(metric.name, "bold"),
                Text(metric.value),
                Text(attributes_in_words(metric.attributes), "dim"),
            )
        self._indented(table)

    def _indented(self, table: Table | Tree) -> None:
        self._console.print(Padding(table, (0, 0, 0, 2)))


def _tree(span: SpanFacts, above: Tree | None) -> Tree:
    """Return a span with those in it."""
    when = f"+{span.began:.3f} s, {span.seconds:.3f} s"
    line = Text.assemble(
        (span.name, "bold red" if span.failed else "bold green"),
        f"  {span.kind}  {when}\n",
        (attributes_in_words(span.attributes), "dim"),
    )
    tree = Tree(line) if above is None else above.add(line)
    for each in span.inside:
        _tree(each, tree)
    return tree
