import json
from typing import Any

import pytest

from resilient.envelopes import Envelope, parse_flat
from resilient.errors import FieldError


def read(document: Any, status: int = 400) -> Envelope | None:
    return parse_flat(status, {}, json.dumps(document).encode())


SHAPES: dict[str, tuple[Any, Envelope]] = {
    "NestJS, no error": (
        {"statusCode": 401, "message": "Unauthorized"},
        Envelope("Unauthorized"),
    ),
    "NestJS, list of messages": (
        {"statusCode": 400, "message": ["email must be an email", "name should not be empty"],
         "error": "Bad Request"},
        Envelope("email must be an email; name should not be empty", "bad_request"),
    ),
    "NestJS, class-validator's objects": (
        {"statusCode": 400, "error": "Bad Request", "message": [
            {"target": {"email": "x"}, "value": "x", "property": "email", "children": [],
             "constraints": {"isEmail": "email must be an email"}},
            {"property": "address", "children": [
                {"property": "city", "constraints": {"isString": "city must be a string"}}]}]},
        Envelope("Bad Request", "bad_request", None,
                 (FieldError("email", "email must be an email"),
                  FieldError("address.city", "city must be a string"))),
    ),
    "Fastify": (
        {"statusCode": 400, "code": "FST_ERR_VALIDATION", "error": "Bad Request",
         "message": "body must have required property 'name'"},
        Envelope("body must have required property 'name'", "FST_ERR_VALIDATION"),
    ),
    "Spring": (
        {"timestamp": "2024-05-01T10:00:00Z", "status": 400, "error": "Bad Request",
         "message": "Validation failed", "path": "/users", "errors": [
             {"objectName": "user", "field": "name", "defaultMessage": "must not be blank"}]},
        Envelope("Validation failed", "bad_request", None,
                 (FieldError("name", "must not be blank"),)),
    ),
    "Laravel": (
        {"message": "The given data was invalid.",
         "errors": {"email": ["The email is taken.", "The email is too long."]}},
        Envelope("The given data was invalid.", None, None,
                 (FieldError("email", "The email is taken."),
                  FieldError("email", "The email is too long."))),
    ),
    "GitHub": (
        {"message": "Validation Failed", "documentation_url": "https://docs.example",
         "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]},
        Envelope("Validation Failed", None, None, (FieldError("title", "missing_field"),),
                 docs="https://docs.example"),
    ),
    "Twilio": (
        {"code": 20003, "message": "Authenticate", "more_info": "https://docs.example",
         "status": 401},
        Envelope("Authenticate", "20003", docs="https://docs.example"),
    ),
    "OAuth": (
        {"error": "invalid_grant", "error_description": "The authorization code has expired."},
        Envelope("The authorization code has expired.", "invalid_grant"),
    ),
    "OAuth, no description": ({"error": "invalid_client"},
                              Envelope("invalid_client", "invalid_client")),
    "JSON:API": (
        {"errors": [
            {"status": "422", "code": "blank", "title": "Invalid Attribute",
             "source": {"pointer": "/data/attributes/firstName"},
             "detail": "First name must contain at least two characters."},
            {"status": "422", "title": "Invalid Query Parameter",
             "source": {"parameter": "include"}, "detail": "There is no author."}]},
        Envelope("First name must contain at least two characters.; There is no author.",
                 "blank", None,
                 (FieldError("data.attributes.firstName",
                             "First name must contain at least two characters."),
                  FieldError("include", "There is no author."))),
    ),
    "Rails": ({"errors": ["Name can't be blank", "Email is invalid"]},
              Envelope("Name can't be blank; Email is invalid")),
    "mongoose": (
        {"message": "User validation failed",
         "errors": {"email": {"name": "ValidatorError", "message": "Required.", "path": "email"}}},
        Envelope("User validation failed", None, None, (FieldError("email", "Required."),)),
    ),
    "code, message, details": (
        {"code": "invalid", "message": "m", "details": [{"field": "a", "message": "b"}]},
        Envelope("m", "invalid", None, (FieldError("a", "b"),)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_shape_of(document: Any, expected: Envelope) -> None:
    assert read(document) == expected


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"code": "c", "error": "Bad Request"}, "c"),
        ({"code": 1001, "error": "Bad Request"}, "1001"),
        ({"code": 400, "error": "Bad Request"}, "bad_request"),
        ({"code": None, "error": "Bad Request"}, "bad_request"),
        ({"code": [], "error": "BadRequestException"}, "BadRequestException"),
        ({"error": "invalid_request"}, "invalid_request"),
        ({"error": ""}, None),
        ({"error": None}, None),
        ({"error": True}, None),
        ({"error": 5}, None),
        ({"error": ["Bad Request"]}, None),
        ({}, None),
        ({"errors": [{"code": "of the field"}]}, None),
    ],
)
def test_where_the_code_comes_from(members: dict[str, Any], code: str | None) -> None:
    assert read({"message": "m", **members}) == Envelope("m", code)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"message": "m", "error_description": "d", "error": "E"}, "m"),
        ({"message": None, "error_description": "d", "error": "E"}, "d"),
        ({"message": "", "detail": "d", "error": "E"}, "d"),
        ({"message": {"en": "m"}, "error": "E"}, "E"),
        ({"message": 5, "error": "E"}, "5"),
        ({"message": [], "error": "E"}, "E"),
        ({"message": [None, {}], "error": "E"}, "E"),
        ({"statusCode": 400, "error": "E"}, "E"),
    ],
)
def test_where_the_message_comes_from(document: Any, message: str) -> None:
    assert read(document) == Envelope(message, slug_of(document))


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([{"code": "first", "detail": "m"}, {"code": "second", "detail": "m"}], "first"),
        ([{"code": 400, "detail": "m"}], None),
        (["m", {"code": "second", "detail": "m"}], None),
    ],
)
def test_where_errors_are_all_there_is_the_first_gives_the_code(
    errors: Any, code: str | None
) -> None:
    envelope = read({"errors": errors})
    assert envelope is not None
    assert (envelope.message, envelope.code) == ("m", code)


def slug_of(document: Any) -> str | None:
    return "E" if document.get("error") else None


@pytest.mark.parametrize("contradiction", [200, 500, 0, -1, "200", 10**30, True, None, "x", {}])
def test_a_status_code_that_contradicts_the_status_line_changes_nothing(contradiction: Any) -> None:
    document = {"statusCode": contradiction, "message": "m", "error": "Not Found"}
    assert read(document, 404) == Envelope("m", "not_found")


def test_members_that_nobody_documented_are_passed_over() -> None:
    document = {"message": "m", "stack": ["a", "b"], "success": False, "data": None}
    assert read(document) == Envelope("m")


def test_a_request_id_is_taken_where_there_is_one() -> None:
    assert read({"message": "m", "requestId": "r"}) == Envelope("m", None, "r")


@pytest.mark.parametrize(
    "document", [{"statusCode": 404}, {"message": []}, {"errors": []}, {"errors": {}}]
)
def test_one_that_says_nothing_is_declined(document: Any) -> None:
    assert read(document) is None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"errors": "text"}, Envelope("text")),
        ({"error": "boom happened in the thing"}, Envelope("boom happened in the thing")),
        ({"error": "boom"}, Envelope("boom")),
        ({"message": {"value": "m"}, "code": "c_d"}, Envelope("m", "c_d")),
        ({"error": "Bad Request", "title": "The room is taken."},
         Envelope("The room is taken.", "bad_request")),
    ],
)  # fmt: skip
def test_it_may_say_little_and_is_read(document: Any, expected: Envelope) -> None:
    assert read(document) == expected


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"error": {"message": "m"}},
        {"error": None, "message": None, "errors": None, "statusCode": None},
        {"error": True},
        {"message": {"en": "m"}},
        {"title": "t"},
        {"email": ["This field is required."]},
        [{"message": "m"}],
        "text",
        5,
        None,
    ],
)
def test_what_is_not_flat_is_declined(document: Any) -> None:
    assert read(document) is None
