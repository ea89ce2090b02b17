"""Promise 8: each status of both documented formats becomes its own error, with its fields."""

from typing import Any

import aiohttp
import pytest

import resilient
from resilient import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    CodeRule,
    ConflictError,
    ErrorPolicy,
    GatewayTimeoutError,
    InternalServerError,
    NotAcceptableError,
    NotFoundError,
    PermissionDeniedError,
    Pipeline,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
    UnprocessableEntityError,
    ValidationError,
)
from resilient.testing import Reply
from tests.integration.support import UNDER, client, fault_server, policy, status_of

NESTED = [
    (400, "bad_request", BadRequestError),
    (400, "validation_error", ValidationError),
    (401, "unauthorized", AuthenticationError),
    (403, "forbidden", PermissionDeniedError),
    (404, "not_found", NotFoundError),
    (409, "conflict", ConflictError),
    (422, "unprocessable_entity", UnprocessableEntityError),
    (429, "rate_limit_exceeded", RateLimitError),
    (500, "internal_error", InternalServerError),
    (503, "service_unavailable", ServiceUnavailableError),
]
FLAT = [
    (400, "Bad Request", BadRequestError),
    (401, "Unauthorized", AuthenticationError),
    (403, "Forbidden", PermissionDeniedError),
    (404, "Not Found", NotFoundError),
    (406, "Not Acceptable", NotAcceptableError),
    (429, "Too Many Requests", RateLimitError),
    (500, "Internal Server Error", InternalServerError),
    (502, "Bad Gateway", BadGatewayError),
    (503, "Service Unavailable", ServiceUnavailableError),
]


def no_retry(**changes: Any) -> Pipeline:
    return Pipeline(policy(retry=None, **changes))


async def error_of(under: Any, reply: Reply, **changes: Any) -> APIError:
    async with fault_server(then=reply) as server, under(no_retry(**changes)) as session:
        with pytest.raises(APIError) as caught:
            await status_of(session, server.url / "v1")
        return caught.value


@UNDER
@pytest.mark.parametrize(("status", "code", "kind"), NESTED)
async def test_the_nested_format(under: Any, status: int, code: str, kind: type[APIError]) -> None:
    document = {"error": {"code": code, "message": "What happened.", "request_id": "req_abc"}}
    error = await error_of(under, Reply(status, json=document))
    assert type(error) is kind
    assert (error.status, error.status_code, error.code) == (status, status, code)
    assert (error.message, error.request_id) == ("What happened.", "req_abc")
    assert error.details == ()
    assert error.body


@UNDER
@pytest.mark.parametrize(("status", "name", "kind"), FLAT)
async def test_the_flat_format(under: Any, status: int, name: str, kind: type[APIError]) -> None:
    document = {"statusCode": status, "message": "What happened.", "error": name}
    error = await error_of(under, Reply(status, json=document))
    assert type(error) is kind
    assert error.message == "What happened."
    assert error.code == name.lower().replace(" ", "_")
    assert error.request_id is None


@pytest.mark.parametrize(
    "document",
    [
        {
            "error": {
                "code": "validation_error",
                "message": "Invalid.",
                "details": [
                    {"field": "limit", "message": "Must be an integer."},
                    {"field": "from", "message": "Must be a date."},
                    {"field": "from", "message": "Must be past."},
                ],
            }
        },
        {
            "statusCode": 400,
            "message": "Invalid.",
            "error": "Bad Request",
            "errors": [
                {"field": "limit", "message": "Must be an integer."},
                {"field": "from", "message": "Must be a date."},
                {"field": "from", "message": "Must be past."},
            ],
        },
    ],
    ids=["nested", "flat"],
)
async def test_fields_at_fault_are_named(document: Any) -> None:
    error = await error_of(client, Reply(400, json=document))
    assert type(error) is ValidationError
    assert isinstance(error, BadRequestError)
    assert error.field_errors == {
        "limit": "Must be an integer.",
        "from": "Must be a date.; Must be past.",
    }
    assert error.details[0] == resilient.FieldError("limit", "Must be an integer.")


async def test_a_problem_document() -> None:
    document = {"type": "https://example.com/out-of-credit", "title": "No.", "detail": "Balance."}
    headers = {"Content-Type": "application/problem+json"}
    error = await error_of(client, Reply(403, json=document, headers=headers))
    assert type(error) is PermissionDeniedError
    assert error.message == "Balance."


async def test_a_rule_gives_a_message_a_code() -> None:
    rules = ErrorPolicy(code_rules=[CodeRule("slot_taken", 400, "no longer available")])
    document = {"message": "The selected time slot is no longer available", "error": "Bad Request"}
    error = await error_of(client, Reply(400, json=document), errors=rules)
    assert error.code == "slot_taken"


@UNDER
async def test_a_rate_limit_says_when_to_come_back(under: Any) -> None:
    error = await error_of(under, Reply(429, json={}, headers={"Retry-After": "8"}))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 8


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (402, resilient.PaymentRequiredError),
        (405, resilient.MethodNotAllowedError),
        (418, APIError),
        (425, resilient.TooEarlyError),
        (451, resilient.UnavailableForLegalReasonsError),
        (499, APIError),
        (501, resilient.NotImplementedServerError),
        (504, GatewayTimeoutError),
        (506, ServerError),
        (520, resilient.OriginError),
        (524, resilient.OriginTimeoutError),
        (599, ServerError),
        (600, APIError),
        (999, APIError),
    ],
)
async def test_any_other_status_is_of_the_family(status: int, kind: type[APIError]) -> None:
    error = await error_of(client, Reply(status, json={"message": "x"}))
    assert type(error) is kind
    assert error.status == status
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [200, 201, 204, 299, 300, 301, 304, 305, 399])
async def test_below_400_nothing_is_raised(status: int) -> None:
    async with fault_server(then=Reply(status)) as server, client(no_retry()) as session:
        assert await status_of(session, server.url) == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_that_is_not_followed_is_handed_over(status: int) -> None:
    there = Reply(status, headers={"Location": "/there"}, body=b"moved")
    async with fault_server(then=there) as server, client(Pipeline(policy())) as session:
        async with session.get(server.url, allow_redirects=False) as response:
            assert response.status == status
            assert await response.read() == b"moved"
        assert server.hits == 1


@UNDER
async def test_a_head_gives_an_error_of_its_status_alone(under: Any) -> None:
    reply = Reply(404, json={"message": "nobody reads this"})
    async with fault_server(then=reply) as server, under(no_retry()) as session:
        for _ in range(2):
            with pytest.raises(NotFoundError) as caught:
                await session.head(server.url)
        assert server.total_connections == 1
    assert (caught.value.body, caught.value.message) == (b"", "Not Found")


@pytest.mark.parametrize("status", [404, 499, 999])
async def test_where_the_body_says_nothing_the_servers_reason_phrase_does(status: int) -> None:
    error = await error_of(client, Reply(status, reason="Request Denied"))
    assert error.message == "Request Denied"


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id", "CF-Ray"])
async def test_the_request_id_may_come_in_a_header(name: str) -> None:
    error = await error_of(client, Reply(502, body=b"<html>", headers={name: "id-1"}))
    assert error.request_id == "id-1"
    assert "request_id id-1" in str(error)


async def test_statuses_that_are_ignored_are_handed_over() -> None:
    lenient = ErrorPolicy(ignore={404})
    async with (
        fault_server(Reply(404, body=b"x"), Reply(403)) as server,
        client(no_retry(errors=lenient)) as session,
    ):
        async with session.get(server.url) as response:
            assert await response.read() == b"x"
        with pytest.raises(PermissionDeniedError):
            await status_of(session, server.url)


@UNDER
async def test_the_connection_is_used_again_after_an_error(under: Any) -> None:
    reply = Reply(404, json={"error": {"code": "not_found", "message": "x" * 10_000}})
    async with fault_server(then=reply) as server, under(no_retry()) as session:
        for _ in range(5):
            with pytest.raises(NotFoundError):
                await status_of(session, server.url)
        assert server.total_connections == 1


async def test_an_error_carries_the_servers_headers_and_the_public_request() -> None:
    error = await error_of(client, Reply(409, headers={"X-Detail": "d"}))
    assert error.headers is not None
    assert error.headers["x-detail"] == "d"
    assert error.request_info.method == "GET"
    assert error.request_info.url.path == "/v1"
    assert isinstance(error, aiohttp.ClientResponseError)
