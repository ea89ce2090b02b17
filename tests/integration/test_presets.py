"""Each preset against a server that answers as the documents of its service say (its facts)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from attrs import frozen

from resilient import APIError, RateLimitError, Reason, load_services
from resilient.services.config.layers import preset_names
from resilient.testing import FakeClock, FaultServer, Reply
from tests.integration.support import client, fault_server, passing

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DATE = {"Date": format_datetime(NOW, usegmt=True)}
IN_20_S = str(int(NOW.timestamp()) + 20)
FINE = Reply(200, json={"ok": True})


def xml(body: str, **headers: str) -> dict[str, Any]:
    return {"headers": {"Content-Type": "text/xml", **headers}, "body": body.encode()}


@frozen
class Said:
    """An error response, and what is to be found in it.

    Attributes:
        reply: The response.
        code: The code of the error.
        request_id: The identifier for its support.
        message: A part of the message.
        fields: The fields at fault.
        kind: The class of the error, or one above it.
    """

    reply: Reply
    code: str | None
    request_id: str | None
    message: str
    fields: tuple[str, ...] = ()
    kind: type[APIError] = APIError


@frozen
class Case:
    """A service.

    Attributes:
        path: A path that it has.
        limited: A response to too many requests, which counts as a 429.
        wait: Seconds that this asks for.
        fatal: Errors that are not to be repeated.
        transient: Responses that are to be repeated, to a GET.
        keyed: The header that makes a POST repeatable; None if the service has none.
        used_up: Headers of a good answer after which the next call has to wait for 20 seconds.
    """

    path: str
    limited: Said
    wait: float
    fatal: tuple[Said, ...]
    transient: tuple[Reply, ...] = ()
    keyed: str | None = None
    used_up: dict[str, str] | None = None


def rate_limited(headers: dict[str, str], document: Any, status: int = 429) -> Reply:
    return Reply(status, headers={**DATE, **headers}, json=document)


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
GITHUB_DOCS = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
OPENAI = "Rate limit reached for the model in organization org-1 on requests per min (RPM)"
CASES = {
    "github": Case(
        "/repos/o/r/issues",
        Said(rate_limited({"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_20_S,
                           "X-GitHub-Request-Id": "E1:2"},
                          {"message": "API rate limit exceeded for user ID 1.",
                           "documentation_url": GITHUB_DOCS, "status": "403"}, 403),
             None, "E1:2", "API rate limit exceeded"),
        20,
        (
            Said(Reply(422, json={"message": "Validation Failed", "documentation_url": GITHUB_DOCS,
                                  "errors": [{"resource": "Issue", "field": "title",
                                              "code": "missing_field"}]}),
                 None, None, "Validation Failed", ("title",)),
            Said(Reply(403, headers={"x-ratelimit-remaining": "4000"},
                       json={"message": "Resource not accessible by integration"}),
                 None, None, "not accessible"),
        ),
        (rate_limited({"Retry-After": "7", "x-ratelimit-remaining": "4000"},
                      {"message": SECONDARY, "documentation_url": GITHUB_DOCS}, 403),),
    ),
    "stripe": Case(
        "/v1/charges",
        Said(rate_limited({"Request-Id": "req_1", "Stripe-Rate-Limited-Reason": "global-rate",
                           "Retry-After": "2"},
                          {"error": {"type": "invalid_request_error", "code": "rate_limit",
                                     "message": "Request rate limit exceeded."}}),
             "rate_limit", "req_1", "Request rate limit", kind=RateLimitError),
        2,
        (Said(Reply(402, headers={"Request-Id": "req_2"},
                    json={"error": {"type": "card_error", "code": "card_declined",
                                    "param": "number", "decline_code": "generic_decline",
                                    "message": "Your card was declined."}}),
              "card_declined", "req_2", "Your card was declined.", ("number",)),
         # The answer to the first request, again.
         Said(Reply(500, headers={"Request-Id": "req_3", "Stripe-Should-Retry": "false"},
                    json={"error": {"type": "api_error", "message": "Sorry."}}),
              "api_error", "req_3", "Sorry.")),
        (Reply(400, headers={"Stripe-Should-Retry": "true"}),
         Reply(409, json={"error": {"type": "idempotency_error", "message": "In progress."}}),
         Reply(500, json={"error": {"type": "api_error", "message": "Sorry."}})),
        keyed="Idempotency-Key",
    ),
    "openai": Case(
        "/v1/models",
        Said(rate_limited({"x-request-id": "req_a", "x-ratelimit-remaining-requests": "0",
                           "x-ratelimit-reset-requests": "12s",
                           "x-ratelimit-remaining-tokens": "149984",
                           "x-ratelimit-reset-tokens": "6m0s"},
                          {"error": {"message": OPENAI, "type": "requests", "param": None,
                                     "code": "rate_limit_exceeded"}}),
             "rate_limit_exceeded", "req_a", "Rate limit reached", kind=RateLimitError),
        12,
        tuple(Said(Reply(429, headers={"x-request-id": "req_b"},
                         json={"error": {"message": "You exceeded your quota.", "code": code,
                                         "type": "insufficient_quota", "param": None}}),
                   code, "req_b", "your quota", kind=RateLimitError)
              for code in ("insufficient_quota", "credit_balance_exhausted",
                           "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
                           "organization_usage_limit_exceeded")),
        (Reply(503, json={"error": {"message": "Overloaded", "type": "server_error",
                                    "param": None, "code": None}}),),
    ),
    "anthropic": Case(
        "/v1/messages",
        Said(rate_limited({"request-id": "req_h", "retry-after": "9"},
                          {"type": "error", "request_id": "req_1",
                           "error": {"type": "rate_limit_error", "message": "Too many tokens."}}),
             "rate_limit_error", "req_1", "Too many tokens.", kind=RateLimitError),
        9,
        (Said(Reply(400, headers={"request-id": "req_h"},
                    json={"type": "error", "error": {"type": "invalid_request_error",
                                                     "message": "max_tokens: field required"}}),
              "invalid_request_error", "req_h", "max_tokens"),),
        (Reply(529, json={"type": "error", "error": {"type": "overloaded_error",
                                                     "message": "Overloaded"}}),),
    ),
    "slack": Case(
        "/api/conversations.list",
        Said(rate_limited({"Retry-After": "15"}, {"ok": False, "error": "ratelimited"}),
             "ratelimited", None, "ratelimited", kind=RateLimitError),
        15,
        (Said(Reply(200, json={"ok": False, "error": "channel_not_found"}),
              "channel_not_found", None, "channel_not_found"),),
        (Reply(200, json={"ok": False, "error": "internal_error"}), Reply(503)),
    ),
    "google": Case(
        "/v1/projects",
        Said(rate_limited({}, {"error": {
            "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded.",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "11s"},
                        {"@type": "type.googleapis.com/google.rpc.RequestInfo",
                         "requestId": "g-1"}]}}),
             "RESOURCE_EXHAUSTED", "g-1", "Quota exceeded.", kind=RateLimitError),
        11,
        (
            Said(Reply(403, json={"error": {"code": 403, "message": "No.", "errors": [
                {"domain": "usageLimits", "reason": "dailyLimitExceeded", "message": "No."}]}}),
                 "dailyLimitExceeded", None, "No."),
            Said(Reply(400, json={"error": "invalid_grant", "error_description": "Bad Request"}),
                 "invalid_grant", None, "Bad Request"),
        ),
        (Reply(403, json={"error": {"code": 403, "message": "Slower.", "errors": [
            {"domain": "usageLimits", "reason": "userRateLimitExceeded", "message": "Slower."}]}}),
         Reply(503, json={"error": {"code": 503, "status": "UNAVAILABLE", "message": "Later."}})),
    ),
    "microsoft-graph": Case(
        "/v1.0/users",
        Said(rate_limited({"Retry-After": "10", "request-id": "g-h"},
                          {"error": {"code": "TooManyRequests", "message": "Please retry again.",
                                     "innerError": {"code": "429", "date": "2020-08-18T12:51:51",
                                                    "request-id": "g-2", "status": "429"}}}),
             "TooManyRequests", "g-2", "Please retry", kind=RateLimitError),
        10,
        (Said(Reply(400, headers={"request-id": "g-h"},
                    json={"error": {"code": "badRequest", "message": "Uploaded fragment overlaps.",
                                    "innerError": {"code": "invalidRange"}}}),
              "badRequest", "g-h", "fragment overlaps"),),
        (Reply(409, json={"error": {"code": "Directory_ConcurrencyViolation", "message": "x y"}}),
         Reply(509)),
    ),
    "aws-json": Case(
        "/",
        Said(Reply(400, headers={"x-amzn-RequestId": "a-1",
                                 "Content-Type": "application/x-amz-json-1.0"},
                   body=json.dumps({"__type": "com.amazonaws.dynamodb#ThrottlingException",
                                    "message": "Rate exceeded"}).encode()),
             "ThrottlingException", "a-1", "Rate exceeded"),
        0,
        (Said(Reply(400, headers={"x-amzn-RequestId": "a-2"},
                    json={"__type": "com.amazon.coral.service#ValidationException",
                          "message": "One or more parameter values were invalid"}),
              "ValidationException", "a-2", "One or more"),),
        (Reply(400, json={"__type": "RequestTimeoutException", "message": "m n"}), Reply(500)),
    ),
    "aws-query": Case(
        "/",
        Said(Reply(503, **xml("<Error><Code>SlowDown</Code><Message>Please reduce your rate."
                              "</Message><RequestId>a-3</RequestId></Error>")),
             "SlowDown", "a-3", "Please reduce"),
        0,
        (Said(Reply(400, **xml(
            "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameterValue</Code><Message>No."
            "</Message></Error><RequestId>a-4</RequestId></ErrorResponse>")),
              "InvalidParameterValue", "a-4", "No."),),
        (Reply(400, **xml("<Error><Code>RequestTimeout</Code><Message>m n</Message></Error>")),
         Reply(503, **xml("<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m n"
                          "</Message></Error></Errors><RequestID>a-5</RequestID></Response>"))),
    ),
    "shopify": Case(
        "/admin/api/2026-10/graphql.json",
        Said(rate_limited({"Retry-After": "2.0", "X-Request-Id": "s-1"},
                          {"errors": "Exceeded 2 calls per second for api client. Reduce request "
                                     "rates to resume uninterrupted service."}),
             None, "s-1", "Exceeded 2 calls", kind=RateLimitError),
        2,
        (Said(Reply(200, headers={"X-Request-Id": "s-2"},
                    json={"errors": [{"message": "Access denied for x field.",
                                      "extensions": {"code": "ACCESS_DENIED"}}]}),
              "ACCESS_DENIED", "s-2", "Access denied"),),
        (Reply(200, json={"errors": [{"message": "Throttled",
                                      "extensions": {"code": "THROTTLED"}}]}),
         Reply(200, json={"errors": [{"message": "Internal error.",
                                      "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]})),
    ),
    "discord": Case(
        "/api/v10/channels/1/messages",
        Said(rate_limited({"Retry-After": "13", "X-RateLimit-Remaining": "0",
                           "X-RateLimit-Reset-After": "13.37", "X-RateLimit-Scope": "user"},
                          {"message": "You are being rate limited.", "retry_after": 13.37,
                           "global": False}),
             None, None, "You are being rate limited.", kind=RateLimitError),
        13.37,
        (Said(Reply(400, json={"code": 50035, "message": "Invalid Form Body", "errors": {
            "content": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "Required"}]}}}),
              "50035", None, "Invalid Form Body", ("content",)),),
        (Reply(502),),
        used_up={**DATE, "X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0",
                 "X-RateLimit-Reset": IN_20_S, "X-RateLimit-Reset-After": "20",
                 "X-RateLimit-Bucket": "abcd1234"},
    ),
    "telegram": Case(
        "/bot1:x/getMe",
        Said(rate_limited({}, {"ok": False, "error_code": 429, "parameters": {"retry_after": 14},
                               "description": "Too Many Requests: retry after 14"}),
             None, None, "Too Many Requests", kind=RateLimitError),
        14,
        (Said(Reply(400, json={"ok": False, "error_code": 400,
                               "description": "Bad Request: chat not found"}),
              None, None, "chat not found"),),
        (Reply(502),),
    ),
    "hubspot": Case(
        "/crm/v3/objects/contacts",
        Said(rate_limited({}, {"status": "error", "errorType": "RATE_LIMIT", "correlationId": "h-0",
                               "message": "You have reached your ten_secondly_rolling limit.",
                               "policyName": "TEN_SECONDLY_ROLLING", "requestId": "h-1"}),
             "RATE_LIMIT", "h-1", "ten_secondly_rolling", kind=RateLimitError),
        0,
        (
            Said(Reply(429, json={"status": "error", "errorType": "RATE_LIMIT",
                                  "message": "You have reached your daily limit.",
                                  "correlationId": "h-2", "policyName": "DAILY"}),
                 "DAILY_LIMIT", "h-2", "daily limit", kind=RateLimitError),
            Said(Reply(400, json={"status": "error", "message": "Property values were not valid",
                                  "errors": [{"message": "It is no number.", "in": "age"}],
                                  "category": "VALIDATION_ERROR", "correlationId": "h-3"}),
                 "VALIDATION_ERROR", "h-3", "not valid", ("age",)),
            Said(Reply(477, headers={"Retry-After": "86400"}), None, None, ""),
        ),
        (Reply(423), Reply(477, headers={"Retry-After": "20"}), Reply(504)),
    ),
    "notion": Case(
        "/v1/pages/1",
        Said(rate_limited({"Retry-After": "8"},
                          {"object": "error", "status": 429, "code": "rate_limited",
                           "message": "You have been rate limited.", "request_id": "n-1"}),
             "rate_limited", "n-1", "rate limited", kind=RateLimitError),
        8,
        (Said(Reply(409, json={"object": "error", "status": 409, "code": "conflict_error",
                               "message": "Conflict occurred.", "request_id": "n-2"}),
              "conflict_error", "n-2", "Conflict"),),
        (Reply(529, headers={"Retry-After": "3"},
               json={"object": "error", "status": 529, "code": "service_overload",
                     "message": "Overloaded", "request_id": "n-3"}),),
    ),
}  # fmt: skip

# Of these `tests/unit/services` asks for all that is documented.
OTHERS = {"mavio", "meetergo", "standard"}


def test_every_preset_has_a_case() -> None:
    assert CASES.keys() == preset_names() - OTHERS


@frozen
class Service:
    """A service under its preset: what it answers to one call, and how often it is asked."""

    server: FaultServer
    session: aiohttp.ClientSession
    path: str

    async def call(self, *script: Reply, method: str = "GET") -> int:
        """Return how many requests a call made that ended well."""
        before = self.server.hits
        self.server.script(*script)
        url = self.server.url.with_path(self.path)
        async with self.session.request(method, url, data=b"sent") as response:
            assert response.status == 200
            assert await response.json() == {"ok": True}
        return self.server.hits - before

    async def error(self, said: Said, *, method: str = "GET") -> APIError:
        """Return the error of a call, after one request."""
        with pytest.raises(said.kind) as caught:
            await self.call(said.reply, method=method)
        error = caught.value
        assert isinstance(error, APIError)
        assert error.status == said.reply.status
        assert (error.code, error.request_id) == (said.code, said.request_id)
        assert said.message in error.message
        assert tuple(error.field_errors) == said.fields
        assert len(error.attempts) == 1, error
        return error


@pytest.mark.parametrize("name", CASES)
async def test_a_preset_does_what_the_documents_of_its_service_ask_for(
    name: str, clock: FakeClock
) -> None:
    case = CASES[name]
    async with fault_server(then=FINE) as server:
        file = {"services": {"it": {"extends": name, "match": str(server.url)}}}
        services = load_services(file, clock=clock)
        async with client(services) as session, passing(clock, server):
            service = Service(server, session, case.path)

            # A limit: the wait is waited for, by the call itself and by the next one.
            began = clock.time()
            assert await service.call(case.limited.reply) == 2
            assert clock.time() - began >= case.wait
            clock.advance(60)  # gates are over
            # A POST was refused, and not carried out, if the status is 429.
            if case.limited.reply.status == 429:
                assert await service.call(case.limited.reply, method="POST") == 2
            else:
                error = await service.error(case.limited, method="POST")
                assert error.throttled
                assert error.retry_after == (case.wait or None)
            clock.advance(60)  # gates are over

            # What cannot go better next time is not repeated.
            for said in case.fatal:
                error = await service.error(said)
                assert not error.throttled
                assert not services["it"].snapshot()["gates"]

            # Where good answers say that nothing remains, nobody asks in vain.
            if case.used_up is not None:
                began = clock.time()
                fine = Reply(200, headers=case.used_up, json={"ok": True})
                assert [await service.call(fine), await service.call()] == [1, 1]
                assert clock.time() - began >= 20
                clock.advance(60)

            # What can is, if it is a GET, or the service can tell a repetition.
            for reply in (*case.transient, Reply(502)):
                assert await service.call(reply) == 2
                clock.advance(60)  # gates are over
            if case.keyed is None:
                with pytest.raises(APIError) as caught:
                    await service.call(Reply(502), method="POST")
                assert caught.value.stop_code is Reason.NOT_IDEMPOTENT
            else:
                assert await service.call(Reply(502), method="POST") == 2
                first, second = (each.headers[case.keyed] for each in server.requests[-2:])
                assert first == second
                assert len(first) >= 32
