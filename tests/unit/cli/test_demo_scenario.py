"""What the server of the demo is told to do."""

from collections import Counter
from random import Random
from typing import cast

import pytest

from resilient.cli.demo.documented import FLAT, NESTED, flat, nested
from resilient.cli.demo.scenario import CALLS, MIXTURE, Mixture, Outage, in_words
from resilient.testing import Received, Reply, Reset, Step

ANY = cast("Received", None)


def draw(seed: int, count: int) -> tuple[list[Step], Counter[str]]:
    mixture = Mixture(Random(seed))
    return [mixture(ANY) for _ in range(count)], mixture.served


def test_a_seed_draws_the_same_mixture() -> None:
    assert draw(3, 100) == draw(3, 100)
    assert draw(3, 100)[0] != draw(4, 100)[0]


def test_a_mixture_counts_what_it_serves() -> None:
    steps, served = draw(1, 500)
    assert served.total() == 500
    for name, share, step in MIXTURE:
        assert served[name] == steps.count(step)
        assert served[name] == pytest.approx(500 * share, abs=25)


def test_the_shares_are_of_one() -> None:
    assert sum(share for _, share, _ in MIXTURE) == pytest.approx(1)


def test_an_outage() -> None:
    outage = Outage()
    outage.down = True
    assert cast("Reply", outage(ANY)).status == 503
    outage.down = False
    assert cast("Reply", outage(ANY)).status == 200


def test_a_script_in_words() -> None:
    assert in_words([Reset(), Reply(200)]) == "reset, then 200"
    assert in_words([flat(429, "no", retry_after=1), Reply(200, delay=1.5)]) == (
        "429 with Retry-After: 1, then 200 after 1.5 s"
    )


def test_both_formats() -> None:
    assert nested(404, "not_found", "No.", "req_1", details={"a": "b"}).json == {
        "error": {
            "code": "not_found",
            "message": "No.",
            "request_id": "req_1",
            "details": [{"field": "a", "message": "b"}],
        }
    }
    reply = flat(400, "No.", "id", errors={"a": "b"})
    assert reply.json == {
        "statusCode": 400,
        "message": "No.",
        "error": "Bad Request",
        "errors": [{"field": "a", "message": "b"}],
    }
    assert reply.headers == (("X-Request-Id", "id"),)


def test_every_documented_status_is_there() -> None:
    assert {each.status for each in NESTED} == {400, 401, 403, 404, 409, 422, 429, 500, 503}
    assert {each.status for each in FLAT} == {400, 401, 403, 404, 406, 429, 500, 502, 503}


def test_the_server_speaks_both_formats() -> None:
    assert {call.path.split("/")[1] for call in CALLS} == {"mavio", "meetergo"}
