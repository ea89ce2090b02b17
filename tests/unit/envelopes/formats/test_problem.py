import json
from typing import Any

import pytest

from resilient.envelopes import Envelope, parse_problem
from resilient.errors import FieldError

PROBLEM = {"Content-Type": "application/problem+json"}
JSON = {"Content-Type": "application/json"}


def read(document: Any, headers: dict[str, str], status: int = 400) -> Envelope | None:
    return parse_problem(status, headers, json.dumps(document).encode())


OUT_OF_CREDIT = {
    "type": "https://example.com/probs/out-of-credit",
    "title": "You do not have enough credit.",
    "detail": "Your current balance is 30, but that costs 50.",
    "instance": "/account/12345/msgs/abc",
    "balance": 30,
    "accounts": ["/account/12345", "/account/67890"],
}
VALIDATION = {
    "type": "https://example.net/validation-error",
    "title": "Your request is not valid.",
    "errors": [
        {"detail": "must be a positive integer", "pointer": "#/age"},
        {"detail": "must be 'green', 'red' or 'blue'", "pointer": "#/profile/color"},
    ],
}
# RFC 7807, section 3.
INVALID_PARAMS = {
    "type": "https://example.net/validation-error",
    "title": "Your request parameters didn't validate.",
    "invalid-params": [
        {"name": "age", "reason": "must be a positive integer"},
        {"name": "color", "reason": "must be 'green', 'red' or 'blue'"},
    ],
}

SHAPES: dict[str, tuple[int, Any, Envelope]] = {
    "RFC 9457, out of credit": (
        403,
        OUT_OF_CREDIT,
        Envelope("Your current balance is 30, but that costs 50.",
                 "https://example.com/probs/out-of-credit"),
    ),
    "RFC 9457, validation": (
        422,
        VALIDATION,
        Envelope("Your request is not valid.", "https://example.net/validation-error", None,
                 (FieldError("age", "must be a positive integer"),
                  FieldError("profile.color", "must be 'green', 'red' or 'blue'"))),
    ),
    "RFC 7807, validation": (
        400,
        INVALID_PARAMS,
        Envelope("Your request parameters didn't validate.",
                 "https://example.net/validation-error", None,
                 (FieldError("age", "must be a positive integer"),
                  FieldError("color", "must be 'green', 'red' or 'blue'"))),
    ),
    "ASP.NET": (
        400,
        {"type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
         "title": "One or more validation errors occurred.", "status": 400,
         "errors": {"Email": ["The Email field is required.", "Too short."], "$.age": ["No."]},
         "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"},
        Envelope("One or more validation errors occurred.",
                 "https://tools.ietf.org/html/rfc9110#section-15.5.1",
                 "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                 (FieldError("Email", "The Email field is required."),
                  FieldError("Email", "Too short."), FieldError("$.age", "No."))),
    ),
    "FastAPI": (404, {"detail": "Item not found"}, Envelope("Item not found")),
    "FastAPI, validation": (
        422,
        {"detail": [
            {"type": "missing", "loc": ["body", "email"], "msg": "Field required", "input": {}},
            {"type": "int_parsing", "loc": ["query", "limit"], "msg": "Not an integer"}]},
        Envelope("Field required; Not an integer", None, None,
                 (FieldError("body.email", "Field required"),
                  FieldError("query.limit", "Not an integer"))),
    ),
    "FastAPI, texts": (400, {"detail": ["one", "two"]}, Envelope("one; two")),
    "about:blank": (
        404,
        {"type": "about:blank", "title": "Not Found", "status": 404},
        Envelope("Not Found", "not_found"),
    ),
    "code": (
        429,
        {"type": "https://example.com/limits", "title": "Slow down", "code": "too_fast"},
        Envelope("Slow down", "too_fast"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("headers", [PROBLEM, JSON, {}], ids=["problem", "json", "untyped"])
@pytest.mark.parametrize(("status", "document", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_shape_of(
    status: int, document: Any, expected: Envelope, headers: dict[str, str]
) -> None:
    assert read(document, headers, status) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/problem+json; charset=utf-8"},
        {"content-type": "APPLICATION/PROBLEM+JSON"},
        {"CONTENT-TYPE": " application/problem+json ;q=1"},
    ],
)
def test_the_declared_type_is_heeded_whatever_its_case_and_parameters(
    headers: dict[str, str],
) -> None:
    document = {"type": "https://e.example/p", "message": "m", "statusCode": 400, "error": "E"}
    assert read(document, headers) == Envelope("m", "https://e.example/p")
    assert read(document, JSON) is None


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"code": "c", "type": "https://e.example/p"}, "c"),
        ({"code": 20404, "type": "https://e.example/p"}, "20404"),
        ({"code": 400, "type": "https://e.example/p"}, "https://e.example/p"),
        ({"code": {}, "type": "https://e.example/p"}, "https://e.example/p"),
        ({"type": "/relative#x"}, "/relative#x"),
        ({"type": "about:blank"}, None),
        ({"type": ""}, None),
        ({"type": None}, None),
        ({"type": 7}, None),
        ({}, None),
    ],
)
def test_where_the_code_comes_from(members: dict[str, Any], code: str | None) -> None:
    assert read({"title": "A title", **members}, PROBLEM) == Envelope("A title", code)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"title": 5, "detail": "d"}, Envelope("d")),
        ({"title": "T", "detail": 5}, Envelope("T", "T")),
        ({"title": "T", "detail": None}, Envelope("T", "T")),
        ({"title": "T", "detail": {"code": "x"}}, Envelope("T", "x")),
        ({"title": "T", "errors": "x", "instance": 5, "status": "x"}, Envelope("T", "T")),
        ({"title": ["T"], "detail": "d", "type": ["https://e.example/p"]}, Envelope("d")),
        ({"detail": "d", "traceId": {}, "correlationId": "c"}, Envelope("d", None, "c")),
        (
            {"errors": {"email": ["taken"]}},
            Envelope("taken", None, None, (FieldError("email", "taken"),)),
        ),
    ],
)
def test_members_of_the_wrong_type_are_ignored(document: Any, expected: Envelope) -> None:
    assert read(document, PROBLEM) == expected


@pytest.mark.parametrize(
    "member", ["request_id", "requestId", "traceId", "trace_id", "correlationId"]
)
def test_the_request_id_is_an_extension(member: str) -> None:
    assert read({"detail": "d", member: "r"}, PROBLEM) == Envelope("d", None, "r")


@pytest.mark.parametrize("stated", [200, 500, "x", None])
def test_a_status_that_contradicts_the_status_line_changes_nothing(stated: Any) -> None:
    document = {"title": "Not Found", "status": stated}
    assert read(document, PROBLEM, 404) == Envelope("Not Found", "not_found")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"message": "m", "title": "t"},
        {"message": ["m"], "detail": "d"},
        {"statusCode": 400, "title": "t", "detail": "d"},
        {"error": "Bad Request", "detail": "d"},
        {"error": {"message": "m"}, "detail": "d"},
        {"errors": [{"detail": "d", "source": {"pointer": "/a"}}]},
        {"type": "https://e.example/p"},
        {"title": ""},
        {"detail": []},
        {"detail": [5, None, {"msg": ""}]},
        {"title": 5, "detail": 5},
        [],
        None,
    ],
)
def test_what_neither_says_nor_looks_to_be_a_problem_is_declined(document: Any) -> None:
    assert read(document, JSON) is None


@pytest.mark.parametrize(
    "document",
    [{"message": None, "title": "T"}, {"statusCode": None, "error": "", "title": "T"}],
)
def test_a_null_does_not_keep_a_document_from_looking_like_a_problem(document: Any) -> None:
    assert read(document, JSON) == Envelope("T", "T")


@pytest.mark.parametrize("document", [{}, {"status": 400}, {"error": {"message": "m"}}, [], "x"])
def test_a_declared_problem_that_says_nothing_is_left_to_the_others(document: Any) -> None:
    assert read(document, PROBLEM) is None


def test_a_declared_problem_that_is_no_json_is_declined() -> None:
    assert parse_problem(502, PROBLEM, b"<html>") is None
