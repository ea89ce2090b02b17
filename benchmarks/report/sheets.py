"""Turn tables into text, from which lines, Markdown and pages are made."""

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
    """A cell of a sheet.

    Attributes:
        text: The text.
        details: Further lines below it, in smaller type.
        status: "holds" or "misses" for a figure with a target, "absent" without a value, else "".
        is_number: True if it is aligned to the right.
    """

    text: str
    details: tuple[str, ...] = ()
    status: Status = ""
    is_number: bool = False


@frozen
class Sheet:
    """A table of text.

    Attributes:
        title: The title.
        heads: The names of the columns.
        rows: The rows, each with as many cells as there are heads.
        remark: A remark for the reader.
        notes: The notes that "[1]", "[2]" in a cell refer to.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    remark: str = ""
    notes: tuple[str, ...] = ()


@frozen
class _Notes:
    """Collects the notes below a table, each once."""

    texts: list[str] = field(factory=list)

    def reference(self, text: str) -> str:
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


Unit = Callable[[str], str]


def make_sheets(table: Table, unit: Unit = str) -> Iterator[Sheet]:
    """Yield the sheets of a table: its list of figures, its comparison, or both.

    Args:
        table: The table.
        unit: Writes a unit. Default: as it is.
    """
    if table.figures or not table.rows:
        yield _list(table, unit)
    if table.rows:
        yield _comparison(table, unit)


def _list(table: Table, unit: Unit) -> Sheet:
    """Return the list of figures, without columns that are empty."""
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
    """Return the cell of a figure, with its quartiles, target and source below."""
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
