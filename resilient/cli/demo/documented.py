"""Write errors in the two documented formats, and list those that both documents name."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from resilient.testing import Reply

__all__ = ["FLAT", "NESTED", "flat", "nested"]


def nested(
    status: int,
    code: str,
    message: str,
    request_id: str = "req_abc123def456",
    *,
    details: dict[str, str] | None = None,
    retry_after: int | None = None,
) -> Reply:
    """Write an error as {"error": {code, message, request_id, details}}."""
    error: dict[str, Any] = {"code": code, "message": message, "request_id": request_id}
    if details:
        error["details"] = _fields(details)
    return Reply(status, json={"error": error}, headers=_retry_after(retry_after))


def flat(
    status: int,
    message: str,
    request_id: str = "5f0c7a3e",
    *,
    errors: dict[str, str] | None = None,
    retry_after: int | None = None,
) -> Reply:
    """Write an error as {statusCode, message, error, errors}."""
    error: dict[str, Any] = {
        "statusCode": status,
        "message": message,
        "error": HTTPStatus(status).phrase,
    }
    if errors:
        error["errors"] = _fields(errors)
    # This format has no place for it in the body.
    headers = {"X-Request-Id": request_id, **_retry_after(retry_after)}
    return Reply(status, json=error, headers=headers)


def _fields(remarks: dict[str, str]) -> list[dict[str, str]]:
    return [{"field": field, "message": message} for field, message in remarks.items()]


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


NESTED = (
    nested(400, "bad_request", "Request body must be valid JSON.", "req_d1e2f3g4h5"),
    nested(
        400,
        "validation_error",
        "One or more request parameters are invalid.",
        details={
            "limit": "Must be an integer between 1 and 100.",
            "from": "Must be a valid ISO 8601 date string.",
        },
    ),
    nested(
        401,
        "unauthorized",
        "Invalid API key. Please check your credentials.",
        "req_a1b2c3d4e5",
    ),
    nested(
        403,
        "forbidden",
        "Your API key does not have the 'meetings:write' scope required for this endpoint.",
        "req_f6g7h8i9j0",
    ),
    nested(404, "not_found", "Meeting with ID mtg_xyz789 was not found.", "req_k1l2m3n4o5"),
    nested(409, "conflict", "The request conflicts with the current state."),
    nested(422, "unprocessable_entity", "The request is well-formed but cannot be processed."),
    nested(
        429,
        "rate_limit_exceeded",
        "You have exceeded the rate limit of 300 requests per minute. "
        "Please retry after 8 seconds.",
        "req_p6q7r8s9t0",
        retry_after=8,
    ),
    nested(
        500,
        "internal_error",
        "An unexpected error occurred. Our team has been notified.",
        "req_u1v2w3x4y5",
    ),
    nested(503, "service_unavailable", "The API is temporarily unavailable.", "req_y6z7a8b9c0"),
)

FLAT = (
    flat(400, "hostIds or queueId is required", "3b1f9d20"),
    flat(
        400,
        "Validation failed",
        "81c4e6a7",
        errors={"email": "Invalid email format", "timezone": "Invalid timezone identifier"},
    ),
    flat(400, "The selected time slot is no longer available", "c2d05f18"),
    flat(401, "API key has expired", "0e97b3f4"),
    flat(403, "Insufficient permissions", "6a2c81d5"),
    flat(404, "Resource doesn't exist", "f4830b9e"),
    flat(406, "Limit reached", "27d6ac51"),
    flat(429, "Rate limit exceeded", "b95e10f3", retry_after=8),
    flat(500, "Internal server error", "4d7f2e86"),
    flat(502, "Bad gateway", "e16b0c3a"),
    flat(503, "Service unavailable", "9a8d54c7"),
)
