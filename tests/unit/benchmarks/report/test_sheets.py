"""Tables as text."""

from __future__ import annotations

from benchmarks.report.sheets import Sheet, make_sheets
from benchmarks.results import Figure, Table
from tests.unit.benchmarks.report.samples import BLOG, COMPARISON, LIST


def texts(sheet: Sheet) -> list[list[str]]:
    return [[cell.text for cell in row] for row in sheet.rows]


def test_figures_one_below_the_other() -> None:
    (sheet,) = make_sheets(LIST)
    assert sheet.heads == ("", "measured", "quartiles", "wanted", "holds", "published")
    assert texts(sheet) == [
        ["whole pipeline", "8.93x", "8.70 to 9.20", "at most 10", "yes", ""],
        ["suspending", "4.61 us", "", "at most 4", "NO", ""],
        ["clientwright", "absent: not installed", "", "", "", ""],
        ["full jitter", "912 calls", "", "", "", "about 900 [1]"],
    ]
    assert sheet.notes == (BLOG,)
    assert [row[1].status for row in sheet.rows] == ["", "", "absent", ""]
    assert [row[4].status for row in sheet.rows] == ["holds", "misses", "", ""]


def test_columns_in_which_nothing_is_said_are_left_out() -> None:
    (sheet,) = make_sheets(Table(title="t", figures=(Figure(what="x", value=1, remark="r"),)))
    assert sheet.heads == ("", "measured", "remark")


def test_an_absent_figure_may_say_no_more() -> None:
    (sheet,) = make_sheets(Table(title="t", figures=(Figure(what="x", value=None),)))
    assert texts(sheet) == [["x", "absent"]]


def test_figures_side_by_side() -> None:
    (sheet,) = make_sheets(COMPARISON)
    assert sheet.heads == ("", "1 caller", "64 callers")
    assert texts(sheet) == [
        ["bare", "12,346 requests/s", "-"],
        ["ours", "absent: not installed", "0.930x [1]"],
    ]
    cell = sheet.rows[1][2]
    assert cell.status == "misses"
    assert cell.details == ("0.920 to 0.970", "wanted: at least 0.95 - NO", "published: 0.91 [2]")
    assert sheet.notes == ("warm", BLOG)


def test_a_table_of_both_kinds_is_two() -> None:
    both = Table(title="t", figures=LIST.figures, columns=COMPARISON.columns, rows=COMPARISON.rows)
    assert [sheet.heads[1] for sheet in make_sheets(both)] == ["measured", "1 caller"]


def test_a_table_without_anything_has_no_rows() -> None:
    (sheet,) = make_sheets(Table(title="t"))
    assert sheet.rows == ()


def test_rows_of_any_length_have_as_many_cells_as_there_are_heads() -> None:
    one = Figure(what="x", value=1)
    ragged = Table(title="t", columns=("a", "b"), rows=(("r", (one,)), ("s", (one, one, one))))
    (sheet,) = make_sheets(ragged)
    assert sheet.heads == ("", "a", "b", "")
    assert texts(sheet) == [["r", "1", "-", "-"], ["s", "1", "1", "1"]]


def test_units_are_written_as_asked() -> None:
    (sheet,) = make_sheets(LIST, str.upper)
    assert texts(sheet)[1][1] == "4.61 US"
