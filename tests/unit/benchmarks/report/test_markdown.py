"""Tables for READMEs."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.report.markdown import blocks_of, markdown_of
from benchmarks.results import Figure, Table
from tests.unit.benchmarks.report.samples import BLOG, NASTY, REPORT, RESULT, report


def test_figures_become_rows() -> None:
    lines = markdown_of(REPORT).splitlines()
    start = lines.index("|  | measured | quartiles | wanted | holds | published |")
    assert lines[start + 1 : start + 6] == [
        "| --- | ---: | ---: | --- | --- | --- |",
        "| whole pipeline | 8.93× | 8.70 to 9.20 | at most 10 | yes |  |",
        "| suspending | 4.61 µs |  | at most 4 | **NO** |  |",
        "| clientwright | absent: not installed |  |  |  |  |",
        r"| full jitter | 912 calls |  |  |  | about 900 \[1\] |",
    ]


def test_a_comparison_has_all_that_is_to_be_said_of_a_figure_in_its_cell() -> None:
    cell = (
        r"**0.930× \[1\]**<br>0.920 to 0.970<br>wanted: at least 0.95 - NO"
        r"<br>published: 0.91 \[2\]"
    )
    assert f"| ours | absent: not installed | {cell} |" in markdown_of(REPORT).splitlines()


def test_the_machine_the_date_and_the_command_stand_beside() -> None:
    text = markdown_of(REPORT)
    for each in (
        "CPython 3.13.1",
        r"Linux x86\_64",
        "2026-05-04",
        "aiohttp 3.12.15",
        "hyx absent",
        "`python -m benchmarks overhead --seed 7`, seed 7; rounds: 15",
        "- A peer is better.",
        "Ratios of one run.",
    ):
        assert each in text


def test_an_address_stays_one() -> None:
    assert BLOG.replace("&", "&amp;") in markdown_of(REPORT)


def test_what_was_interrupted_says_so() -> None:
    text = markdown_of(report(evolve(RESULT, is_complete=False), stopped="x", missing=("load",)))
    assert "**Interrupted" in text
    assert "**Stopped before the end: x; nothing of load.**" in text
    assert "nterrupted" not in markdown_of(REPORT)


@pytest.mark.parametrize("text", [NASTY, "a\nb | c", "<!-- /benchmarks:overhead -->", "# h"])
def test_text_means_nothing_but_itself(text: str) -> None:
    figure = Figure(what=text, value=1, remark=text)
    table = Table(title=text, figures=(figure,), remark=text)
    nasty = evolve(RESULT, title=text, summary=text, notes=(text,), tables=(table,))
    lines = markdown_of(report(nasty)).splitlines()
    assert not [line for line in lines if "<s" in line or "<!--" in line or "\x1b" in line]
    (row,) = [line for line in lines if line.startswith("| ") and " 1 |" in line]
    assert row.replace("\\|", "").count("|") == 4


def test_backticks_in_a_command() -> None:
    text = markdown_of(report(evolve(RESULT, command="a `b` ``c``")))
    assert "``` a `b` ``c`` ```" in text


def test_all_of_a_result_and_each_of_its_tables_are_blocks() -> None:
    blocks = dict(blocks_of(REPORT))
    assert list(blocks) == ["overhead", "overhead/in-process", "overhead/on-a-socket"]
    assert "On a socket" in blocks["overhead"]
    assert "1 caller" not in blocks["overhead/in-process"]
    assert all("2026-05-04" in block for block in blocks.values())
