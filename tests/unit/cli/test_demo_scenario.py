"""What the server of the demo is told to do."""

from typing import cast

import pytest

from resilient.cli.demo.documented import FLAT, NESTED, flat, nested
from resilient.cli.demo.scenario import CALLS, MIXTURE, Outage, in_words, mixture
from resilient.testing import Received, Reply, Reset

ANY = cast("Received", None)


def test_a_seed_draws_the_same_mixture() -> None:
    one, same, other = mixture(3), mixture(3), mixture(4)
    steps = [one(ANY) for _ in range(100)]
    assert [same(ANY) for _ in range(100)] == steps
    assert [other(ANY) for _ in range(100)] != steps


def test_a_mixture_draws_what_the_table_says() -> None:
    drawing = mixture(1)
    steps = [drawing(ANY) for _ in range(500)]
    for (_, share, step), count in zip(MIXTURE, drawing.drawn, strict=True):
        assert count == steps.count(step)
        assert count == pytest.approx(500 * share, abs=25)
    assert sum(drawing.drawn) == 500


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
