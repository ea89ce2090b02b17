"""Promise 8: what a careful person reads in the errors of well-known services, is found."""

import pytest

from resilient.envelopes import parse_error
from tests.unit.envelopes.services import BODIES, Body


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_the_error_of(body: Body) -> None:
    envelope = parse_error(body.status, body.headers, body.raw)
    fields = [(each.field, each.message) for each in envelope.details]
    assert (envelope.message, envelope.code) == (body.message, body.code)
    assert (envelope.request_id, fields) == (body.request_id, list(body.fields))
    assert (envelope.retry_after, envelope.docs) == (body.retry_after, body.docs)


def test_there_are_many_and_each_says_where_it_is_documented() -> None:
    assert len(BODIES) >= 94
    assert len({body.name for body in BODIES}) == len(BODIES)
    assert all(body.source for body in BODIES)
