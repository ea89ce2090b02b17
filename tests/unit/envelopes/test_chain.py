import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from multidict import CIMultiDict

from resilient.envelopes import CodeRule, Envelope, ErrorBody, json_object, parse_error
from resilient.errors import ConfigError, FieldError

PROBLEM = {"Content-Type": "application/problem+json"}


def declines(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
    return None


def accepts(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
    return Envelope("accepted", "a")


def raises(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
    raise LookupError("a bug of the user's")


def strays(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    return {"message": "not an envelope"}


# Each shape gets its own parser, though others could read something into it.
SHAPES: dict[str, tuple[dict[str, str], Any, Envelope]] = {
    "nested": ({}, {"error": {"code": "c", "message": "m"}}, Envelope("m", "c")),
    "nested, with a message beside": (
        {},
        {"error": {"code": "c", "message": "m"}, "message": "n", "title": "t", "detail": "d"},
        Envelope("m", "c"),
    ),
    "nested, labelled as a problem": (
        PROBLEM,
        {"error": {"code": "c", "message": "m"}},
        Envelope("m", "c"),
    ),
    "flat": ({}, {"statusCode": 400, "message": "m", "error": "E"}, Envelope("m", "E")),
    "flat, with a title": (
        {},
        {"statusCode": 400, "message": "m", "error": "E", "title": "t", "detail": "d"},
        Envelope("m", "E"),
    ),
    "flat, labelled as a problem": (
        PROBLEM,
        {"statusCode": 400, "message": "m", "error": "E"},
        Envelope("m", "E"),
    ),
    "error and detail": ({}, {"error": "not_found", "detail": "d"}, Envelope("d", "not_found")),
    "JSON:API": (
        {},
        {"errors": [{"title": "t", "detail": "d", "source": {"pointer": "/a"}}]},
        Envelope("d", None, None, (FieldError("a", "d"),)),
    ),
    "problem": (PROBLEM, {"type": "urn:x", "title": "t", "detail": "d"}, Envelope("d", "urn:x")),
    "problem, undeclared": ({}, {"title": "T", "errors": {"a": ["b"]}}, Envelope(
        "T", "T", None, (FieldError("a", "b"),))),
    "problem, with members of the other formats": (
        PROBLEM,
        {"type": "urn:x", "title": "t", "message": "m", "error": {"message": "n"},
         "errors": [{"detail": "e", "pointer": "#/a"}]},
        Envelope("t", "urn:x", None, (FieldError("a", "e"),)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "document", "expected"), SHAPES.values(), ids=SHAPES)
def test_each_shape_is_read_by_its_own_parser(
    headers: dict[str, str], document: Any, expected: Envelope
) -> None:
    assert parse_error(400, headers, json.dumps(document).encode()) == expected


@pytest.mark.parametrize(
    ("status", "message"),
    [
        *((status.value, status.phrase) for status in HTTPStatus if status >= 400),
        (599, "HTTP 599"),
        (799, "HTTP 799"),
        (0, "HTTP 0"),
        (-1, "HTTP -1"),
    ],
)
def test_a_status_is_always_enough(status: int, message: str) -> None:
    assert parse_error(status, {}, b"") == Envelope(message)
    assert parse_error(status, {}, b'{"error": {"code": "c"}}') == Envelope(message, "c")
    assert parse_error(status, {}, b'{"message": null, "errors": []}') == Envelope(message)


def test_no_parser_at_all_is_enough() -> None:
    assert parse_error(404, {}, b'{"message": "m"}', parsers=()) == Envelope("Not Found")


def test_the_first_parser_that_accepts_wins() -> None:
    body = b'{"message": "m"}'
    assert parse_error(400, {}, body, parsers=[declines, accepts, "flat"]).message == "accepted"
    assert parse_error(400, {}, body, parsers=[declines, "flat", accepts]).message == "m"
    assert parse_error(400, {}, body, parsers=[declines, "nested"]).message == "Bad Request"


def test_an_empty_envelope_is_an_answer_too() -> None:
    def empty(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
        return Envelope()

    assert parse_error(400, {}, b"", parsers=[empty, accepts]) == Envelope("Bad Request")


@pytest.mark.parametrize("parser", [raises, strays])
def test_a_parser_that_fails_has_declined(parser: Any) -> None:
    assert parse_error(400, {}, b"", parsers=[parser, accepts]) == Envelope("accepted", "a")
    assert parse_error(400, {}, b"", parsers=[parser]) == Envelope("Bad Request")


def test_a_parser_that_fails_is_reported() -> None:
    reports: list[Any] = []
    parsers: Any = [raises, declines, strays, accepts, raises]
    parse_error(400, {}, b"", parsers=parsers, on_error=lambda *report: reports.append(report))
    assert [parser for parser, _ in reports] == [raises, strays]
    assert isinstance(reports[0][1], LookupError)
    assert isinstance(reports[1][1], TypeError)
    assert "dict" in str(reports[1][1])


def test_a_parser_that_does_not_exist_is_a_mistake_of_the_callers() -> None:
    with pytest.raises(ConfigError):
        parse_error(400, {}, b"", parsers=["nestd"])


def test_a_parser_is_handed_the_response_by_position() -> None:
    calls: list[Any] = []

    def parser(*args: Any) -> Envelope | None:
        calls.append(args)
        return None

    parse_error(418, {"x-a": "b"}, b'{"c": 1}', parsers=[parser, parser])
    (status, headers, body), (_, _, again) = calls
    assert status == 418
    assert headers["X-A"] == "b"
    assert body == b'{"c": 1}'
    assert isinstance(body, ErrorBody)
    assert json_object(body) is json_object(again) is not None


HEADERS = {"Cf-Ray": "ray", "x-request-id": "from header"}


@pytest.mark.parametrize("headers", [HEADERS, CIMultiDict(HEADERS)])
def test_a_request_id_comes_from_the_body_or_else_from_a_header(headers: Any) -> None:
    body = b'{"error": {"message": "m", "request_id": "from body"}}'
    assert parse_error(400, headers, body) == Envelope("m", None, "from body")
    assert parse_error(400, headers, b'{"message": "m"}') == Envelope("m", None, "from header")
    assert parse_error(400, headers, b"") == Envelope("Bad Request", None, "from header")
    assert parse_error(400, headers, b"", request_id_headers=["cf-ray"]).request_id == "ray"
    assert parse_error(400, headers, b"", request_id_headers=()).request_id is None


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"X-Request-Id": ""}, None),
        ({"X-Request-Id": "\udcff\x00"}, "\ufffd\x00"),
        ({None: None, 5: b"x", "X-Request-Id": 7}, None),
        ({"Content-Type": "\ud800;;;"}, None),
    ],
)
def test_hostile_headers_do_no_harm(headers: Any, request_id: str | None) -> None:
    assert parse_error(500, headers, b"{") == Envelope("Internal Server Error", None, request_id)


def test_rules_see_the_message_that_the_error_will_show() -> None:
    rules = [CodeRule("upstream_down", message="bad gateway"), CodeRule("taken", 400, "taken")]
    assert parse_error(502, {}, b"<html>", code_rules=rules).code == "upstream_down"
    taken = b'{"message": "It is taken", "code": "vague"}'
    assert parse_error(400, {}, taken, code_rules=rules).code == "taken"
    assert parse_error(409, {}, taken, code_rules=rules).code == "vague"


def test_more_than_an_envelope_is_kept() -> None:
    class Wider(Envelope):
        hint = "see the manual"

    def parser(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
        return Wider(code="c")

    rules = [CodeRule("d", status=404)]
    envelope = parse_error(404, {"CF-Ray": "r"}, b"", parsers=[parser], code_rules=rules)
    assert isinstance(envelope, Wider)
    assert (envelope.message, envelope.code, envelope.request_id) == ("Not Found", "d", "r")


NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
# Without a zone.
MINUTE_LATER = datetime(2026, 11, 29, 12, 1)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("2026-11-29T12:00:30Z", 30.0),
        ("2026-11-29 12:00:30", 30.0),
        ("2026-11-29T13:00:30.5+01:00", 30.5),
        ("2026-11-29T11:59:00Z", 0.0),
        ("9999-12-31T23:59:59Z", 2.0**31),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("2026-11-29", None),
        ("tomorrow", None),
        ("2026-13-29T12:00:30Z", None),
        ("2026-11-29T12:00:30Z" + " " * 100_000, None),
    ],
)
def test_a_moment_in_a_body_is_a_wait_from_the_time_of_the_response(
    said: str, wait: float | None
) -> None:
    body = json.dumps({"message": "Too many.", "retryAfter": said}).encode()
    assert parse_error(429, {}, body, now=NOON).retry_after == wait
    later = {"Date": "Sun, 29 Nov 2026 12:00:10 GMT"}
    expected = wait if wait is None or not 0 < wait < 100 else wait - 10
    assert parse_error(429, later, body, now=NOON).retry_after == expected


@pytest.mark.parametrize(
    ("seconds", "moment", "wait"),
    [(None, NOON, 0.0), (5.0, NOON, 5.0), (5.0, MINUTE_LATER, 60.0), (5.0, "x", 5.0)],
)
def test_of_a_moment_and_seconds_in_ones_own_envelope_the_longer_wait_counts(
    seconds: float | None, moment: Any, wait: float
) -> None:
    def read(status: int, headers: Mapping[str, str], body: bytes) -> Envelope:
        return Envelope("m n", retry_after=seconds, retry_at=moment)

    assert parse_error(429, {}, b"", parsers=[read], now=NOON).retry_after == wait
