"""Tables as Markdown, and their places in a document."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.report.markdown import insert_tables, markdown_blocks, to_markdown
from benchmarks.results import Figure, Table
from resilient import ConfigError
from tests.unit.benchmarks.report.samples import BLOG, NASTY, REPORT, RESULT, report


def test_figures_become_rows() -> None:
    lines = to_markdown(REPORT).splitlines()
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
    assert f"| ours | absent: not installed | {cell} |" in to_markdown(REPORT).splitlines()


def test_the_machine_the_date_and_the_command_stand_beside() -> None:
    text = to_markdown(REPORT)
    for each in (
        "CPython 3.13.1",
        r"Linux x86\_64",
        "2026-05-04",
        "aiohttp 3.12.15",
        "hyx absent",
        "`python -m benchmarks overhead --seed 7`, seed 7; rounds: 15",
        "- A peer is better.",
        "Ratios of one run.",
        "**It costs 9 times as much as nothing.**",
    ):
        assert each in text


def test_an_address_stays_one() -> None:
    assert BLOG.replace("&", "&amp;") in to_markdown(REPORT)


def test_what_was_interrupted_says_so() -> None:
    text = to_markdown(report(evolve(RESULT, is_complete=False), stopped="x", missing=("load",)))
    assert "**Interrupted" in text
    assert "**Stopped before the end: x; nothing of load.**" in text
    assert "nterrupted" not in to_markdown(REPORT)


@pytest.mark.parametrize("text", [NASTY, "a\nb | c", "<!-- /benchmarks:overhead -->", "# h"])
def test_text_means_nothing_but_itself(text: str) -> None:
    figure = Figure(what=text, value=1, remark=text)
    table = Table(title=text, figures=(figure,), remark=text)
    nasty = evolve(RESULT, title=text, summary=text, notes=(text,), tables=(table,))
    lines = to_markdown(report(nasty)).splitlines()
    assert not [line for line in lines if "<s" in line or "<!--" in line or "\x1b" in line]
    (row,) = [line for line in lines if line.startswith("| ") and " 1 |" in line]
    assert row.replace("\\|", "").count("|") == 4


def test_backticks_in_a_command() -> None:
    text = to_markdown(report(evolve(RESULT, command="a `b` ``c``")))
    assert "``` a `b` ``c`` ```" in text


def test_all_of_a_result_and_each_of_its_tables_are_blocks() -> None:
    blocks = dict(markdown_blocks(REPORT))
    assert list(blocks) == ["overhead", "overhead/in-process", "overhead/on-a-socket"]
    assert "On a socket" in blocks["overhead"]
    assert "1 caller" not in blocks["overhead/in-process"]
    assert all("2026-05-04" in block for block in blocks.values())


DOCUMENT = """# Read me

<!-- benchmarks:overhead/in-process -->
old
<!-- /benchmarks:overhead/in-process -->
  trailing blanks\x20\x20
<!-- benchmarks:load -->kept<!-- /benchmarks:load -->
no line end"""


def test_what_stands_between_the_marks_is_replaced() -> None:
    text = insert_tables(DOCUMENT, REPORT, "README.md")
    before, _, rest = text.partition("in-process -->")
    block, _, after = rest.partition("<!-- /")
    assert f"{before}in-process -->\nold\n<!-- /{after}" == DOCUMENT
    assert block.startswith("\n|  | measured |")
    assert block.endswith(".\n")
    assert "\nold\n" not in block


def test_inserting_again_changes_nothing() -> None:
    once = insert_tables(DOCUMENT, REPORT, "README.md")
    assert insert_tables(once, REPORT, "README.md") == once


def test_line_ends_are_those_of_the_document() -> None:
    text = insert_tables(DOCUMENT.replace("\n", "\r\n"), REPORT, "README.md")
    assert text.replace("\r\n", "\n") == insert_tables(DOCUMENT, REPORT, "README.md")
    assert "\n" not in text.replace("\r\n", "")


def test_results_without_a_mark_are_left_out() -> None:
    both = report(evolve(RESULT, name="storm"), *REPORT.results)
    assert insert_tables(DOCUMENT, both, "README.md") == insert_tables(
        DOCUMENT, REPORT, "README.md"
    )


OPEN, CLOSE = "<!-- benchmarks:overhead -->", "<!-- /benchmarks:overhead -->"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "it has no <!-- benchmarks:overhead -->"),
        ("<!-- benchmarks:load --><!-- /benchmarks:load -->", "it has no <!-- benchmarks:overhead"),
        (OPEN, f"{OPEN} has no counterpart"),
        (CLOSE, f"{CLOSE} has no counterpart"),
        (CLOSE + OPEN, f"{CLOSE} has no counterpart"),
        (OPEN + OPEN + CLOSE, f"{OPEN} has no counterpart"),
        (OPEN + CLOSE + CLOSE, f"{CLOSE} has no counterpart"),
        (OPEN + "<!-- /benchmarks:load -->", f"{OPEN} has no counterpart"),
        (
            "<!-- benchmarks:overhead/x --><!-- /benchmarks:overhead/x -->",
            "there is no table for <!-- benchmarks:overhead/x -->",
        ),
    ],
)
def test_marks_that_do_not_fit_are_named(document: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        insert_tables(document, REPORT, "README.md")
    assert str(caught.value).startswith("README.md: nothing can be inserted: ")
    assert why in str(caught.value)
