"""A report on a terminal."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.report.document import Report
from benchmarks.report.terminal import render_report
from benchmarks.results import Figure, Table
from resilient.cli.output import rendered
from tests.unit.benchmarks.report.samples import BLOG, NASTY, REPORT, RESULT, report


def lines_of(given: Report) -> list[str]:
    return "\n".join(rendered(render_report(given))).splitlines()


def words_of(given: Report) -> str:
    return " ".join(" ".join(lines_of(given)).split())


def test_a_figure_with_all_that_is_known_of_it_is_a_line() -> None:
    lines = [" ".join(line.split()) for line in lines_of(REPORT)]
    assert "whole pipeline 8.93x 8.70 to 9.20 at most 10 yes" in lines
    assert "suspending 4.61 us at most 4 NO" in lines
    assert "clientwright absent: not installed" in lines
    assert "full jitter 912 calls about 900 [1]" in lines
    assert f"[1] {BLOG}" in lines


def test_a_comparison_says_more_below_each_figure() -> None:
    lines = [" ".join(line.split()) for line in lines_of(REPORT)]
    at = lines.index("ours absent: not installed 0.930x [1]")
    assert lines[at + 1 : at + 4] == [
        "0.920 to 0.970",
        "wanted: at least 0.95 - NO",
        "published: 0.91 [2]",
    ]


def test_the_conditions_stand_beside() -> None:
    words = words_of(REPORT)
    for each in (
        "CPython 3.13.1, Linux x86_64, 2 cores, load 0.5, 2026-05-04",
        "aiohttp 3.12.15, hyx absent",
        "run again: python -m benchmarks overhead --seed 7 (seed 7)",
        "rounds: 15; quick: no; policies: none, retry; port: none",
        "* A peer is better.",
        "Ratios of one run.",
    ):
        assert each in words


def test_what_misses_is_told_again_at_the_end() -> None:
    assert lines_of(REPORT)[-3:] == [
        "overhead: 1 of 3 figures are as wanted",
        "misses: overhead, In process, suspending: 4.61 us, wanted at most 4",
        "misses: overhead, On a socket, ours, 64 callers: 0.930x, wanted at least 0.95",
    ]


def test_where_nothing_misses_that_is_said() -> None:
    assert lines_of(report())[-1] == "No figure misses what is wanted of it."


def test_what_was_interrupted_says_so() -> None:
    words = words_of(report(evolve(RESULT, is_complete=False), stopped="x", missing=("load", "a")))
    assert "What it costs INTERRUPTED" in words
    assert words.endswith("Stopped before the end: x; nothing of load, a.")
    assert "INTERRUPTED" not in words_of(REPORT)


@pytest.mark.parametrize("columns", ["1", "20", "79", "300"])
def test_a_terminal_of_any_width_will_do(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "overhead" in "".join(lines_of(REPORT)) or int(columns) < 20


def test_text_is_neither_markup_nor_obeyed() -> None:
    figure = Figure(what=NASTY, value=1, remark=NASTY, wanted=NASTY, holds=False, published=NASTY)
    nasty = evolve(
        RESULT,
        name=NASTY,
        title=NASTY,
        command=NASTY,
        parameters={NASTY: NASTY},
        tables=(Table(title=NASTY, columns=(NASTY,), rows=((NASTY, (figure,)),), remark=NASTY),),
        notes=(NASTY,),
    )
    words = words_of(report(nasty, stopped=NASTY))
    assert "\x1b" not in words
    assert "[bold]" in words


def test_a_table_of_nothing_says_so() -> None:
    assert "nothing was measured" in lines_of(report(evolve(RESULT, tables=(Table(title="t"),))))
