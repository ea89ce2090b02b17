import json
from typing import Any

import pytest

from resilient.envelopes import Envelope, parse_nested
from resilient.errors import FieldError


def read(document: Any, status: int = 400) -> Envelope | None:
    return parse_nested(status, {}, json.dumps(document).encode())


SHAPES: dict[str, tuple[int, Any, Envelope]] = {
    "OpenAI": (
        401,
        {"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error",
                   "param": None, "code": "invalid_api_key"}},
        Envelope("Incorrect API key provided.", "invalid_api_key"),
    ),
    "OpenAI, no code": (
        400,
        {"error": {"message": "Unknown parameter.", "type": "invalid_request_error",
                   "param": "messages[0].role", "code": None}},
        Envelope("Unknown parameter.", "invalid_request_error", None,
                 (FieldError("messages[0].role", "Unknown parameter."),)),
    ),
    "Anthropic": (
        404,
        {"type": "error", "request_id": "req_011",
         "error": {"type": "not_found_error", "message": "The resource could not be found."}},
        Envelope("The resource could not be found.", "not_found_error", "req_011"),
    ),
    "Stripe": (
        402,
        {"error": {"code": "card_declined", "decline_code": "generic_decline",
                   "message": "Your card was declined.", "type": "card_error"}},
        Envelope("Your card was declined.", "card_declined"),
    ),
    "Google": (
        400,
        {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
                   "details": [
                       {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
                       {"@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": [{"field": "key", "description": "Not valid."}]}]}},
        Envelope("API key not valid.", "INVALID_ARGUMENT", None,
                 (FieldError("key", "Not valid."),)),
    ),
    "Google, older": (
        404,
        {"error": {"code": 404, "message": "Not Found", "errors": [
            {"domain": "global", "reason": "notFound", "message": "Not Found",
             "locationType": "parameter", "location": "id"}]}},
        Envelope("Not Found", None, None, (FieldError("id", "Not Found"),)),
    ),
    "OData": (
        400,
        {"error": {"code": "BadArgument", "message": "Two are wrong.", "target": "Contact",
                   "details": [{"code": "NullValue", "target": "Phone", "message": "No null."}],
                   "innererror": {"trace": []}}},
        Envelope("Two are wrong.", "BadArgument", None, (FieldError("Phone", "No null."),)),
    ),
    "Facebook": (
        400,
        {"error": {"message": "Expired.", "type": "OAuthException", "code": 190}},
        Envelope("Expired.", "190"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "document", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_shape_of(status: int, document: Any, expected: Envelope) -> None:
    assert read(document, status) == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "c", "type": "t", "status": "s"}, "c"),
        ({"code": 7, "status": "s", "type": "t"}, "s"),
        ({"code": 7, "type": "t"}, "7"),
        ({"code": 400, "type": "t"}, "t"),
        ({"code": 400}, None),
        ({"code": "400", "type": "t"}, "t"),
        ({"code": None, "type": "t"}, "t"),
        ({"code": "", "type": "t"}, "t"),
        ({"code": 7, "status": 400}, "7"),
        ({"code": True, "type": "t"}, "t"),
        ({"code": {}, "type": {}}, None),
        ({"type": 5}, None),
        ({}, None),
    ],
)
def test_where_the_code_comes_from(error: dict[str, Any], code: str | None) -> None:
    assert read({"error": {"message": "m", **error}}) == Envelope("m", code)


@pytest.mark.parametrize(
    ("document", "request_id"),
    [
        ({"error": {"message": "m", "request_id": "r"}}, "r"),
        ({"error": {"message": "m", "requestId": "r"}}, "r"),
        ({"error": {"message": "m"}, "request_id": "beside"}, "beside"),
        ({"error": {"message": "m"}, "requestId": "beside"}, "beside"),
        ({"error": {"message": "m", "request_id": "r"}, "request_id": "beside"}, "r"),
        ({"error": {"message": "m", "request_id": None}, "request_id": "beside"}, "beside"),
        ({"error": {"message": "m", "request_id": 17}}, "17"),
        ({"error": {"message": "m", "request_id": {}}}, None),
    ],
)
def test_where_the_request_id_comes_from(document: Any, request_id: str | None) -> None:
    assert read(document) == Envelope("m", None, request_id)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"error": {"code": "c", "message": ["one", "two"]}}, "one; two"),
        ({"error": {"code": "c", "message": 5}}, "5"),
        ({"error": {"code": "c", "message": None, "description": "d"}}, "d"),
        ({"error": {"code": "c"}, "message": "beside"}, "beside"),
        ({"error": {"code": "c", "message": {"en": "m"}}}, None),
        ({"error": {"code": "c", "message": ""}}, None),
    ],
)
def test_where_the_message_comes_from(document: Any, message: str | None) -> None:
    assert read(document) == Envelope(message, "c")


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"code": "c", "details": [{"field": "limit", "message": "m"}]}},
        {"error": {"code": "c", "details": {"limit": ["m n"]}}},
        {"error": {"code": "c", "errors": {"field": "limit", "message": "m"}}},
        {"error": {"code": "c", "details": None, "errors": [{"field": "limit", "message": "m"}]}},
        {"error": {"code": "c"}, "details": [{"field": "limit", "message": "m"}]},
    ],
)
def test_details_as_a_list_and_as_an_object(document: Any) -> None:
    envelope = read(document)
    assert envelope is not None
    # Of an error without a message, its fields speak.
    said = envelope.message
    assert said in ("m", "m n")
    assert envelope == Envelope(said, "c", None, (FieldError("limit", said),))


def test_details_that_name_no_field_are_the_message_where_there_is_none() -> None:
    document: Any = {"error": {"code": "c", "details": ["text", None, 5, {"limit": 300}]}}
    assert read(document) == Envelope("text", "c")
    document["error"]["message"] = "It is wrong."
    assert read(document) == Envelope("It is wrong.", "c", None, (FieldError("", "text"),))


@pytest.mark.parametrize("details", [{"limit": "100"}, {"limit": 100, "reason": "too much"}, {}])
def test_an_object_of_plain_values_names_no_field(details: Any) -> None:
    document = {"error": {"code": "c", "message": "It is wrong.", "details": details}}
    assert read(document) == Envelope("It is wrong.", "c")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"error": None},
        {"error": "Bad Request", "message": "m"},
        {"error": ["m"]},
        {"error": {}},
        {"error": {"code": None, "message": "", "details": []}},
        {"error": {"unknown": "x"}},
        {"message": "m"},
        [],
        "text",
        None,
    ],
)
def test_what_is_not_nested_is_declined(document: Any) -> None:
    assert read(document) is None


def test_a_body_that_is_no_json_is_declined() -> None:
    assert parse_nested(502, {}, b"<html>error</html>") is None
