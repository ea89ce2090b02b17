"""Two documented formats, whole: every example body and every row of their status tables."""

import pytest
from yarl import URL

from resilient.envelopes import CodeRule, Envelope, parse_error, parse_flat, parse_nested
from resilient.errors import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    FieldError,
    InternalServerError,
    NotAcceptableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    UnprocessableEntityError,
    error_class,
    public_request_info,
)

JSON = {"Content-Type": "application/json; charset=utf-8"}

MAVIO = {
    "every error": (
        404,
        """{
        "error": {
        "code": "not_found",
        "message": "Meeting with ID mtg_xyz789 was not found.",
        "request_id": "req_abc123def456"
        }
        }""",
        Envelope("Meeting with ID mtg_xyz789 was not found.", "not_found", "req_abc123def456"),
    ),
    "validation": (
        400,
        """{
        "error": {
        "code": "validation_error",
        "message": "One or more request parameters are invalid.",
        "request_id": "req_abc123def456",
        "details": [
        {
        "field": "limit",
        "message": "Must be an integer between 1 and 100."
        },
        {
        "field": "from",
        "message": "Must be a valid ISO 8601 date string."
        }
        ]
        }
        }""",
        Envelope(
            "One or more request parameters are invalid.",
            "validation_error",
            "req_abc123def456",
            (
                FieldError("limit", "Must be an integer between 1 and 100."),
                FieldError("from", "Must be a valid ISO 8601 date string."),
            ),
        ),
    ),
    "bad request": (
        400,
        """{
        "error": {
        "code": "bad_request",
        "message": "Request body must be valid JSON.",
        "request_id": "req_d1e2f3g4h5"
        }
        }""",
        Envelope("Request body must be valid JSON.", "bad_request", "req_d1e2f3g4h5"),
    ),
    "unauthorized": (
        401,
        """{
        "error": {
        "code": "unauthorized",
        "message": "Invalid API key. Please check your credentials.",
        "request_id": "req_a1b2c3d4e5"
        }
        }""",
        Envelope(
            "Invalid API key. Please check your credentials.", "unauthorized", "req_a1b2c3d4e5"
        ),
    ),
    "forbidden": (
        403,
        """{
        "error": {
        "code": "forbidden",
        "message": "Your API key does not have the 'meetings:write' scope required for this endpoint.",
        "request_id": "req_f6g7h8i9j0"
        }
        }""",  # noqa: E501 (as documented)
        Envelope(
            "Your API key does not have the 'meetings:write' scope required for this endpoint.",
            "forbidden",
            "req_f6g7h8i9j0",
        ),
    ),
    "not found": (
        404,
        """{
        "error": {
        "code": "not_found",
        "message": "Meeting with ID mtg_xyz789 was not found.",
        "request_id": "req_k1l2m3n4o5"
        }
        }""",
        Envelope("Meeting with ID mtg_xyz789 was not found.", "not_found", "req_k1l2m3n4o5"),
    ),
    "rate limit": (
        429,
        """{
        "error": {
        "code": "rate_limit_exceeded",
        "message": "You have exceeded the rate limit of 300 requests per minute. Please retry after 8 seconds.",
        "request_id": "req_p6q7r8s9t0"
        }
        }""",  # noqa: E501 (as documented)
        Envelope(
            "You have exceeded the rate limit of 300 requests per minute. "
            "Please retry after 8 seconds.",
            "rate_limit_exceeded",
            "req_p6q7r8s9t0",
        ),
    ),
    "internal error": (
        500,
        """{
        "error": {
        "code": "internal_error",
        "message": "An unexpected error occurred. Our team has been notified.",
        "request_id": "req_u1v2w3x4y5"
        }
        }""",
        Envelope(
            "An unexpected error occurred. Our team has been notified.",
            "internal_error",
            "req_u1v2w3x4y5",
        ),
    ),
}

MEETERGO = {
    "every error": (
        400,
        """{
        "statusCode": 400,
        "message": "Validation failed",
        "error": "Bad Request",
        "errors": [
        {
        "field": "email",
        "message": "Invalid email format"
        }
        ]
        }""",
        Envelope(
            "Validation failed",
            "bad_request",
            None,
            (FieldError("email", "Invalid email format"),),
        ),
    ),
    "missing header": (
        401,
        """{
        "statusCode": 401,
        "message": "Missing authorization header",
        "error": "Unauthorized"
        }""",
        Envelope("Missing authorization header", "unauthorized"),
    ),
    "invalid key": (
        401,
        """{
        "statusCode": 401,
        "message": "Invalid API key",
        "error": "Unauthorized"
        }""",
        Envelope("Invalid API key", "unauthorized"),
    ),
    "expired key": (
        401,
        """{
        "statusCode": 401,
        "message": "API key has expired",
        "error": "Unauthorized"
        }""",
        Envelope("API key has expired", "unauthorized"),
    ),
    "missing user context": (
        400,
        """{
        "statusCode": 400,
        "message": "Missing required header 'x-meetergo-api-user-id' for API key authentication",
        "error": "Bad Request"
        }""",
        Envelope(
            "Missing required header 'x-meetergo-api-user-id' for API key authentication",
            "bad_request",
        ),
    ),
    "slot unavailable": (
        400,
        """{
        "statusCode": 400,
        "message": "The selected time slot is no longer available",
        "error": "Bad Request"
        }""",
        Envelope("The selected time slot is no longer available", "bad_request"),
    ),
    "invalid duration": (
        400,
        """{
        "statusCode": 400,
        "message": "Duration must match one of the allowed durations for this meeting type",
        "error": "Bad Request"
        }""",
        Envelope(
            "Duration must match one of the allowed durations for this meeting type", "bad_request"
        ),
    ),
    "missing host": (
        400,
        """{
        "statusCode": 400,
        "message": "hostIds or queueId is required",
        "error": "Bad Request"
        }""",
        Envelope("hostIds or queueId is required", "bad_request"),
    ),
    "validation": (
        400,
        """{
        "statusCode": 400,
        "message": "Validation failed",
        "error": "Bad Request",
        "errors": [
        { "field": "email", "message": "Invalid email format" },
        { "field": "timezone", "message": "Invalid timezone identifier" }
        ]
        }""",
        Envelope(
            "Validation failed",
            "bad_request",
            None,
            (
                FieldError("email", "Invalid email format"),
                FieldError("timezone", "Invalid timezone identifier"),
            ),
        ),
    ),
}


@pytest.mark.parametrize(("status", "body", "expected"), MAVIO.values(), ids=MAVIO)
def test_every_mavio_example_is_read(status: int, body: str, expected: Envelope) -> None:
    assert parse_nested(status, JSON, body.encode()) == expected
    assert parse_error(status, JSON, body.encode()) == expected
    assert parse_flat(status, JSON, body.encode()) is None


@pytest.mark.parametrize(("status", "body", "expected"), MEETERGO.values(), ids=MEETERGO)
def test_every_meetergo_example_is_read(status: int, body: str, expected: Envelope) -> None:
    assert parse_flat(status, JSON, body.encode()) == expected
    assert parse_error(status, JSON, body.encode()) == expected
    assert parse_nested(status, JSON, body.encode()) is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            MAVIO["validation"][1],
            {
                "limit": "Must be an integer between 1 and 100.",
                "from": "Must be a valid ISO 8601 date string.",
            },
        ),
        (
            MEETERGO["validation"][1],
            {"email": "Invalid email format", "timezone": "Invalid timezone identifier"},
        ),
    ],
)
def test_details_give_field_to_message_on_the_error(body: str, fields: dict[str, str]) -> None:
    envelope = parse_error(400, JSON, body.encode())
    info = public_request_info(URL("https://api.example/"), "GET")
    assert APIError(info, status=400, details=envelope.details).field_errors == fields


MAVIO_STATUSES = [
    (400, "bad_request", BadRequestError),
    (400, "validation_error", BadRequestError),
    (401, "unauthorized", AuthenticationError),
    (403, "forbidden", PermissionDeniedError),
    (404, "not_found", NotFoundError),
    (409, "conflict", ConflictError),
    (422, "unprocessable_entity", UnprocessableEntityError),
    (429, "rate_limit_exceeded", RateLimitError),
    (500, "internal_error", InternalServerError),
    (503, "service_unavailable", ServiceUnavailableError),
]


@pytest.mark.parametrize(("status", "code", "error"), MAVIO_STATUSES)
def test_every_row_of_mavios_status_table(status: int, code: str, error: type[APIError]) -> None:
    body = f'{{"error": {{"code": "{code}", "message": "Said.", "request_id": "req_1"}}}}'
    assert parse_error(status, JSON, body.encode()) == Envelope("Said.", code, "req_1")
    assert error_class(status) is error


MEETERGO_STATUSES = [
    (400, "Bad Request", "bad_request", BadRequestError),
    (401, "Unauthorized", "unauthorized", AuthenticationError),
    (403, "Forbidden", "forbidden", PermissionDeniedError),
    (404, "Not Found", "not_found", NotFoundError),
    (406, "Not Acceptable", "not_acceptable", NotAcceptableError),
    (429, "Too Many Requests", "too_many_requests", RateLimitError),
    (500, "Internal Server Error", "internal_server_error", InternalServerError),
    (502, "Bad Gateway", "bad_gateway", BadGatewayError),
    (503, "Service Unavailable", "service_unavailable", ServiceUnavailableError),
]


@pytest.mark.parametrize(("status", "meaning", "code", "error"), MEETERGO_STATUSES)
def test_every_error_row_of_meetergos_status_table(
    status: int, meaning: str, code: str, error: type[APIError]
) -> None:
    body = f'{{"statusCode": {status}, "message": "Said.", "error": "{meaning}"}}'
    assert parse_error(status, JSON, body.encode()) == Envelope("Said.", code)
    # The gateway in front of it answers in its own way: the status is what is left.
    assert parse_error(status, {}, b"<html>oops</html>") == Envelope(meaning)
    assert error_class(status) is error


@pytest.mark.parametrize(
    ("status", "meaning"), [(200, "OK"), (201, "Created"), (204, "No Content")]
)
def test_every_success_row_of_meetergos_status_table(status: int, meaning: str) -> None:
    assert parse_error(status, {}, b"") == Envelope(meaning)


def test_a_rule_tells_a_slot_that_is_taken_from_other_bad_requests() -> None:
    rules = [CodeRule("slot_unavailable", status=400, message="no longer available")]
    codes = {
        name: parse_error(status, JSON, body.encode(), code_rules=rules).code
        for name, (status, body, _) in MEETERGO.items()
    }
    assert codes.pop("slot unavailable") == "slot_unavailable"
    assert set(codes.values()) == {"bad_request", "unauthorized"}
