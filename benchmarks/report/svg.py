"""Write SVG: shapes with classes, whose colours follow light and dark.

No shape has a colour of its own. `theme.css` gives the colours of both themes as custom
properties, and `picture.css` says which class has which, in a page and in a file alike. Text
remains text, so that it can be searched and read out; numbers have one decimal, so that the same
picture is the same bytes on each machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final, Literal

from attrs import define, field

from resilient.cli.output import printable

__all__ = ["FONT_SIZE", "SERIES", "Drawing", "Point", "fitted", "stylesheet", "width_of", "wrapped"]

# Pixels, of all text that has no class of its own.
FONT_SIZE: Final = 12.5

# How many colours there are for lines; then they begin again.
SERIES: Final = 7

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float] | None

# Widths of letters in DejaVu Sans, the widest of the usual fonts, as shares of the font's size:
# where another one is used, there is more room.
_WIDTHS: Final = (
    ("ijlI.,:;'|!", 0.32),
    ('frt()[]{}-/" ', 0.42),
    ("acekosvxyz", 0.615),
    ("mwMW%@", 0.98),
    ("+=<>×~", 0.84),
    ("…—", 1.0),
)
_LETTERS: Final = {letter: width for letters, width in _WIDTHS for letter in letters}
_LETTER, _CAPITAL, _FULL_WIDTH = 0.64, 0.75, 1.05


def width_of(text: str, size: float = FONT_SIZE) -> float:
    """Return the width of a text in pixels, rather too much than too little."""
    return size * sum(map(_letter, text))


def _letter(letter: str) -> float:
    known = _LETTERS.get(letter)
    if known is not None:
        return known
    if unicodedata.east_asian_width(letter) in "WF":
        return _FULL_WIDTH
    return _CAPITAL if letter.isupper() else _LETTER


def fitted(text: str, room: float, size: float = FONT_SIZE) -> str:
    """Return a text in one line, cut with an ellipsis if it is wider than the room in pixels."""
    text = printable(text)
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, room: float, most: int = 3) -> list[str]:
    """Return a text in lines that fit into the room in pixels, at most so many of them."""
    lines = [""]
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] = " ".join(lines[most - 1 :])
    return [fitted(line, room) for line in kept]


def _number(value: float) -> str:
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


_STYLES: Final = ("theme.css", "picture.css")


def stylesheet() -> str:
    """Return the rules that give pictures their colours and fonts."""
    here = Path(__file__).parent
    return "".join((here / name).read_text("utf-8") for name in _STYLES)


@define
class Drawing:
    """Shapes of one picture, in pixels from the upper left corner.

    Attributes:
        width: The width.
        height: The height; may be set when all has been drawn.
        name: The beginning of its identifiers, which differ from those of other pictures of a page.
    """

    width: float
    height: float = 0.0
    name: str = "picture"
    _parts: list[str] = field(factory=list, init=False)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: Anchor = "start") -> None:
        """Write a line of text with its base line at `y`."""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        attributes = f'x="{_number(x)}" y="{_number(y)}"{_class(kind)}{where}'
        self._parts.append(f"<text {attributes}>{escape(printable(text))}</text>")

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a straight line."""
        a, b, c, d = map(_number, (x1, y1, x2, y2))
        self._parts.append(f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}"{_class(kind)}/>')

    def box(
        self, x: float, y: float, width: float, height: float, kind: str, title: str = ""
    ) -> None:
        """Draw a rectangle, with words that appear when the mouse is over it."""
        a, b, c, d = map(_number, (x, y, width, height))
        shape = f'<rect x="{a}" y="{b}" width="{c}" height="{d}"{_class(kind)}'
        self._parts.append(_titled(shape, "rect", title))

    def mark(self, shape: int, x: float, y: float, kind: str, title: str = "") -> None:
        """Draw a small mark; shapes of different numbers can be told apart without colours."""
        form = _MARKS[shape % len(_MARKS)]
        place = f"translate({_number(x)} {_number(y)})"
        self._parts.append(
            _titled(f'<path d="{form}" transform="{place}"{_class(kind)}', "path", title)
        )

    def curve(self, points: Sequence[Point], kind: str, key: str = "") -> None:
        """Draw a line through points; one that is None interrupts it.

        Args:
            points: The points.
            kind: The class; "" for a line that is only drawn by `again`.
            key: The name by which `again` draws the same line. Default none.
        """
        path = f'<path d="{_path(points)}"'
        name = f' id="{self._id(key)}"' if key else ""
        drawn = f"{path}{name}{_class(kind)}/>"
        self._parts.append(drawn if kind else f"<defs>{drawn}</defs>")

    def again(self, key: str, x: float, y: float, kind: str) -> None:
        """Draw a line once more, moved to the right and down, in another class."""
        place = f'x="{_number(x)}" y="{_number(y)}"'
        self._parts.append(f'<use href="#{self._id(key)}" {place}{_class(kind)}/>')

    def area(self, points: Sequence[Point], base: float, kind: str) -> None:
        """Fill the space between points and a horizontal line at `base`."""
        pieces = []
        for piece in _pieces(points):
            around = [(piece[0][0], base), *piece, (piece[-1][0], base)]
            pieces.append(f"{_path(around)}Z")
        self._parts.append(f'<path d="{"".join(pieces)}"{_class(kind)}/>')

    def place(self, inner: Drawing, x: float, y: float) -> None:
        """Draw all of another drawing, moved to the right and down."""
        where = f"translate({_number(x)} {_number(y)})"
        self._parts += [f'<g transform="{where}">', *inner._parts, "</g>"]

    def inline(self, kind: str = "") -> str:
        """Return the picture as an element of a page."""
        return f'<svg class="{f"picture {kind}".strip()}" {self._box()}>{self._all()}</svg>'

    def document(self, title: str, description: str, scale: float = 1.0) -> str:
        """Return the picture as a file, which follows light and dark by itself.

        It has a background of its own, since the page around it may be in the other theme than
        the system.

        Args:
            title: The title, for those who do not see it.
            description: The contents in words, for the same.
            scale: Its size where there is room, in multiples of its own. Default 1.
        """
        size = f'width="{_number(self.width * scale)}" height="{_number(self.height * scale)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" {self._box()} {size} '
            f'role="img" aria-labelledby="title description">\n'
            f'<title id="title">{escape(printable(title))}</title>\n'
            f'<desc id="description">{escape(printable(description))}</desc>\n'
            f"<style>\n{stylesheet()}</style>\n"
            f'<rect class="paper" width="100%" height="100%" rx="6"/>\n{self._all()}\n</svg>\n'
        )

    def _all(self) -> str:
        return "\n".join(self._parts)

    def _box(self) -> str:
        return f'viewBox="0 0 {_number(self.width)} {_number(self.height)}"'

    def _id(self, key: str) -> str:
        return f"{self.name}-{key}"


_MARKS: Final = (
    "M-4.6 0a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0 -9.2 0Z",
    "M-4.1 -4.1H4.1V4.1H-4.1Z",
    "M0 -5.4L5.2 3.9H-5.2Z",
    "M0 -5.6L5.6 0L0 5.6L-5.6 0Z",
    "M0 5.4L5.2 -3.9H-5.2Z",
)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _titled(shape: str, tag: str, title: str) -> str:
    if not title:
        return f"{shape}/>"
    return f"{shape}><title>{escape(printable(title))}</title></{tag}>"


def _pieces(points: Sequence[Point]) -> Iterator[list[tuple[float, float]]]:
    piece: list[tuple[float, float]] = []
    for point in (*points, None):
        if point is not None:
            piece.append(point)
        elif piece:
            yield piece
            piece = []


def _path(points: Sequence[Point]) -> str:
    pieces = []
    for piece in _pieces(points):
        # A point alone is a line of no length, which has round ends and can be seen.
        ends = piece if len(piece) > 1 else piece * 2
        pieces.append("M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in ends))
    return "".join(pieces)
