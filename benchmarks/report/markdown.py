"""Write a report as Markdown, or insert its tables into a document such as a page of the site.

Comments in lines of their own mark the place for all tables of a result,

    <!-- benchmarks:overhead -->
    <!-- /benchmarks:overhead -->

or for one table, named by its title in small letters with hyphens:
benchmarks:overhead/on-a-socket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.report.document import Report, machine_in_a_line, versions_in_a_line
from benchmarks.report.sheets import Cell, Sheet, make_sheets
from benchmarks.report.text import format_value, printed_unit, slug
from benchmarks.results import Result, Table
from resilient import ConfigError
from resilient.cli.output import printable

__all__ = ["insert_tables", "markdown_blocks", "to_markdown"]

# In an address no character is special, except those that end it.
_SPECIAL = re.compile(r"(https?://[^\s|`]+)|([\\`*_\[\]|~#])")
_STRONG = ("misses",)
_INTERRUPTED = "**Interrupted: this is what was measured until then.**"
_MARK = re.compile(r"<!-- *(?P<end>/?)benchmarks:(?P<key>[^\s>]+) *-->")


def to_markdown(report: Report) -> str:
    """Return all tables as Markdown, with the machine and the date."""
    parts = ["# Benchmarks", _conditions(report)]
    if report.stopped:
        missing = f"; nothing of {', '.join(report.missing)}" if report.missing else ""
        parts.append(f"**Stopped before the end: {_text(report.stopped + missing)}.**")
    for result in report.results:
        finding = [f"**{_text(result.headline)}**"] if result.headline else []
        parts += [f"## {_text(result.title)}", *finding, _text(result.summary), *_result(result)]
    return "\n\n".join(parts) + "\n"


def _conditions(report: Report) -> str:
    line = f"Measured with {machine_in_a_line(report.machine)}; "
    return _text(line + versions_in_a_line(report.machine) + ".")


def _result(result: Result) -> Iterator[str]:
    yield from _how(result)
    for table in result.tables:
        yield f"**{_text(table.title)}**"
        yield from _table(table)
    if result.notes:
        yield "\n".join(f"- {_text(note)}" for note in result.notes)


def _how(result: Result) -> Iterator[str]:
    if not result.is_complete:
        yield _INTERRUPTED
    seed = "" if result.seed is None else f", seed {result.seed}"
    parameters = "".join(
        f"; {name}: {format_value(each)}" for name, each in result.parameters.items()
    )
    yield f"Run again with {_code(result.command)}{_text(seed + parameters)}."


def _table(table: Table) -> Iterator[str]:
    for sheet in make_sheets(table, printed_unit):
        yield from _sheet(sheet)


def _sheet(sheet: Sheet) -> Iterator[str]:
    numeric = [
        any(row[column].is_number for row in sheet.rows) for column in range(len(sheet.heads))
    ]
    lines = [
        _row(map(_text, sheet.heads)),
        _row("---:" if each else "---" for each in numeric),
        *(_row(map(_cell, row)) for row in sheet.rows),
    ]
    yield "\n".join(lines)
    below = [f"[{index}] {note}" for index, note in enumerate(sheet.notes, start=1)]
    if sheet.remark:
        below.append(sheet.remark)
    if below:
        yield "<br>".join(map(_text, below))


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    first = _text(cell.text)
    if first and cell.status in _STRONG:
        first = f"**{first}**"
    return "<br>".join([first, *map(_text, cell.details)])


def _text(text: str) -> str:
    """Escape text for Markdown, in one line."""
    line = printable(" ".join(text.splitlines()))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: found[1] or f"\\{found[2]}", line)


def _code(text: str) -> str:
    line = printable(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    blank = " " if "`" in line else ""
    return f"{fence}{blank}{line}{blank}{fence}"


def markdown_blocks(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the blocks that can be inserted, by name: each result, and each of its tables."""
    conditions = _conditions(report)
    for result in report.results:
        yield result.name, "\n\n".join([*_result(result), conditions])
        for table in result.tables:
            # Short, since one document may have many: the parameters are in the command.
            parts = [*_table(table), *([] if result.is_complete else [_INTERRUPTED])]
            parts.append(f"By {_code(result.command)}. {conditions}")
            yield f"{result.name}/{slug(table.title)}", "\n\n".join(parts)


def insert_tables(document: str, report: Report, name: str) -> str:
    """Return the document with the tables of a report between its marks, otherwise unchanged.

    Args:
        document: The text of the document.
        report: The report; results for which the document has no marks are left out.
        name: The name of the document for error messages.

    Raises:
        ConfigError: There is no mark for any of the results, a mark is not closed, or a mark names
            a table that the result does not have.
    """
    blocks = dict(markdown_blocks(report))
    ours = {result.name for result in report.results}
    newline = "\r\n" if "\r\n" in document else "\n"
    parts, position, used = [], 0, 0
    for start, end, key in _places(document, name):
        if key.partition("/")[0] not in ours:
            continue  # of another benchmark, which was not run
        if key not in blocks:
            raise _wrong(name, f"there is no table for <!-- benchmarks:{key} -->")
        block = f"\n{blocks[key]}\n".replace("\n", newline)
        parts += [document[position:start], block]
        position, used = end, used + 1
    if not used:
        marks = " or ".join(f"<!-- benchmarks:{each} -->" for each in sorted(ours))
        raise _wrong(name, f"it has no {marks} ... <!-- /benchmarks:... -->")
    return "".join((*parts, document[position:]))


def _places(document: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the beginning and the end of the text between each pair of marks, and its name."""
    begun: re.Match[str] | None = None
    for mark in _MARK.finditer(document):
        key, ends = mark["key"], bool(mark["end"])
        if ends != (begun is not None) or (begun and begun["key"] != key):
            raise _wrong(name, f"{(begun or mark)[0]} has no counterpart")
        if begun:
            yield begun.end(), mark.start(), key
        begun = None if ends else mark
    if begun:
        raise _wrong(name, f"{begun[0]} has no counterpart")


def _wrong(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name}: nothing can be inserted: {why}", file=name)
