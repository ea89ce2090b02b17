"""The demo as a person meets it, and what it has counted."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from resilient.cli.demo.facts import DemoFacts
from resilient.cli.demo.play import play
from resilient.cli.demo.run import make_call, run_mixture, set_up
from resilient.cli.demo.scenario import CALLS, POLICY, ScriptedCall, in_words
from resilient.cli.demo.show import Show
from resilient.cli.demo.tracing import run_traced
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap

LIMIT = 60.0

SECTIONS = ("1. Single calls", "2. Typed errors", "3. An outage", "4. A limit", "5. Random")


def environment() -> dict[str, str]:
    """That of this process, without what changes how things are shown."""
    ours = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    return {name: value for name, value in os.environ.items() if name not in ours}


def python(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=3 * LIMIT,
        check=False,
    )


def begun(directory: Path) -> subprocess.Popen[str]:
    """The demo in a pipe, just begun; it prints at once, and warns of everything."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-u", "-m", "resilient", "demo"],
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def complaints(stderr: str) -> list[str]:
    """Lines but for asyncio's debug mode, which tells of a machine that is busy."""
    return [line for line in stderr.splitlines() if line and not line.startswith("Executing <")]


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_an_interrupt(tmp_path: Path) -> None:
    with begun(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith(SECTIONS[1]):
                break
        demo.send_signal(signal.SIGINT)
        _, stderr = demo.communicate(timeout=LIMIT)
    assert (demo.returncode, complaints(stderr)) == (130, [])


@pytest.mark.slow
def test_an_unknown_command(tmp_path: Path) -> None:
    done = python("-m", "resilient", "nonsense", directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_the_extra(library: str, tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
sys.argv = ["resilient", "demo"]
from resilient.__main__ import main
sys.exit(main())
"""
    done = python("-c", script, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert 'pip install "resilient-aiohttp[cli]"' in line
    assert library in line


@pytest.mark.slow
def test_telemetry_without_its_libraries(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["opentelemetry"] = None
sys.argv = ["resilient", "demo", "--telemetry"]
from resilient.__main__ import main
sys.exit(main())
"""
    done = python("-c", script, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith('pip install "resilient-aiohttp[cli,otel]" opentelemetry-sdk')


async def test_telemetry_is_a_tree_of_spans_and_the_metrics_that_moved() -> None:
    shown = StringIO()
    async with set_up() as stage:
        facts = await run_traced(stage)
    Show(Console(file=shown, width=80)).telemetry(facts)
    call = facts.call
    assert (call.name, call.kind, call.failed) == ("call demo", "INTERNAL", False)
    assert [each.attributes["http.response.status_code"] for each in call.inside] == [503, 429, 200]
    assert [each.failed for each in call.inside] == [True, True, False]
    assert all(each.seconds <= call.seconds for each in call.inside)
    moved = {each.name for each in facts.metrics}
    assert {"http.client.request.duration", "resilient.call.retries"} <= moved
    assert "resilient.refusals" not in moved
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("GET /mavio/meetings/{id}" in line for line in lines) == 3


# What it has counted.


@pytest.mark.parametrize("script", CALLS, ids=lambda script: in_words(script.steps))
async def test_a_call_is_told_as_the_server_has_counted_it(script: ScriptedCall) -> None:
    async with set_up() as stage:
        facts = await make_call(stage, wrap(stage.plain, Pipeline(POLICY)), script)
    assert facts.requests == len(facts.attempts)
    final = facts.attempts[-1]
    assert final.waited is None
    if facts.raised is None:
        assert final.status == 200
        assert facts.requests == len(script.steps)
    else:
        assert facts.stop_reason
        assert facts.requests < len(script.steps)
    assert facts.keys == facts.keyed


@pytest.mark.slow
async def test_both_sides_add_up() -> None:
    advanced: list[str] = []
    async with set_up() as stage:
        both = await run_mixture(stage, seed=2, progress=advanced.append)
        assert both.without.requests + both.with_pipeline.requests == stage.server.hits
    for name, side in (("alone", both.without), ("pipeline", both.with_pipeline)):
        assert side.calls == advanced.count(name)
        assert side.succeeded + side.failed == side.calls
        assert side.requests == sum(count for _, count in side.served)
        assert side.slowest <= side.seconds


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The demo in a pipe, just begun: it waits most of its fourteen seconds."""
    directory = tmp_path_factory.mktemp("demo")
    with begun(directory) as demo:
        yield demo
        demo.kill()
    assert list(directory.iterdir()) == []


@pytest.fixture(scope="module")
def played(piped: subprocess.Popen[str]) -> tuple[DemoFacts, str]:
    """The demo here, while the one in the pipe is played."""
    out = StringIO()
    with asyncio.Runner() as runner:
        facts = runner.run(play(5, Console(file=out, width=80)))
    return facts, out.getvalue()


@pytest.mark.slow
def test_the_outage(played: tuple[DemoFacts, str]) -> None:
    outage = played[0].outage
    spells = outage.spells
    states = [spell.state for spell in spells]
    assert (states[0], states[-1]) == ("closed", "closed")
    assert {"open", "half_open"} <= set(states)
    for spell in spells:
        if spell.state == "open":
            assert spell.requests == 0
    without, with_pipeline = outage.comparison.without, outage.comparison.with_pipeline
    assert sum(spell.calls for spell in spells) == without.calls == with_pipeline.calls
    assert sum(spell.requests for spell in spells) == with_pipeline.requests
    lost = sum(spell.failed + spell.refused for spell in spells)
    assert lost == with_pipeline.failed < without.failed / 2
    down = "while it was down"
    assert dict(with_pipeline.served)[down] < dict(without.served)[down] / 2


@pytest.mark.slow
def test_the_demo_in_a_pipe(played: tuple[DemoFacts, str], piped: subprocess.Popen[str]) -> None:
    stdout, stderr = piped.communicate(timeout=LIMIT)
    assert (piped.returncode, complaints(stderr)) == (0, [])
    assert "\x1b" not in stdout
    for section in SECTIONS:
        assert section in stdout
    assert max(map(len, stdout.splitlines())) <= 80


@pytest.mark.slow
def test_the_crowd(played: tuple[DemoFacts, str]) -> None:
    crowd = played[0].crowd
    assert (crowd.with_pipeline.succeeded, crowd.with_pipeline.calls) == (50, 50)
    assert crowd.without.succeeded < 20
    assert crowd.with_pipeline.requests <= 100


@pytest.mark.slow
def test_every_error_is_typed(played: tuple[DemoFacts, str]) -> None:
    errors = played[0].errors
    assert len({error.kind for error in errors}) == 12
    assert all(error.request_id and error.code and error.message for error in errors)
    (slot,) = (error for error in errors if "no longer available" in error.message)
    assert (slot.kind, slot.code) == ("BadRequestError", "slot_unavailable")
    assert [error.retry_after for error in errors if error.status == 429] == [8.0, 8.0]
    assert sum(bool(error.field_errors) for error in errors) == 2


@pytest.mark.slow
def test_the_pipeline_makes_a_difference(played: tuple[DemoFacts, str]) -> None:
    mixture = played[0].mixture
    assert mixture.with_pipeline.succeeded > mixture.without.succeeded
    assert mixture.with_pipeline.calls == mixture.without.calls


@pytest.mark.slow
def test_what_is_printed_is_what_was_counted(played: tuple[DemoFacts, str]) -> None:
    facts, text = played
    printed = rows(text)
    for both in (facts.outage.comparison, facts.crowd, facts.mixture):
        without, with_pipeline = both.without, both.with_pipeline
        assert f"requests on the wire {without.requests} {with_pipeline.requests}" in printed
        assert f"succeeded {without.succeeded} {with_pipeline.succeeded}" in printed
    spells = facts.outage.spells
    assert (
        f"in all {sum(s.calls for s in spells)} {sum(s.failed for s in spells)} "
        f"{sum(s.refused for s in spells)} {sum(s.requests for s in spells)}"
    ) in printed
    assert any(
        re.fullmatch(
            f"{len(facts.calls)} calls: {sum(len(c.attempts) for c in facts.calls)} attempts .*"
            f" {sum(c.requests for c in facts.calls)} requests .*",
            line,
        )
        for line in printed
    )
