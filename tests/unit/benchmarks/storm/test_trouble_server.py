"""Answers of a server in trouble that the testing kit does not have."""

from random import Random

import pytest

from benchmarks.storm.network import received_at
from benchmarks.storm.trouble_server import ByPath, Latency, Weakened
from resilient.testing import BrownOut, Period, Reply
from resilient.testing.script.script import Answer, choose

GONE = Reply(410)


def answer(server: Answer, now: float = 0.0, path: str = "/") -> tuple[float, Reply]:
    seconds, reply = choose(server, received_at(now, path=path))
    assert isinstance(reply, Reply)
    return seconds, reply


def test_a_latency_is_drawn_around_its_mean() -> None:
    server = Latency(2.0, Random(1), GONE)
    drawn = [answer(server) for _ in range(1000)]
    seconds = [each for each, _ in drawn]
    assert {reply.status for _, reply in drawn} == {410}
    assert 1.0 <= min(seconds) < 1.1
    assert 2.9 < max(seconds) <= 3.0
    assert sum(seconds) / len(seconds) == pytest.approx(2.0, rel=0.05)


def test_a_path_has_an_answer_of_its_own() -> None:
    server = ByPath({"/gone": GONE})
    assert answer(server, path="/gone")[1].status == 410
    assert answer(server, path="/other")[1].status == 200


def test_a_weakened_server_takes_longer_and_keeps_its_queue() -> None:
    normal = BrownOut(1.0)
    server = Weakened(normal, Period(10, 20), factor=0.25)
    assert [answer(server, now)[0] for now in (0.0, 0.0, 10.0, 19.0)] == [1.0, 2.0, 4.0, 4.0]
    # The last request in line is done at 23.
    assert answer(server, 20.0)[0] == 4.0
    assert normal.base == 1.0
