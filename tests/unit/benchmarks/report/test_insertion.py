"""Tables put between marks; all else stays as it is."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.report.insertion import inserted
from resilient import ConfigError
from tests.unit.benchmarks.report.samples import REPORT, RESULT, report

DOCUMENT = """# Read me

<!-- benchmarks:overhead/in-process -->
old
<!-- /benchmarks:overhead/in-process -->
  trailing blanks\x20\x20
<!-- benchmarks:load -->kept<!-- /benchmarks:load -->
no line end"""


def test_what_stands_between_the_marks_is_replaced() -> None:
    text = inserted(DOCUMENT, REPORT, "README.md")
    before, _, rest = text.partition("in-process -->")
    block, _, after = rest.partition("<!-- /")
    assert f"{before}in-process -->\nold\n<!-- /{after}" == DOCUMENT
    assert block.startswith("\n|  | measured |")
    assert block.endswith(".\n")
    assert "\nold\n" not in block


def test_inserting_again_changes_nothing() -> None:
    once = inserted(DOCUMENT, REPORT, "README.md")
    assert inserted(once, REPORT, "README.md") == once


def test_line_ends_are_those_of_the_document() -> None:
    text = inserted(DOCUMENT.replace("\n", "\r\n"), REPORT, "README.md")
    assert text.replace("\r\n", "\n") == inserted(DOCUMENT, REPORT, "README.md")
    assert "\n" not in text.replace("\r\n", "")


def test_results_without_a_mark_are_left_out() -> None:
    both = report(evolve(RESULT, name="storm"), *REPORT.results)
    assert inserted(DOCUMENT, both, "README.md") == inserted(DOCUMENT, REPORT, "README.md")


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
        inserted(document, REPORT, "README.md")
    assert str(caught.value).startswith("README.md: nothing can be inserted: ")
    assert why in str(caught.value)
