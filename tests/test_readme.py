"""The README is one page: its code runs, its links lead somewhere, its figures are measured."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example

from resilient import load_services
from tests.examples import examples_of, output_of

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

# The rows of its tables, and those of the page of benchmarks that have their figures.
ROWS = {
    "is down for 30 s: seconds of calls that fail": "a 50/s 30 s: lost",
    "the same: requests that it gets meanwhile, of the usual": "a 50/s 30 s: load",
    "is down for 2 s: seconds of calls that fail": "a 50/s 2 s: lost",
    "fails 20 % of requests at random: calls that succeed": "b 20 % 100/s: success",
    "fails 70 % of requests at random: calls that succeed": "b 70 % 100/s: success",
    "lets 10 a second through, and gets 50 at once: calls done": "d 50 at once: done",
    "the same, for a job of 5,000 items: items done": "h 5000 items 50 workers: done",
    "a retry and a breaker written by hand": "hand-written retry, breaker (retry, breaker)",
    "`Pipeline()`": "resilient: Pipeline()",
    "`Pipeline()`, with metrics for OpenTelemetry": "resilient: Pipeline, telemetry: metrics",
    "aiohttp-retry": "aiohttp-retry (retry)",
    "tenacity": "tenacity (retry)",
    "stamina": "stamina (retry)",
}


def rows_of(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a document's tables: the first cell, and the others."""
    for line in re.findall(r"^\| (.*) \|$", document.read_text(encoding="utf-8"), re.M):
        first, *others = line.split(" | ")
        yield first, others


@pytest.mark.parametrize("example", examples_of(README), ids=lambda example: f"line {example.line}")
def test_the_examples_of_the_readme_run(example: Example) -> None:
    assert output_of(example)


def test_the_file_of_services_in_the_readme_is_right() -> None:
    block, *_ = README.read_text(encoding="utf-8").split("```toml\n")[1:]
    services = load_services(tomllib.loads(block.split("```")[0]))
    assert list(services) == ["mavio", "meetergo"]
    assert services.default_pipeline is not None


def test_the_readme_shows_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    commands = [block.split("```")[0].strip() for block in text.split("```sh\n")[1:]]
    assert [command.rsplit(" && ", 1)[1] for command in commands] == [
        ".venv/bin/python -m resilient demo",
        ".venv/bin/python -m pytest -n auto",
    ]


def test_the_readme_is_one_page() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 175


def test_the_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", README.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert len(inside) > 10
    assert [link for link in inside if not (ROOT / link).is_file()] == []


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    # Figures alone; what was wanted of one, and its quartiles, come after it.
    measured: dict[str, list[str]] = {}
    for name, cells in rows_of(ROOT / "docs" / "benchmarks.md"):
        figures = [re.split(r"<br>| \\\[", cell)[0].strip("*") for cell in cells]
        measured.setdefault(name, []).extend(figures)
    shown = {name: cells for name, cells in rows_of(README) if name in ROWS}
    assert shown.keys() == ROWS.keys()
    stale = [
        f"{name}: {', '.join(cells)}; measured: {', '.join(measured[ROWS[name]])}"
        for name, cells in shown.items()
        if not set(cells) <= set(measured[ROWS[name]])
    ]
    assert stale == []
