from http import HTTPStatus
from typing import Any

import pytest

from resilient.envelopes import slug, text
from resilient.envelopes.general import code_of, request_id_of
from resilient.envelopes.reading import is_token, members


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("said", "said"),
        ("  said  ", "  said  "),
        ("", None),
        (" \t\n", None),
        ("\x00", "\x00"),
        ("größer", "größer"),
        ("\ud83d", "\ufffd"),
        ("a\udc80b", "a\ufffdb"),
        (0, "0"),
        (-17, "-17"),
        (1.5, "1.5"),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, str(10**400)),
        (True, None),
        (False, None),
        (None, None),
        ({}, None),
        ({"message": "in an object"}, None),
        ([], None),
        ([None, "", [], {}, False], None),
        (["one"], "one"),
        (["one", None, 2, "", "three"], "one; 2; three"),
        (["one", ["nested"]], "one"),
        (["\ud800"], "\ufffd"),
        (("a", "tuple"), None),
        (b"bytes", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_text_of_anything(value: Any, said: str | None) -> None:
    assert text(value) == said


def test_an_integer_that_python_does_not_write_out_says_nothing() -> None:
    assert text(10**5000) is None


def test_a_list_of_texts_is_cut() -> None:
    assert text(["x"] * 100_000) == "; ".join(["x"] * 100)


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("Bad Request", "bad_request"),
        ("Unauthorized", "unauthorized"),
        ("BadRequestException", "BadRequestException"),
        ("HTTPException", None),
        ("I'm a teapot", "im_a_teapot"),
        ("I\u2019m a teapot", "im_a_teapot"),
        ("  Not  Found!  ", "not_found"),
        ("You do not have enough credit.", None),
        ("Zu viele Anfragen: größer", None),
        ("Request Header Fields Too Large", "request_header_fields_too_large"),
        # Names already, and so as they are.
        ("invalid_grant", "invalid_grant"),
        ("RATE_LIMITED", "RATE_LIMITED"),
        ("auth.tokenExpired", "auth.tokenExpired"),
        ("not-found", "not-found"),
        # Nothing that could be a name.
        (None, None),
        ("", None),
        (" ", None),
        ("...", None),
        ("_", None),
        ("'", None),
        ("The server could not verify that you are authorized to access the URL that you "
         "requested.", None),
        ("x" * 1_000_000, None),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_slug(phrase: str | None, name: str | None) -> None:
    assert slug(phrase) == name


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s >= 400])
def test_the_slug_of_a_reason_phrase_is_an_identifier(status: HTTPStatus) -> None:
    name = slug(status.phrase)
    assert name is not None
    assert name.isidentifier() or "-" in status.phrase
    assert name == name.lower() or "-" in status.phrase


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("expired", "expired"),
        ("404", None),
        (1001, "1001"),
        (404, None),
        (404.0, None),
        (True, None),
        (None, None),
        ("", None),
        ({}, None),
        (["expired"], None),
    ],
)
def test_a_number_that_repeats_the_status_is_no_code(code: Any, expected: str | None) -> None:
    assert code_of([members({"code": code})], 404) == expected


def request_id(*documents: Any) -> str | None:
    return request_id_of([members(each) for each in documents])


@pytest.mark.parametrize(
    "member",
    [
        *("request_id", "requestId", "traceId", "trace_id", "correlationId", "correlation_id"),
        *("RequestId", "RequestID", "request-id", "debug_id", "pspReference", "fbtrace_id"),
    ],
)
def test_request_id_goes_by_many_names(member: str) -> None:
    assert request_id({member: "req_1"}) == "req_1"
    assert request_id({member: 17}) == "17"
    assert request_id({member: None}, {member: "beside"}) == "beside"
    assert request_id({member: ["req_1"]}) is None
    assert request_id({"meta": {member: "within"}}) == "within"


def test_the_likelier_request_id_comes_first() -> None:
    assert request_id({"traceId": "t", "request_id": "r"}) == "r"
    assert request_id({"traceId": "t"}, {"request_id": "r"}) == "t"
    assert request_id({}, {}) is None


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("invalid_grant", True),
        ("RESOURCE_EXHAUSTED", True),
        ("ThrottlingException", True),
        ("oauth.v2.InvalidApiKey", True),
        ("NotFound", True),
        ("boom", False),
        ("boom happened in the thing", False),
        ("Error", False),
        ("failed", False),
        ("https://example.com/x", False),
        ("404", False),
        ("2024-05-01", False),
        ("x" * 100 + "_y", False),
    ],
)
def test_a_code_looks_like_one(word: str, is_one: bool) -> None:
    assert is_token(word) is is_one
    assert (code_of([members({"error": word})], 400) == word) is is_one
