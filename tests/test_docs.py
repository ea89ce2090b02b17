"""The documents are right about telemetry: the log, the file, the dashboard and the alerts.

(That the code of all pages runs is tested in `docs/`.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry

import resilient
from resilient import (
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    BulkheadPolicy,
    Pipeline,
    ResilientError,
    Telemetry,
    load_services,
)
from resilient.testing import FakeClock, Reply
from tests.examples import examples_of, output_of
from tests.integration.support import client, fault_server, retry_policy, status_of
from tests.integration.telemetry_support import Recorder, traced_policy

DOCS = Path(__file__).parent.parent / "docs"


def test_the_log_of_structlog_has_the_fields_and_the_trace() -> None:
    examples = examples_of(DOCS / "telemetry.md")
    (example,) = (each for each in examples if "structlog" in each.parsed)
    (line,) = output_of(example).splitlines()
    record = json.loads(line)
    assert record["level"] == "warning"
    assert record["resilient"]["event"] == "transition"
    assert record["resilient"]["code"] == "consecutive"
    assert record["resilient"]["name"] == "mavio"
    assert (len(record["trace_id"]), len(record["span_id"])) == (32, 16)


def test_the_file_of_services_in_the_documents_is_right() -> None:
    text = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    (block,) = text.split("```toml\n")[1:]
    table = tomllib.loads(block.split("```")[0])
    services = load_services(table, telemetry=Recorder().telemetry)
    policy = services["mavio"].policy
    assert policy is not None
    assert policy.telemetry is not None
    # The defaults, but for the templates.
    assert policy.telemetry == resilient.TelemetryPolicy(templates=policy.telemetry.templates)
    assert set(table["services"]["mavio"]["telemetry"]) == {
        each.name for each in type(policy.telemetry).__attrs_attrs__
    }


def test_the_page_of_benchmarks_says_how_to_make_its_tables() -> None:
    text = " ".join((DOCS / "benchmarks.md").read_text(encoding="utf-8").split())
    assert '-e ".[bench,peers]" && .venv/bin/python -m benchmarks all' in text
    assert "`python -m benchmarks report benchmarks-report.json --into docs/benchmarks.md`" in text


# -- what is told to Grafana and Prometheus, against a scrape


def expressions() -> Iterator[tuple[str, str]]:
    """Yield each query, with where it stands."""

    def found(node: Any, where: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, dict):
            where = node.get("title") or node.get("name") or where
            if isinstance(node.get("expr"), str):
                yield where, node["expr"]
            for each in node.values():
                yield from found(each, where)
        elif isinstance(node, list):
            for each in node:
                yield from found(each, where)

    yield from found(json.loads((DOCS / "grafana/resilient.json").read_text()), "dashboard")
    rules = (DOCS / "grafana/alerts.yml").read_text(encoding="utf-8")
    names = re.findall(r"alert: (\w+)", rules)
    exprs = re.findall(r"expr: (.+)", rules)
    yield from zip(names, exprs, strict=True)


@pytest.fixture(scope="module")
def scrape() -> dict[str, list[dict[str, str]]]:
    """The series of a run that fails on purpose, by name: the labels of each."""
    registry = CollectorRegistry()
    telemetry = Telemetry(meter_provider=MeterProvider([PrometheusMetricReader(registry=registry)]))

    async def run() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        made = traced_policy(
            retry=retry_policy(
                budget=BudgetPolicy(ratio=0.001, capacity=2, min_per_second=0),
                backoff=Backoff(base=0.001, jitter="none"),
            ),
            breaker=BreakerPolicy(consecutive_failures=6, open_for=0.05, patience=1),
            bulkhead=BulkheadPolicy(max_concurrent=2),
        )
        pipeline = Pipeline(made, telemetry=telemetry, clock=FakeClock())
        refused = Reply(429, headers={"Retry-After": "0.05"})
        answers: list[Reply] = []

        async def answer(_: object) -> Reply:
            return answers[0] if answers else Reply(200)

        async with fault_server(then=answer) as server, client(pipeline) as session:

            async def call() -> None:
                with contextlib.suppress(ResilientError):
                    await status_of(session, server.url)

            server.script(*[Reply(delay=0.02)] * 5, refused)
            await asyncio.gather(*[call() for _ in range(5)])
            await call()
            answers.append(Reply(503))
            for _ in range(14):
                await call()
            # The server is well again, and the circuit closes.
            answers.clear()
            while pipeline.breaker.circuit(server.url).state != "closed":
                await call()
                await asyncio.sleep(0.01)
        # While the pipeline is there.
        families.extend(registry.collect())

    families: list[Any] = []
    asyncio.run(run())
    found: dict[str, list[dict[str, str]]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


def selectors(expression: str) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """The metrics of a query, and the labels that each has to have."""
    found = []
    for name, inside in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        labels = re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', inside)
        found.append((name, {label: (how, value) for label, how, value in labels}))
    return found


@pytest.mark.parametrize(("where", "expression"), [*expressions()])
def test_each_query_names_what_a_scrape_has(
    where: str, expression: str, scrape: dict[str, list[dict[str, str]]]
) -> None:
    asked = selectors(expression)
    assert asked, "each metric is written with braces, so that it can be told from a label"
    for name, labels in asked:
        series = scrape.get(name, [])
        assert series, f"{where}: {name} is not in {sorted(scrape)}"

        def fits(own: dict[str, str], labels: dict[str, tuple[str, str]] = labels) -> bool:
            return all(
                how == "=~" or (own.get(label, "") == value) is (how == "=")
                for label, (how, value) in labels.items()
            )

        assert any(map(fits, series)), f"{where}: no series of {name} fits {labels}"
    known = {label for name, _ in asked for own in scrape[name] for label in own}
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= known, where
    # What is written is what is meant: parentheses match.
    assert expression.count("(") == expression.count(")")


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board = json.loads((DOCS / "grafana/resilient.json").read_text(encoding="utf-8"))
    assert board["schemaVersion"] == 39
    assert [each["name"] for each in board["templating"]["list"]] == ["datasource", "service"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not own & cells, f"{panel['title']} lies over another"
        assert max(x for x, _ in own) < 24
        cells |= own
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
