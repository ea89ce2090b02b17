"""The report in a real browser: nothing beyond the window, and all text readable.

At the width of a desktop, of the narrowest window that gets the wide pictures, and of a phone, in
light and dark; the pictures of the documents too.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import pytest
from attrs import evolve

from benchmarks.report.page import to_html
from benchmarks.results import Chart, Figure, Line, Span, Table
from tests.integration.browser import Page, find_chromium, opened_page
from tests.unit.benchmarks.report.samples import CHART, COMPARISON, RESULT, report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None,
        reason="no Chromium on this machine: install one, or say in $CHROMIUM where it is",
    ),
]

Theme = Literal["light", "dark"]

WIDTHS: Final = {"desktop": 1280, "narrow": 745, "phone": 390}
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
HERE: Final = Path(__file__).parent
PICTURES: Final = sorted((HERE.parents[1] / "docs" / "pictures").glob("*.svg"))
LOOK: Final = (HERE / "readable.js").read_text("utf-8")

POLICIES: Final = ("none", "retry", "retry+breaker", "the whole pipeline, with a bulkhead")
LONG: Final = "a name as long as they come: telemetry, metrics, spans of calls and attempts"


def waves(count: int, scale: float = 100.0) -> tuple[Line, ...]:
    xs = tuple(each / 2 for each in range(60))
    return tuple(
        Line(
            name=POLICIES[each % len(POLICIES)],
            xs=xs,
            ys=tuple(scale * (1 + math.sin(x / 3 + each)) for x in xs),
            is_reference=each == 4,
        )
        for each in range(count)
    )


def dots(groups: int, scale: Literal["linear", "log"]) -> Chart:
    values = [2.0 ** (each / 3) for each in range(groups)]
    return Chart(
        title=f"On a socket: {groups} rows, {scale}",
        x_label="",
        y_label="requests for each second of CPU, as a share of those of aiohttp alone",
        y_scale=scale,
        groups=tuple(f"{LONG}, {each}" if each % 3 else f"row {each}" for each in range(groups)),
        lines=tuple(
            Line(
                name=name,
                xs=range(each, groups, 2),
                ys=values[each::2],
                lows=[value * 0.9 for value in values[each::2]],
                highs=[value * 1.2 for value in values[each::2]],
            )
            for each, name in enumerate(("resilient", "what people use instead"))
        ),
        remark="Less is better.",
    )


def made() -> str:
    """A report with all that a real one has, and names as long as they come."""
    cell = Figure(what=LONG, value=12345.6, low=1.0, high=2e6, unit="requests/s", remark=LONG)
    missed = evolve(cell, holds=False, wanted="at most 9")
    wide = Table(
        title="outage",
        columns=tuple(f"a column of the comparison, {each}" for each in range(9)),
        rows=((LONG, (cell,) * 9), ("w" * 60, (missed,) * 9)),
    )
    latencies = evolve(
        CHART,
        title="outage: latency of the calls that succeeded",
        x_label="percentile",
        y_label="ms",
        x_scale="log",
        y_scale="log",
        spans=(),
        x_ticks=((2.0, "p50"), (10.0, "p90"), (100.0, "p99"), (1e3, "p99.9"), (1e4, "p99.99")),
        lines=tuple(
            Line(name=name, xs=(1, 2, 10, 100, 1e3, 1e4), ys=(1, 2, 9, 80, 900 + each, 7e3))
            for each, name in enumerate(POLICIES)
        ),
    )
    spans = (Span(start=6, end=12.5, name="outage"),)
    charts = (
        dots(5, "linear"),
        dots(16, "log"),
        *(
            evolve(CHART, title=f"outage: {count} lines", lines=waves(count, scale), spans=spans)
            for count, scale in ((1, 1e6), (2, 0.001), (5, 90.0))
        ),
        latencies,
    )
    few = tuple(Line(name=name, xs=(20, 50, 100), ys=(110, 600, 1900)) for name in POLICIES)
    charts += (evolve(CHART, title="On a socket: few points", lines=few, y_scale="log"),)
    results = (
        evolve(RESULT, tables=(*RESULT.tables, wide), charts=charts, headline=f"3 %. {LONG}."),
        evolve(RESULT, name="load", charts=(), parameters={LONG: "w" * 200}, notes=(LONG,) * 8),
        evolve(RESULT, name="storm", tables=(COMPARISON,), is_complete=False),
    )
    return to_html(report(*results, stopped="interrupted", missing=("storm",)))


def broken(element: str) -> str:
    return made().replace("<main>", f"<main>{element}")


def svg(inside: str) -> str:
    return f'<svg class="picture" viewBox="0 0 100 40" style="width: 100px">{inside}</svg>'


# Each with the beginning of the complaint.
BROKEN: Final = {
    "wide": ('<div style="width: 2000px">x</div>', "the page is"),
    "cut off": (f'<div style="overflow: hidden; white-space: nowrap">{LONG * 5}</div>', "cut off"),
    "grey": ('<p style="color: light-dark(#888, #666)">x</p>', "a contrast of"),
    "grey in a box": ('<p style="background: #777"><b style="color: #888">x</b></p>', "a contrast"),
    "small": ('<p style="font-size: 10px">x</p>', "text of 10.0 px"),
    "shrunk": (svg('<text y="20" transform="scale(.5)">x</text>'), "text of 6"),
    "on a bar": (
        svg(
            '<rect width="100" height="40" class="block s0"/><text x="9" y="20" class="s0" '
            'style="fill: var(--c)">x</text>'
        ),
        "a contrast of 1.00",
    ),
    "beyond": (svg('<text x="80" y="20">much text</text>'), "beyond its picture"),
    "over": (svg('<text y="20">one</text><text x="3" y="21">two</text>'), "over another text"),
}

Key = tuple[str, str, str]


async def look_at_all(folder: Path) -> dict[Key, list[str]]:
    chromium = find_chromium()
    assert chromium is not None
    found: dict[Key, list[str]] = {}

    async def look(page: Page, name: str, html: str, widths: Mapping[str, int]) -> None:
        await page.open(html)
        for width, pixels in widths.items():
            for theme in THEMES:
                await page.look(pixels, theme)
                found[name, width, theme] = await page.run(LOOK)

    async with opened_page(chromium, folder) as page:
        await look(page, "report", made(), WIDTHS)
        for name, (element, _) in BROKEN.items():
            await look(page, name, broken(element), {"phone": WIDTHS["phone"]})
        for picture in PICTURES:
            # As a page shows it where there is room.
            html = f"<!DOCTYPE html><body>{picture.read_text('utf-8')}"
            await look(page, picture.name, html, {"desktop": WIDTHS["desktop"]})
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[Key, list[str]]:
    """What the browser complains of, by page, width and theme."""
    return asyncio.run(look_at_all(tmp_path_factory.mktemp("browser")))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_can_be_read(seen: Any, width: str, theme: Theme) -> None:
    assert seen["report", width, theme] == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("picture", [each.name for each in PICTURES])
def test_the_pictures_of_the_documents_can_be_read(seen: Any, picture: str, theme: Theme) -> None:
    assert seen[picture, "desktop", theme] == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_found(seen: Any, name: str, theme: Theme) -> None:
    _, complaint = BROKEN[name]
    assert any(each.startswith(complaint) for each in seen[name, "phone", theme])
