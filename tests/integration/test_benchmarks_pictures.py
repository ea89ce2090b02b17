"""The pictures of the documents come from runs, and show what these came to."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.algorithms.pictures import PICTURES
from benchmarks.documents import ALL, write_pictures
from benchmarks.telemetry.outage import Plan, run_outage
from resilient import ConfigError
from tests.integration.telemetry_support import of

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "pictures"
LARGEST = 60_000


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_an_algorithm_is_what_its_run_gives(name: str, tmp_path: Path) -> None:
    (file,) = write_pictures((name,), tmp_path, seconds=2.0)
    assert file.read_text("utf-8") == (KEPT / file.name).read_text("utf-8"), (
        "run again: python -m benchmarks pictures"
    )


@pytest.mark.parametrize("name", ALL)
def test_a_picture_is_small_follows_the_theme_and_can_be_read_out(name: str) -> None:
    text = (KEPT / f"{name}.svg").read_text("utf-8")
    assert len(text) < LARGEST
    assert "prefers-color-scheme: dark" in text
    root = ElementTree.fromstring(text)
    names = {each.tag.partition("}")[2]: each.text for each in root}
    assert names["title"]
    assert len(names["desc"] or "") > 50


def test_every_picture_that_a_document_names_is_kept_and_every_one_kept_is_named() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {
        (page.parent / found).resolve()
        for page in pages
        for found in re.findall(r"!\[[^\]]*\]\(([^)\s:]+)\)", page.read_text("utf-8"))
    }
    assert {each for each in named if not each.exists()} == set()
    assert {KEPT / f"{name}.svg" for name in PICTURES} <= named
    assert {file.name for file in KEPT.iterdir()} == {f"{name}.svg" for name in ALL}


def test_a_name_that_is_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="some of backoff, budget"):
        next(write_pictures(("nonsense",), tmp_path, seconds=2.0))


@pytest.mark.slow
def test_the_pictures_of_a_run_on_loopback_are_written(tmp_path: Path) -> None:
    files = list(write_pictures(("outage", "trace"), tmp_path / "new", seconds=4.0))
    assert [file.name for file in files] == ["trace.svg", "outage.svg"]
    for file in files:
        ElementTree.parse(file)


@pytest.mark.slow
def test_the_run_has_what_they_show() -> None:
    plan = Plan(rate=40, seconds=3.0, down=((0.5, 1.2),), every=0.2)
    outage = asyncio.run(run_outage(plan))
    last = outage.samples[-1]
    assert last.total("resilient.call.duration", resilient__service="mavio") > 50
    assert last.by("http.client.request.duration", "error.type")[("503",)] >= 20
    states = {
        state
        for sample in outage.samples
        for (state,), count in sample.by(
            "resilient.breaker.circuits", "resilient.breaker.state"
        ).items()
        if count
    }
    assert {"closed", "open"} <= states
    call, attempts = outage.story()
    assert of(call)["resilient.call.attempts"] == len(attempts) > 1
    assert of(attempts[0])["error.type"] == "503"
    assert "error.type" not in of(attempts[-1])
