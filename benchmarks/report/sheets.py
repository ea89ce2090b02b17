"""Tables as text, before anybody decides whether that becomes lines, Markdown or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from attrs import field, frozen

from benchmarks.report.text import ABSENT, format_quartiles, format_with_unit
from benchmarks.results import Figure, Table

__all__ = ["Cell", "Sheet", "make_sheets"]

Status = Literal["", "holds", "misses", "absent"]

_NOTHING = "-"


@frozen
class Cell:
    """A cell.

    Attributes:
        text: What it says.
        details: What it says below that, smaller.
        status: Whether its figure is what it is to be, or is not there; "" for all else.
        is_number: Whether it goes to the right.
    """

    text: str
    details: tuple[str, ...] = ()
    status: Status = ""
    is_number: bool = False


@frozen
class Sheet:
    """A table of text.

    Attributes:
        title: What it is about.
        heads: The names of the columns.
        rows: The cells, as many as heads.
        remark: What to know when reading it.
        notes: What "[1]", "[2]" in a cell stand for.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    remark: str = ""
    notes: tuple[str, ...] = ()


@frozen
class _Notes:
    """Notes below a table, each of them once."""

    texts: list[str] = field(factory=list)

    def reference(self, text: str) -> str:
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


Unit = Callable[[str], str]


def make_sheets(table: Table, unit: Unit = str) -> Iterator[Sheet]:
    """A table as text: first its figures, then its comparison, if it has both.

    Args:
        table: The table.
        unit: How a unit is written.
    """
    if table.figures or not table.rows:
        yield _list(table, unit)
    if table.rows:
        yield _comparison(table, unit)


def _list(table: Table, unit: Unit) -> Sheet:
    """Only those columns in which something is said."""
    notes = _Notes()
    columns: dict[str, list[Cell]] = {
        "": [Cell(each.what) for each in table.figures],
        "measured": [_measured(each, unit) for each in table.figures],
        "quartiles": [Cell(format_quartiles(each), is_number=True) for each in table.figures],
        "wanted": [Cell(each.wanted) for each in table.figures],
        "holds": [_verdict(each) for each in table.figures],
        "published": [
            Cell(_joined(each.published, notes.reference(each.source))) for each in table.figures
        ],
        "remark": [Cell("" if each.value is None else each.remark) for each in table.figures],
    }
    always = ("", "measured")
    kept = [
        head
        for head, cells in columns.items()
        if head in always or any(each.text for each in cells)
    ]
    rows = zip(*(columns[head] for head in kept), strict=True)
    return Sheet(table.title, tuple(kept), tuple(rows), table.remark, tuple(notes.texts))


def _measured(figure: Figure, unit: Unit) -> Cell:
    if figure.value is None:
        return Cell(_absent(figure), status="absent", is_number=True)
    return Cell(format_with_unit(figure.value, unit(figure.unit)), is_number=True)


def _absent(figure: Figure) -> str:
    return figure.remark or ABSENT


def _verdict(figure: Figure) -> Cell:
    if figure.holds is None:
        return Cell("")
    return Cell("yes", status="holds") if figure.holds else Cell("NO", status="misses")


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _comparison(table: Table, unit: Unit) -> Sheet:
    notes = _Notes()
    width = max(len(table.columns), *(len(cells) for _, cells in table.rows))
    columns = (*table.columns, *[""] * (width - len(table.columns)))
    rows = []
    for name, cells in table.rows:
        padded = (*cells, *[None] * (width - len(cells)))
        rows.append((Cell(name), *(_compared(each, unit, notes) for each in padded)))
    return Sheet(table.title, ("", *columns), tuple(rows), table.remark, tuple(notes.texts))


def _compared(figure: Figure | None, unit: Unit, notes: _Notes) -> Cell:
    """A figure in a cell of its own, with all that is to be said of it."""
    if figure is None:
        return Cell(_NOTHING, is_number=True)
    if figure.value is None:
        return Cell(_absent(figure), status="absent", is_number=True)
    measured = format_with_unit(figure.value, unit(figure.unit))
    first = _joined(measured, notes.reference(figure.remark))
    published = figure.published and f"published: {figure.published}"
    wanted = figure.wanted and f"wanted: {figure.wanted}"
    verdict = _verdict(figure)
    details = (
        format_quartiles(figure),
        _joined(wanted, verdict.text and f"- {verdict.text}"),
        _joined(published, notes.reference(figure.source)),
    )
    return Cell(first, tuple(filter(None, details)), verdict.status, is_number=True)
