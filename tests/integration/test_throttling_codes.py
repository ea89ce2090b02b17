"""Codes that say more of a limit than the status: known by format, heard by all who ask."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientSession

from resilient import (
    APIError,
    BreakerPolicy,
    CircuitBreaker,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    RateLimitError,
    Reason,
    Retry,
    Throttle,
    override,
)
from resilient.envelopes import Envelope
from resilient.testing import EventLog, Reply
from tests.integration.support import (
    UNDER,
    client,
    fault_server,
    policy,
    retry_policy,
    status_of,
)

AMZ = {"Content-Type": "application/x-amz-json-1.1"}
XML = {"Content-Type": "application/xml"}
SHORT = {"Retry-After": "0.01"}
NESTED_QUOTA = {"error": {"message": "You exceeded it.", "type": "insufficient_quota",
                          "param": None, "code": "insufficient_quota"}}  # fmt: skip


def aws(code: str, status: int = 400) -> Reply:
    document = {"__type": f"com.amazonaws.x#{code}", "message": "Rate exceeded"}
    return Reply(status, headers={**AMZ, **SHORT}, body=json.dumps(document).encode())


def xml(code: str, status: int) -> Reply:
    body = f"<Error><Code>{code}</Code><Message>Reduce it.</Message></Error>"
    return Reply(status, headers={**XML, **SHORT}, body=body.encode())


def google(answered: int, **error: Any) -> Reply:
    document = {"error": {"code": answered, "message": "m", **error}}
    return Reply(answered, headers=SHORT, json=document)


def read_acme(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
    return Envelope("Busy.", "busy", format="acme") if body == b"acme" else None


async def posted(session: ClientSession, url: object) -> int:
    async with session.post(str(url)) as response:
        return response.status


def github(message: str, docs: str = "https://docs.github.com/rest") -> Reply:
    return Reply(403, headers=SHORT, json={"message": message, "documentation_url": docs})


LEGACY = [{"domain": "usageLimits", "reason": "userRateLimitExceeded", "message": "m"}]

# What counts as throttling by default: the response, and the code.
THROTTLED = [
    (aws("ThrottlingException"), "ThrottlingException"),
    (aws("TooManyRequestsException", 429), "TooManyRequestsException"),
    (aws("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    (xml("SlowDown", 503), "SlowDown"),
    (xml("RequestLimitExceeded", 503), "RequestLimitExceeded"),
    (xml("Throttling", 400), "Throttling"),
    (google(403, status="RESOURCE_EXHAUSTED"), "RESOURCE_EXHAUSTED"),
    (google(403, errors=LEGACY), "userRateLimitExceeded"),
    (Reply(400, headers=SHORT, json={"ok": False, "error": "ratelimited"}), "ratelimited"),
    (github("You have exceeded a secondary rate limit."), None),
    (github("API rate limit exceeded for user ID 1."), None),
]
BY_CODE = pytest.mark.parametrize(
    ("reply", "code"), THROTTLED, ids=[row[1] or "words" for row in THROTTLED]
)

# Codes that mean nothing of the kind, and codes in a format that they do not belong to.
OTHERS = [
    aws("ValidationException"),
    xml("AccessDenied", 403),
    google(403, status="PERMISSION_DENIED"),
    Reply(400, json={"error": {"code": "ThrottlingException", "message": "m n"}}),
    Reply(403, json={"message": "m n", "code": "RESOURCE_EXHAUSTED"}),
    Reply(400, json={"ok": False, "error": "ThrottlingException"}),
    github("You have exceeded a secondary rate limit.", "https://elsewhere.example"),
    github("Resource not accessible by integration"),
]


@UNDER
@BY_CODE
async def test_what_means_throttling_counts_as_a_429(
    under: Any, reply: Reply, code: str | None
) -> None:
    log = EventLog()
    pipeline = Pipeline(policy(), listeners=[log])
    async with fault_server(reply) as server, under(pipeline) as session:
        assert await status_of(session, server.url) == 200
        assert server.hits == 2
    (gate,) = log.gates
    assert gate.code is Reason.REFUSED
    assert str(reply.status) in gate.reason
    assert "the server asks for 0.01 s" in gate.reason
    assert log.waits[0].code is Reason.THROTTLED


@UNDER
@BY_CODE
async def test_that_it_was_not_carried_out_is_told_by_the_status_alone(
    under: Any, reply: Reply, code: str | None
) -> None:
    async with fault_server(reply) as server, under(Pipeline(policy())) as session:
        if reply.status == 429:
            assert await posted(session, server.url) == 200
            return
        with pytest.raises(APIError) as caught:
            await posted(session, server.url)
        error = caught.value
        assert server.hits == 1
        assert (error.status, error.code, error.throttled) == (reply.status, code, True)
        assert error.stop_code is Reason.NOT_IDEMPOTENT
        assert "may have been carried out" in str(error)
        assert pickle.loads(pickle.dumps(error)).throttled
        with override(idempotent=True):
            assert await posted(session, server.url) == 200


@BY_CODE
async def test_the_circuit_hears_nothing_of_it(reply: Reply, code: str | None) -> None:
    policies = policy(retry=None, throttle=None, breaker=BreakerPolicy(failures=2))
    pipeline = Pipeline(policies)
    async with fault_server(then=reply) as server, client(pipeline) as session:
        for _ in range(4):
            with pytest.raises(APIError):
                await status_of(session, server.url)
        (circuit,) = pipeline.breaker.circuits
        assert circuit.state == "closed"
        assert circuit.counts.score == 0


@pytest.mark.parametrize("reply", OTHERS, ids=lambda each: (each.body or b"").decode()[:60])
async def test_a_code_of_another_format_means_nothing(reply: Reply) -> None:
    log = EventLog()
    pipeline = Pipeline(policy(), listeners=[log])
    async with fault_server(reply) as server, client(pipeline) as session:
        with pytest.raises(APIError) as caught:
            await status_of(session, server.url)
        assert not caught.value.throttled
        assert server.hits == 1
        assert not log.gates


@UNDER
async def test_a_quota_that_is_used_up_is_not_repeated_and_holds_nobody(under: Any) -> None:
    log = EventLog()
    pipeline = Pipeline(policy(), listeners=[log])
    reply = Reply(429, json=NESTED_QUOTA)
    async with fault_server(then=reply) as server, under(pipeline) as session:
        for hits in (1, 2):
            with pytest.raises(RateLimitError) as caught:
                await status_of(session, server.url)
            assert server.hits == hits
        error = caught.value
        assert (error.code, error.throttled) == ("insufficient_quota", False)
        assert error.stop_code is Reason.FATAL_CODE
        assert "status 429 insufficient_quota is not repeated" in str(error)
    assert not log.gates


@pytest.mark.parametrize(
    ("errors", "reply", "hits"),
    [
        (ErrorPolicy(throttling_codes={"aws": []}), aws("ThrottlingException"), 1),
        (ErrorPolicy(throttling_codes={"flat": {"busy"}}), aws("ThrottlingException"), 2),
        (ErrorPolicy(throttling_codes={"flat": ["busy"]}),
         Reply(403, headers=SHORT, json={"message": "m n", "code": "busy"}), 2),
        (ErrorPolicy(parsers=[read_acme, "any"], throttling_codes={"acme": ["busy"]}),
         Reply(418, headers=SHORT, body=b"acme"), 2),
        (ErrorPolicy(quota_codes={"nested": []}),
         Reply(429, headers=SHORT, json=NESTED_QUOTA), 2),
        (ErrorPolicy(quota_codes={"flat": ["monthly"]}),
         Reply(429, headers=SHORT, json={"message": "m n", "code": "monthly"}), 1),
    ],
)  # fmt: skip
async def test_a_policy_puts_other_codes_in_their_place(
    errors: ErrorPolicy, reply: Reply, hits: int
) -> None:
    assert pickle.loads(pickle.dumps(errors)) == errors
    async with fault_server(reply) as server, client(Pipeline(policy(errors=errors))) as session:
        if hits == 1:
            with pytest.raises(APIError):
                await status_of(session, server.url)
        else:
            assert await status_of(session, server.url) == 200
        assert server.hits == hits


async def test_without_429_among_the_statuses_no_code_that_means_it_is_repeated() -> None:
    retry = retry_policy(statuses={500, 503})
    for reply, hits in ((aws("ThrottlingException"), 1), (xml("SlowDown", 503), 2)):
        pipeline = Pipeline(policy(retry=retry, throttle=None))
        async with fault_server(reply) as server, client(pipeline) as session:
            try:
                await status_of(session, server.url)
            except APIError:
                assert hits == 1
            assert server.hits == hits


async def test_middlewares_that_stand_alone_hear_of_it_too() -> None:
    stack = (Retry(retry_policy()), Throttle(), CircuitBreaker(), NormalizeErrors())
    async with fault_server(aws("ThrottlingException")) as server, client(*stack) as session:
        assert await status_of(session, server.url) == 200
        assert server.hits == 2


async def test_a_throttling_code_in_a_200_counts_too() -> None:
    log = EventLog()
    errors = ErrorPolicy(success_parsers=["graphql"])
    pipeline = Pipeline(policy(errors=errors), listeners=[log])
    document = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    async with fault_server(Reply(200, json=document)) as server, client(pipeline) as session:
        assert await status_of(session, server.url) == 200
        assert server.hits == 2
    assert [gate.code for gate in log.gates] == [Reason.REFUSED]
