"""Draw charts: each line in a panel of its own, and dots with their quartiles in rows.

Lines that cover each other cannot be told apart, so that each has a panel, all of the same
scale, with the others behind it in grey. A chart has two forms, of which a page shows one: a
wide one, and a narrow one for phones, in which no text becomes smaller. The same chart is the
same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

from attrs import frozen

from benchmarks.report.scales import Scale, make_scale
from benchmarks.report.svg import (
    FONT_SIZE,
    SERIES,
    Drawing,
    Point,
    fitted,
    width_of,
    wrapped,
)
from benchmarks.report.text import format_number
from benchmarks.results import Chart, Line
from resilient.support.text import printable

__all__ = ["States", "as_file", "as_svg", "for_documents", "framed"]


@frozen
class _Form:
    """The measures of one form of a chart, in pixels.

    Attributes:
        name: Its class.
        width: The width.
        is_wide: True if there is room for panels side by side and names beside rows.
        plot: The height of a panel.
        has_hits: True if values appear below the mouse: not on a phone, nor in an image of a page.
    """

    name: str
    width: float
    is_wide: bool
    plot: float
    has_hits: bool = False


_WIDE: Final = _Form("wide", 760, is_wide=True, plot=104, has_hits=True)
_NARROW: Final = _Form("narrow", 350, is_wide=False, plot=92)
_DOCUMENT: Final = _Form("document", 440, is_wide=False, plot=92)
# An image of a page grows with the page up to this, in multiples of its own size.
_DOCUMENT_SCALE: Final = 1.3

_LINE: Final = 17.0
_BETWEEN: Final = 14.0
# How much wider strong letters are.
_BOLD: Final = 1.12
# From a base line up to the middle of the letters.
_MIDDLE: Final = FONT_SIZE * 0.34

# Strips of a panel that tell their values when the mouse is over them.
_STRIPS: Final = 32
# Lines of no more points than these have marks.
_FEW_POINTS: Final = 12
_MANY_POINTS: Final = 600

# Heights of the rows of dots, with one dot in each and with several.
_ROW_OF_ONE: Final = 22.0
_ROW_OF_MANY: Final = 16.0
_PADDING: Final = 7.0
_LONGEST_LABEL: Final = 270.0
# With more rows than these, there are ticks at both ends.
_MANY_ROWS: Final = 12


def as_svg(chart: Chart, name: str = "chart") -> str:
    """Return a chart without its title as two SVG elements for a page, wide and narrow.

    Args:
        chart: The chart.
        name: The beginning of its identifiers, which differ from those of others in the page.
    """
    forms = (_WIDE, _NARROW)
    return "".join(_draw(chart, form, f"{name}-{form.name}").inline(form.name) for form in forms)


def as_file(chart: Chart) -> str:
    """Return a chart under its title as an SVG file, which follows light and dark by itself."""
    inner = _draw(chart, _WIDE, "chart")
    return framed(inner, chart.title, chart.remark or chart.title, scale=1.0)


@frozen
class States:
    """States over time, to be drawn below the panels.

    Attributes:
        name: Whose states they are.
        kinds: The class of each state, in the order of the legend.
        stretches: Beginnings, ends and states.
    """

    name: str
    kinds: Mapping[str, str]
    stretches: tuple[tuple[float, float, str], ...]


def for_documents(chart: Chart, description: str, source: str, states: States | None = None) -> str:
    """Return a chart under its title as an SVG file for the documents.

    Args:
        chart: The chart.
        description: What it shows, for those who do not see it.
        source: What made it, for the last line.
        states: States to draw below its panels. Default: none.
    """
    drawing = Drawing(_DOCUMENT.width, name="chart")
    _draw_panels(chart, _DOCUMENT, drawing, states)
    return framed(drawing, chart.title, description, source)


def framed(
    inner: Drawing, title: str, description: str, source: str = "", scale: float = _DOCUMENT_SCALE
) -> str:
    """Return a drawing as a file, under its title, with a margin and a line on its source.

    Args:
        inner: The drawing.
        title: The title.
        description: What it shows, for those who do not see it.
        source: What made it. Default "": no such line.
        scale: Its size where there is room, in multiples of its own. Default: as in the documents.
    """
    margin, lines = 16.0, wrapped(title, inner.width / 1.35, 2)
    top = margin + 20 * len(lines) + 8
    below = _LINE if source else 0.0
    frame = Drawing(inner.width + 2 * margin, inner.height + top + below + 12)
    if source:
        frame.text(margin, frame.height - 12, source, "soft small")
    for index, line in enumerate(lines):
        frame.text(margin, margin + 14 + 20 * index, line, "large")
    frame.place(inner, margin, top)
    return frame.document(title, description, scale)


def _draw(chart: Chart, form: _Form, name: str) -> Drawing:
    drawing = Drawing(form.width, name=name)
    is_drawn = _draw_dots if chart.groups else _draw_panels
    if not is_drawn(chart, form, drawing):
        drawing.height = 48
        drawing.text(form.width / 2, 28, "nothing to draw", "soft", "middle")
    return drawing


def _draw_panels(chart: Chart, form: _Form, drawing: Drawing, states: States | None = None) -> bool:
    """Draw a panel for each line, in columns; return False if there is nothing to draw."""
    every = range(len(chart.lines))
    own = [index for index in every if not chart.lines[index].is_reference] or list(every)
    columns = (1, 1, 2, 3, 2)[len(own)] if len(own) <= 4 else 3
    columns = columns if form.is_wide else 1
    y = make_scale(
        (value for line in chart.lines for value in line.ys),
        is_log=chart.y_scale == "log",
        from_zero=True,
        most=4,
    )
    x = make_scale(
        (
            at
            for line in chart.lines
            for at, value in zip(line.xs, line.ys, strict=False)
            if not math.isnan(value)
        ),
        is_log=chart.x_scale == "log",
        rounded=False,
        most=7 if form.is_wide and columns == 1 else 4,
        ticks=chart.x_ticks,
    )
    if x is None or y is None:
        return False
    top = _legend(drawing, _panel_legend(chart, own), 0.0)
    for words in wrapped(chart.y_label, form.width):
        top += _LINE
        drawing.text(0, top - 5, words, "soft")
    left = max(width_of(label) for _, label in y.ticks) + 8
    right = 4 + max(width_of(label) for _, label in x.ticks[-1:]) / 2 if x.ticks else 4.0
    # The last tick of a panel and the first of the next stand side by side.
    gap = right + 4 + max(width_of(label) for _, label in x.ticks[:1] or ((0.0, ""),)) / 2
    width = (form.width - left - right - gap * (columns - 1)) / columns
    height = form.plot * (2 if len(own) == 1 else 1)
    panels = _Panels(chart, x, y, width, height, drawing, form.has_hits)
    for index, line in enumerate(chart.lines):
        panels.define(index, line)
    for place, index in enumerate(own):
        row, column = divmod(place, columns)
        panels.draw(
            index,
            left + column * (width + gap),
            top + row * (panels.height + _LINE + _BETWEEN),
            titled=len(chart.lines) > 1,
            y_ticks=column == 0,
            x_ticks=place + columns >= len(own),
        )
    bottom = top + math.ceil(len(own) / columns) * (panels.height + _LINE + _BETWEEN) + 22
    if states is not None:
        bottom = _draw_states(drawing, states, x, left, width, bottom - 8)
    for words in wrapped(chart.x_label, form.width):
        drawing.text((left + form.width - right) / 2, bottom, words, "soft", "middle")
        bottom += _LINE
    drawing.height = bottom - _LINE / 2
    return True


def _draw_states(
    drawing: Drawing, states: States, x: Scale, left: float, width: float, top: float
) -> float:
    """Draw a strip of states under the panels, and return the next base line."""
    drawing.text(left, top + 22, states.name, "strong")
    at = left + width_of(states.name, FONT_SIZE * _BOLD) + 14
    for state, kind in states.kinds.items():
        drawing.box(at, top + 13, 10, 10, f"block {kind}")
        drawing.text(at + 15, top + 22, state)
        at += 15 + width_of(state) + 14
    for begin, end, state in states.stretches:
        start, stop = x.place(begin), x.place(min(end, x.high))
        if start is not None and stop is not None and start < stop:
            from_left = left + max(0.0, start) * width
            until = left + stop * width
            kind = f"block {states.kinds[state]}"
            drawing.box(from_left, top + 30, until - from_left, 12, kind, state)
    return top + 62


_Item = tuple[str, int | None, str]
_Placed = tuple[float, float, Point]


def _panel_legend(chart: Chart, own: Sequence[int]) -> list[_Item]:
    spans = dict.fromkeys(span.name for span in chart.spans)
    references = [line.name for index, line in enumerate(chart.lines) if index not in own]
    items: list[_Item] = [("span", None, name) for name in spans]
    items += [("reference", None, name) for name in references]
    return items + ([("ghost", None, "the others")] if len(own) > 1 else [])


def _legend(drawing: Drawing, items: Sequence[_Item], top: float) -> float:
    """Draw signs with their meanings, in as many lines as they take; return where they end."""
    sign, x, y = 26.0, 0.0, top
    for kind, index, meaning in items:
        shown = fitted(meaning, drawing.width - sign)
        wide = sign + width_of(shown) + 18
        if x and x + wide - 18 > drawing.width:
            x, y = 0.0, y + _LINE + 2
        middle = y + _LINE / 2
        if index is not None:
            drawing.mark(index, x + sign / 2 - 3, middle, _kind(index, kind))
        elif kind == "span":
            drawing.box(x, middle - 6, sign - 6, 12, kind)
        else:
            drawing.line(x, middle, x + sign - 6, middle, kind)
        drawing.text(x + sign, middle + _MIDDLE, shown)
        x += wide
    return y + (_LINE + 6 if items else 0)


@frozen
class _Panels:
    """The panels of a chart: a line in each, and the others behind it.

    Attributes:
        chart: The chart.
        x: The x axis of each.
        y: The y axis of each.
        width: The width of each, without labels.
        height: The height of each, without its title.
        drawing: Where they are drawn.
        has_hits: True if values appear below the mouse.
    """

    chart: Chart
    x: Scale
    y: Scale
    width: float
    height: float
    drawing: Drawing
    has_hits: bool

    @property
    def has_few_points(self) -> bool:
        """True if there is room for a mark at each point of each line."""
        return max(len(line.xs) for line in self.chart.lines) <= _FEW_POINTS

    def define(self, index: int, line: Line) -> None:
        """Keep a line, to be drawn again in each panel."""
        points = [point for _, _, point in self._placed(line)]
        self.drawing.curve(_thinned(points), "", str(index))

    def draw(
        self,
        index: int,
        x: float,
        y: float,
        *,
        titled: bool,
        y_ticks: bool,
        x_ticks: bool,
    ) -> None:
        """Draw the panel of a line with its upper left corner there."""
        drawing, line = self.drawing, self.chart.lines[index]
        if titled:
            drawing.mark(index, x + 5, y + _LINE / 2 + 1, _kind(index, "mark"))
            name = fitted(line.name, self.width - 16, FONT_SIZE * _BOLD)
            drawing.text(x + 16, y + _LINE / 2 + 1 + _MIDDLE, name, "strong")
        y += _LINE + 4
        self._draw_spans(x, y)
        self._draw_axes(x, y, y_ticks=y_ticks, x_ticks=x_ticks)
        for other, each in enumerate(self.chart.lines):
            if other != index:
                kind = "reference" if each.is_reference else "ghost"
                drawing.again(str(other), x, y, kind)
        placed = [
            (at, value, point and (point[0] + x, point[1] + y))
            for at, value, point in self._placed(line)
        ]
        if self.y.low == 0 and not self.y.is_log:
            drawing.area(
                _thinned([point for _, _, point in placed]), y + self.height, _kind(index, "area")
            )
        drawing.again(str(index), x, y, _kind(index, "curve"))
        self._draw_marks(index, line, placed)
        if self.has_hits and not self.chart.x_ticks and not self.has_few_points:
            self._draw_hits(line, placed, x, y)

    def _placed(self, line: Line) -> list[_Placed]:
        """Return the xs and ys of a line that are on the x axis, and their points."""
        placed: list[_Placed] = []
        for at, value in zip(line.xs, line.ys, strict=False):
            across, up = self.x.place(at), self.y.place(value)
            if across is not None:
                point = None if up is None else (across * self.width, (1 - up) * self.height)
                placed.append((at, value, point))
        return placed

    def _draw_spans(self, x: float, y: float) -> None:
        for span in self.chart.spans:
            start = self.x.place(max(span.start, self.x.low))
            end = self.x.place(min(span.end, self.x.high))
            if start is not None and end is not None and start < end:
                across = x + start * self.width, (end - start) * self.width
                self.drawing.box(across[0], y, across[1], self.height, "span", span.name)

    def _draw_axes(self, x: float, y: float, *, y_ticks: bool, x_ticks: bool) -> None:
        drawing, bottom = self.drawing, y + self.height
        for value, label in self.y.ticks:
            at = y + (1 - (self.y.place(value) or 0.0)) * self.height
            drawing.line(x, at, x + self.width, at, "grid")
            if y_ticks:
                drawing.text(x - 7, at + _MIDDLE, label, "soft", "end")
        drawing.line(x, bottom, x + self.width, bottom, "axis")
        free = -math.inf
        for value, label in self.x.ticks:
            at, half = x + (self.x.place(value) or 0.0) * self.width, width_of(label) / 2
            drawing.line(at, bottom, at, bottom + 4, "axis")
            if x_ticks and at - half > free:
                drawing.text(at, bottom + 17, label, "soft", "middle")
                free = at + half + 6

    def _draw_marks(self, index: int, line: Line, placed: Sequence[_Placed]) -> None:
        """Mark the points of a short line, or those at ticks with a name, and tell their values."""
        named = dict(self.chart.x_ticks)
        for at, value, point in placed:
            if point is None or (at not in named if named else not self.has_few_points):
                continue
            where = named.get(at) or self._at(at)
            title = f"{line.name}, {where}: {_said(value)} {self.chart.y_label}"
            self.drawing.mark(index, *point, _kind(index, "mark"), title)

    def _draw_hits(self, line: Line, placed: Sequence[_Placed], x: float, y: float) -> None:
        """Tell the values of a long line, in strips that are wide enough to be met."""
        width = self.width / _STRIPS
        strips: dict[int, list[tuple[float, float]]] = {}
        for at, value, point in placed:
            if point is not None:
                strip = min(_STRIPS - 1, int((point[0] - x) / width))
                strips.setdefault(strip, []).append((at, value))
        for strip, found in strips.items():
            at, value = found[len(found) // 2]
            title = f"{line.name}, {self._at(at)}: {_said(value)} {self.chart.y_label}"
            self.drawing.box(x + strip * width, y, width, self.height, "hit", title)

    def _at(self, value: float) -> str:
        return f"{format_number(value)} {self.chart.x_label}".strip()


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Return fewer points that look the same: the least and the greatest of each few."""
    if len(points) <= _MANY_POINTS:
        return points
    every = 2 * len(points) // _MANY_POINTS + 1
    kept: list[Point] = []
    for start in range(0, len(points), every):
        few = [point for point in points[start : start + every] if point is not None]
        if few:
            ends = {min(few, key=itemgetter(1)), max(few, key=itemgetter(1))}
            kept += sorted(ends)
        else:
            kept.append(None)
    return kept


@frozen
class _Dot:
    """A dot of a row.

    Attributes:
        index: The number of its line.
        name: The name of its line.
        value: The value.
        low: The first quartile, or NaN.
        high: The third quartile, or NaN.
    """

    index: int
    name: str
    value: float
    low: float
    high: float

    @property
    def has_quartiles(self) -> bool:
        """True if both are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def _dots(chart: Chart) -> list[list[_Dot]]:
    """Return the dots of each row, in the order of the lines."""
    rows: list[list[_Dot]] = [[] for _ in chart.groups]
    for index, line in enumerate(chart.lines):
        unknown = (math.nan,) * len(line.ys)
        quartiles = line.lows or unknown, line.highs or unknown
        for at, value, low, high in zip(line.xs, line.ys, *quartiles, strict=False):
            if not math.isnan(value) and 0 <= at < len(rows):
                rows[int(at)].append(_Dot(index, line.name, value, low, high))
    return rows


def _draw_dots(chart: Chart, form: _Form, drawing: Drawing) -> bool:
    """Draw rows of dots, their figures beside them; return False if there is nothing to draw."""
    rows = _dots(chart)
    dots = [dot for row in rows for dot in row]
    quartiles = [end for dot in dots if dot.has_quartiles for end in (dot.low, dot.high)]
    scale = make_scale(
        (*(dot.value for dot in dots), *quartiles),
        is_log=chart.y_scale == "log",
        from_zero=True,
        most=6 if form.is_wide else 4,
    )
    if scale is None:
        return False
    figures = max(width_of(_said(dot.value), FONT_SIZE) for dot in dots) + 10
    longest = max(width_of(printable(name)) for name in chart.groups)
    left = min(longest, _LONGEST_LABEL) + 14 if form.is_wide else 6.0
    right = form.width - figures - 6
    table = _Rows(drawing, scale, left, right, form)
    several = len(chart.lines) > 1
    legend: list[_Item] = [
        ("mark", index, line.name) for index, line in enumerate(chart.lines) if several
    ]
    legend += [("whisker idle", None, "from the first quartile to the third")] if quartiles else []
    top = _legend(drawing, legend, 0.0)
    for line in wrapped(chart.y_label, right if form.is_wide else form.width):
        top += _LINE
        drawing.text(left if form.is_wide else 0, top - 5, line, "soft")
    top += _LINE
    table.draw_ticks(top - 4)
    for name, row in zip(chart.groups, rows, strict=True):
        top = table.draw(name, row, top)
    if len(rows) > _MANY_ROWS:
        table.draw_ticks(top + _LINE - 3)
        top += _LINE
    drawing.height = top + 4
    return True


@frozen
class _Rows:
    """The rows of a dot plot: a name, dots on a common axis, and their figures.

    Attributes:
        drawing: Where they are drawn.
        scale: The axis.
        left: Its beginning, in pixels.
        right: Its end.
        form: The form of the chart.
    """

    drawing: Drawing
    scale: Scale
    left: float
    right: float
    form: _Form

    def draw_ticks(self, y: float) -> None:
        """Draw the labels of the axis."""
        free = -math.inf
        for value, label in self.scale.ticks:
            at, half = self._at(value), width_of(label) / 2
            at = max(at, half)
            if at - half > free:
                self.drawing.text(at, y, label, "soft", "middle")
                free = at + half + 6

    def draw(self, name: str, dots: Sequence[_Dot], top: float) -> float:
        """Draw a row, and return where it ends."""
        drawing, bottom = self.drawing, top + self._height(name, dots)
        lines = self._lines(name)
        drawing.line(0, top, self.form.width, top, "grid")
        text, dot_row = top + _PADDING / 2, self._row(dots)
        room = dot_row * max(1, len(dots))
        if self.form.is_wide:
            text += max(0.0, (room - len(lines) * _LINE) / 2)
        for index, line in enumerate(lines):
            drawing.text(0, text + (index + 0.5) * _LINE + _MIDDLE, line)
        first = bottom - _PADDING / 2 - room
        if self.form.is_wide:
            first -= max(0.0, (len(lines) * _LINE - room) / 2)
        # Beside the name of the row, not through it.
        above = top if self.form.is_wide else first
        for value, _ in self.scale.ticks:
            drawing.line(self._at(value), above, self._at(value), bottom, "grid")
        for index, dot in enumerate(dots):
            self._draw_dot(name, dot, first + (index + 0.5) * dot_row)
        return bottom

    def _draw_dot(self, name: str, dot: _Dot, y: float) -> None:
        drawing, said = self.drawing, _said(dot.value)
        title = f"{name}, {dot.name}: {said}"
        if dot.has_quartiles:
            low, high = self._at(dot.low), self._at(dot.high)
            drawing.line(low, y, high, y, _kind(dot.index, "whisker"))
            title += f", quartiles {_said(dot.low)} to {_said(dot.high)}"
        if self.scale.place(dot.value) is not None:
            drawing.mark(dot.index, self._at(dot.value), y, _kind(dot.index, "mark"), title)
        drawing.text(self.form.width, y + _MIDDLE, said, "", "end")

    def _at(self, value: float) -> float:
        return self.left + (self.scale.place(value) or 0.0) * (self.right - self.left)

    def _lines(self, name: str) -> list[str]:
        return wrapped(name, self.left - 14 if self.form.is_wide else self.form.width, 2)

    def _row(self, dots: Sequence[_Dot]) -> float:
        return _ROW_OF_MANY if len(dots) > 1 else _ROW_OF_ONE

    def _height(self, name: str, dots: Sequence[_Dot]) -> float:
        text, room = len(self._lines(name)) * _LINE, self._row(dots) * max(1, len(dots))
        return (max(text, room) if self.form.is_wide else text + room) + _PADDING


def _kind(index: int, kind: str) -> str:
    return f"{kind} s{index % SERIES}"


def _said(value: float) -> str:
    """Write a value with no more digits than matter in a picture."""
    return format_number(round(value) if 100 <= abs(value) < math.inf else value)
