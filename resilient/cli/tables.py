"""Make tables of text, with a head or of columns alone."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from resilient.cli.output import printable

__all__ = ["grid", "headed", "text"]


def grid(*widths: int | None) -> Table:
    """Make columns without lines; one of no given width takes what is left."""
    columns = Table.grid(padding=(0, 2, 0, 0))
    for width in widths:
        columns.add_column(width=width)
    return columns


def headed(*names: str) -> Table:
    """Make columns under their names; text that is too long goes on in the next line."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def text(*lines: str, style: str = "") -> Text:
    """Take foreign text as it is: neither markup nor control characters count."""
    return Text("\n".join(map(printable, lines)), style)
