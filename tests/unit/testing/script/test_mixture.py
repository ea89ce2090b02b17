"""A mixture of faults."""

import pickle

import aiohttp
import pytest

from resilient.errors import ConfigError
from resilient.testing import FaultServer, Hang, Reply, Reset
from resilient.testing.script.mixture import Mixture
from tests.unit.testing.support import post, request_at

DOWN, SLOW, RESET, FINE = Reply(503, json={}), Hang(), Reset(), Reply(200, json={})
ANY = request_at(0)


def mixture(seed: int) -> Mixture:
    return Mixture({DOWN: 0.1, RESET: 0.02, SLOW: 0.01}, otherwise=FINE, seed=seed)


def draw(mixture: Mixture, count: int) -> list[object]:
    return [mixture(ANY) for _ in range(count)]


def test_a_seed_draws_the_same_row_again() -> None:
    row = draw(mixture(1), 300)
    assert draw(mixture(1), 300) == row
    assert draw(mixture(2), 300) != row


def test_the_row_of_a_seed_is_the_same_for_ever() -> None:
    drawing = Mixture({DOWN: 0.25, RESET: 0.25}, otherwise=FINE, seed=1)
    letters = {DOWN: "d", RESET: "r", FINE: "."}
    # random.Random(1) begins with 0.13, 0.85, 0.76, 0.26, 0.50 and 0.45.
    assert "".join(letters[drawing(ANY)] for _ in range(6)) == "d..rrr"  # type: ignore[index]  # each is among them


def test_each_answer_has_its_share_and_is_counted() -> None:
    drawing = mixture(5)
    row = draw(drawing, 20_000)
    for answer, share, count in zip(
        (DOWN, RESET, SLOW, FINE), (0.1, 0.02, 0.01, 0.87), drawing.drawn, strict=True
    ):
        assert row.count(answer) == count
        assert count / 20_000 == pytest.approx(share, abs=0.01)


def test_shares_may_be_above_one_by_a_rounding_and_no_more() -> None:
    assert draw(Mixture({DOWN: 1.0, RESET: 1e-12}), 100) == [DOWN] * 100
    with pytest.raises(ConfigError, match="at most 1 in sum"):
        Mixture({DOWN: 1.0, RESET: 1e-6})


def test_shares_of_nothing_and_all() -> None:
    assert set(draw(Mixture({DOWN: 0.0}, otherwise=FINE), 100)) == {FINE}
    assert set(draw(Mixture({DOWN: 0.0, RESET: 1}, otherwise=FINE), 100)) == {RESET}


def test_a_mixture_goes_on_where_its_pickle_was_made() -> None:
    drawing = mixture(3)
    draw(drawing, 50)
    copy = pickle.loads(pickle.dumps(drawing))
    assert draw(copy, 200) == draw(drawing, 200)
    assert copy.drawn == drawing.drawn


def test_two_mixtures_are_two() -> None:
    assert mixture(1) != mixture(1)


async def test_requests_draw_one_answer_each(session: aiohttp.ClientSession) -> None:
    drawing = Mixture({Reply(503): 0.5}, seed=1)
    expected = [
        getattr(answer, "status", None) for answer in draw(pickle.loads(pickle.dumps(drawing)), 20)
    ]
    async with FaultServer(then=drawing) as server:
        assert [await post(session, server) for _ in range(20)] == expected
        assert sum(drawing.drawn) == 20
