"""The load benchmark over real sockets, with its server and its workers in other processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from attrs import evolve

from benchmarks.load.benchmark import measure
from benchmarks.load.generator import arrivals
from benchmarks.load.run import Run, run
from benchmarks.load.scenarios import Scenario
from benchmarks.load.settings import LoadSettings
from benchmarks.load.worker_pool import WorkerPool
from benchmarks.progress import Silent
from resilient import Policy, RetryPolicy
from resilient.errors import ConfigError
from tests.unit.benchmarks.load.support import contender, scenario

RATE, SECONDS = 200.0, 0.2


def brief(name: str) -> Scenario:
    return evolve(scenario(name).lasting(SECONDS), rate=RATE)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2) as pool:
        yield pool


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started."""
    pids: list[int] = []
    popen = subprocess.Popen

    def start(*args: Any, **kwargs: Any) -> Any:
        process = popen(*args, **kwargs)
        pids.append(process.pid)
        return process

    monkeypatch.setattr("resilient.testing.server.worker.subprocess.Popen", start)
    return pids


@pytest.fixture
def measured(pool: WorkerPool) -> Callable[..., Run]:
    def one(where: Scenario, who: str, **options: Any) -> Run:
        return run(where, contender(who), LoadSettings(**options), pool, lambda seconds: None)

    return one


@pytest.mark.slow
def test_calls_are_made_as_they_are_drawn_and_all_of_them_counted(
    measured: Callable[..., Run],
) -> None:
    calm = brief("calm")
    drawn = sum(
        len(list(arrivals(seed=5, worker=worker, workers=2, rate=200, seconds=0.2)))
        for worker in range(2)
    )
    for who in ("none", "pipeline"):
        done = measured(calm, who, seed=5)
        assert done.tally.calls == done.successes == done.hits == drawn
        assert len(done.arrivals) == drawn
        assert done.tally.offered.total() == done.tally.good.total() == drawn
        assert done.arrivals[0] >= 0
    dead = measured(brief("dead"), "none", seed=5)
    assert dead.tally.failures == {"503": drawn}
    assert dead.successes == 0


@pytest.mark.slow
def test_a_circuit_that_opens_is_counted_and_every_run_begins_with_new_ones(
    measured: Callable[..., Run], capfd: pytest.CaptureFixture[str]
) -> None:
    dead = evolve(brief("dead"), rate=600.0)
    for _ in range(2):
        done = measured(dead, "pipeline")
        assert done.tally.openings == 2
        assert done.tally.failures["CircuitOpenError"] > 0
        assert 2 * 20 <= done.hits < done.tally.calls
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(pool: WorkerPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = LoadSettings(port=port)
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            run(brief("calm"), contender("none"), settings, pool, lambda seconds: None)


def test_a_policy_that_cannot_be_sent_is_said(pool: WorkerPool) -> None:
    here = evolve(
        contender("none"),
        policy=Policy(name="mine", retry=RetryPolicy(judge=lambda request, outcome: None)),
    )
    with pytest.raises(ConfigError, match="'mine' has to be sent to another process"):
        run(brief("calm"), here, LoadSettings(), pool, lambda seconds: None)


@pytest.mark.slow
def test_a_worker_that_dies_is_said() -> None:
    with WorkerPool(2) as pool:
        killed = pool.pids[1]

        def kill(seconds: float) -> None:
            with contextlib.suppress(ProcessLookupError):  # it is dead by the second time
                os.kill(killed, signal.SIGKILL)

        long = evolve(brief("calm"), seconds=60.0)
        with pytest.raises(RuntimeError, match="load worker 2 has ended with code -9"):
            run(long, contender("none"), LoadSettings(), pool, kill)
        pids = pool.pids
    assert not any(alive(pid) for pid in pids)


@pytest.mark.slow
def test_each_result_holds_those_before_it_and_whoever_stops_leaves_nothing(
    started: list[int],
) -> None:
    settings = LoadSettings(
        scenarios=["calm"], policies=["none", "retry"], workers=1, rate=RATE, seconds=SECONDS
    )
    measuring = measure(settings, Silent())
    assert isinstance(measuring, Generator)
    found = [next(measuring), next(measuring)]
    assert [each.is_complete for each in found] == [False, True]
    assert all(each.seed == 1 for each in found)
    figures = [dict(each.tables[0].rows)["succeeded"] for each in found]
    assert [[figure and figure.value for figure in row] for row in figures] == [
        [100, None],
        [100, 100],
    ]
    assert any(alive(pid) for pid in started)
    measuring.close()
    assert not any(alive(pid) for pid in started)


PARENT = """
from benchmarks.load.benchmark import measure
from benchmarks.load.settings import LoadSettings

class Said:
    def begin(self, what, steps=None):
        pass

    def advance(self, steps=1):
        print("under way", flush=True)

for result in measure(LoadSettings(scenarios=["calm"], seconds=60, rate=20, workers=1), Said()):
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_all_processes_end_with_the_benchmark(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "under way\n"
            # A terminal's Ctrl-C reaches the whole group.
            send = os.killpg if number == signal.SIGINT else os.kill
            send(process.pid, number)
            # The standard error of all of them is one: this is the end of the last.
            _, said = process.communicate(timeout=10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert said.count("Traceback") == (1 if number == signal.SIGINT else 0)
    assert said.endswith("KeyboardInterrupt\n" if number == signal.SIGINT else "")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
