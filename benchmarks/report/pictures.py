"""Draw charts as pictures: the same bytes for the same chart, and no global setting changed."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report.plot import PlotData, plot_data, set_axes, shade_spans
from benchmarks.report.text import format_number
from benchmarks.results import Chart
from resilient.cli.output import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["as_png", "as_svg"]

# Okabe and Ito (2008), for people who see fewer colours: https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# Not as many as colours, so that lines of the same colour differ.
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")

_SIZE = (8.6, 4.6)  # inches
_DOTS_PER_INCH = 160
_MARKS_PER_LINE = 12
_MANY_POINTS = 200
_LETTERS_IN_A_ROW = 95
_LONGEST_NAME = 70

# The share of the distance between two groups that bars take.
_GROUP_WIDTH = 0.82

# From here on the height of a bar is a whole number.
_FEW_DIGITS = 10

_LOOKS: Final[Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10.5,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": "#222222",
    "axes.xmargin": 0.02,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "hatch.color": "#c9c9c9",
    "hatch.linewidth": 0.6,
    # A dollar sign begins no formula.
    "text.parse_math": False,
    # Text remains text, so that it can be searched and read out.
    "svg.fonttype": "none",
}


def as_png(chart: Chart) -> bytes:
    """Return a chart under its title as the bytes of a PNG file."""
    with _looks("png"):
        figure = _drawn(chart, titled=True)
        return _saved(figure, "png", {"Software": None})


def as_svg(chart: Chart, salt: str = "") -> str:
    """Return a chart without its title as an SVG element for a page.

    Args:
        chart: The chart.
        salt: A text that makes its identifiers differ from those of other charts of the page.
    """
    with _looks(salt or "svg"):
        figure = _drawn(chart, titled=False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        text = _saved(figure, "svg", nothing).decode()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # These identifiers are the same in every chart, but have to be unique in a page.
    return re.sub(r'<g id="[a-zA-Z0-9._]+_\d+">', "<g>", element)


@contextmanager
def _looks(salt: str) -> Iterator[None]:
    """Use our own settings of matplotlib, not the user's, and restore them at the end."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # Missing letters, or a legend that leaves no room, are no reason to warn.
        warnings.simplefilter("ignore", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_LOOKS, "svg.hashsalt": salt})
        yield


def _saved(figure: Figure, form: str, metadata: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=form, metadata=metadata)
    return file.getvalue()


def _drawn(chart: Chart, *, titled: bool) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if titled:
        title = fill(printable(chart.title), 76)
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    seen = plot_data(chart)
    axes.set_xlabel(printable(chart.x_label))
    axes.set_ylabel(printable(chart.y_label))
    if not seen.has_points:
        _say_nothing(axes)
        return figure
    for index, (name, xs, ys) in enumerate(seen.lines):
        if seen.groups:
            _draw_bars(axes, index, len(seen.lines), name, xs, ys)
        else:
            _draw(axes, index, name, xs, ys)
    set_axes(axes, seen)
    shade_spans(axes, seen)
    _add_legend(figure, axes, seen)
    return figure


def _say_nothing(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(
        0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", va="center", size=13
    )


def _draw(axes: Axes, index: int, name: str, xs: list[float], ys: list[float]) -> None:
    every = max(1, len(xs) // _MARKS_PER_LINE)
    axes.plot(
        xs,
        ys,
        label=_label(name),
        color=_COLOURS[index % len(_COLOURS)],
        linestyle=_DASHES[index % len(_DASHES)],
        linewidth=1.9 if len(xs) < _MANY_POINTS else 1.2,
        marker=_MARKERS[index % len(_MARKERS)],
        markersize=5,
        # Markers on an axis are not cut in half.
        clip_on=False,
        zorder=3,
        # Lines that coincide have their markers in different places.
        markevery=(index * every // 3 % every, every),
    )


def _draw_bars(
    axes: Axes, index: int, count: int, name: str, xs: list[float], ys: list[float]
) -> None:
    """Draw one bar of `count` in each group, with its height above it."""
    width = _GROUP_WIDTH / count
    offset = (index - (count - 1) / 2) * width
    bars = axes.bar(
        [x + offset for x in xs],
        ys,
        width,
        label=_label(name),
        color=_COLOURS[index % len(_COLOURS)],
        zorder=3,
    )
    axes.bar_label(bars, fmt=_height, fontsize=7, padding=1.5)


def _height(value: float) -> str:
    """Write the height of a bar with no more digits than there is room for."""
    return format_number(value if abs(value) < _FEW_DIGITS else round(value))


def _label(name: str) -> str:
    shown = printable(name)
    if len(shown) > _LONGEST_NAME:
        shown = shown[: _LONGEST_NAME - 1] + "…"
    # matplotlib leaves names that begin with an underscore out of the legend.
    return f" {shown}" if shown.startswith("_") else shown or " "


def _add_legend(figure: Figure, axes: Axes, seen: PlotData) -> None:
    """Add a legend below the axes, where it covers nothing."""
    longest = max(len(_label(name)) for name, _, _ in seen.lines) + 8
    columns = max(1, min(len(seen.lines), _LETTERS_IN_A_ROW // longest))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
