"""The pictures of the documents come from a run, and show what it came to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.telemetry.outage import Plan, run_outage
from benchmarks.telemetry.pictures import draw
from tests.integration.telemetry_support import of


@pytest.mark.slow
def test_two_pictures_of_a_run_are_written(tmp_path: Path) -> None:
    files = draw(tmp_path / "new", Plan().scaled(4))
    assert [file.name for file in files] == ["trace.png", "outage.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


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
