"""Promise 8: any error body becomes an envelope, never another exception."""

import codecs
import json
from typing import Any

import pytest

from resilient.envelopes import Envelope, parse_error, parse_flat, parse_nested, parse_problem

NOTHING_SAID = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "a megabyte of blanks": b" " * 1_000_000,
    "NULs": b"\0" * 100,
    "a byte order mark": codecs.BOM_UTF8,
    "HTML": b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>",
    "HTML with braces": b"<script>{\"message\": \"no\"}</script>",
    "a number": b"503",
    "null": b"null",
    "true": b"true",
    "brackets": b"[" * 1_000_000,
    "nested objects": b'{"a":' * 200_000,
    "nested objects, closed": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "nested errors": b'{"error":' * 110_000,
    "nested lists in a message": b'{"message":' + b"[" * 900_000,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "random": bytes(range(256)),
    "invalid UTF-8 around": b'\xff\xfe\xfd{"message": "m"}',
    "an empty object": b"{}",
    "nulls": b'{"error": null, "message": null, "errors": null, "statusCode": null}',
    "nulls within": b'{"error": {"code": null, "message": null, "request_id": null}}',
    "rubbish errors": b'{"errors": [' + b"{}," * 300_000 + b"{}]}",
    "rubbish within rubbish": b'{"errors": [' + b'{"children": [{}]},' * 50_000 + b"{}]}",
    "numbers": b'{"errors": [' + b"1," * 400_000 + b"1]}",
}  # fmt: skip


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/problem+json"}])
@pytest.mark.parametrize("body", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_any_error_body_becomes_an_envelope(body: bytes, headers: dict[str, str]) -> None:
    failures: list[Any] = []
    envelope = parse_error(503, headers, body, on_error=lambda *args: failures.append(args))
    assert envelope == Envelope("Service Unavailable")
    assert failures == []


SAID: dict[str, tuple[bytes, Envelope]] = {
    "invalid UTF-8": (b'{"message": "caf\xe9 \xff"}', Envelope("caf\ufffd \ufffd")),
    "byte order mark": (codecs.BOM_UTF8 + b'{"message": "m"}', Envelope("m")),
    "UTF-16": ('{"error": {"message": "größer", "code": "c"}}'.encode("utf-16"),
               Envelope("größer", "c")),
    "a code of 5,000 digits": (b'{"error": {"code": ' + b"7" * 5000 + b', "message": "m"}}',
                               Envelope("m", "7" * 5000)),
    "5,000 digits elsewhere": (b'{"message": "m", "balance": -' + b"7" * 5000 + b"}",
                               Envelope("m")),
    "NaN": (b'{"message": NaN, "error": "Bad Request", "balance": -Infinity}',
            Envelope("Bad Request", "bad_request")),
    "lone surrogates": (rb'{"error": {"code": "\ud800", "message": "a\udfffb \ud83d\ude00"}}',
                        Envelope("a\ufffdb \N{GRINNING FACE}", "\ufffd")),
    "NUL": (rb'{"message": "a\u0000b"}', Envelope("a\0b")),
    "a raw NUL": (b'{"message": "a\0b"}', Envelope("a\0b")),
    "duplicated keys": (b'{"message": "first", "message": "last", "error": {}, "error": "E"}',
                        Envelope("last", "E")),
    "a very long string": (b'{"message": "' + b"x" * 200_000 + b'"}', Envelope("x" * 200_000)),
    "one that is cut": (b'{"code": "c_d", "message": "' + b"x" * 1_000_000 + b'"}',
                        Envelope("x" * 1_999 + "\u2026", "c_d")),
    "very many messages": (b'{"message": [' + b'"x",' * 100_000 + b'"x"]}',
                           Envelope("; ".join(["x"] * 100))),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SAID.values(), ids=SAID)
def test_what_a_broken_body_does_say_is_heard(body: bytes, expected: Envelope) -> None:
    assert parse_error(400, {}, body) == expected


@pytest.mark.parametrize("parser", [parse_nested, parse_flat, parse_problem])
@pytest.mark.parametrize("body", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_no_parser_raises_when_asked_alone(parser: Any, body: bytes) -> None:
    envelope = parser(503, {}, body)
    assert envelope is None or envelope == Envelope()


@pytest.mark.parametrize("member", ["error", "message", "errors", "detail", "details", "title"])
@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, "", "s", [], {}, [[]], [{}], {"": None}, [[["x"]]], "\ud800"]
)
def test_a_member_of_any_type_does_no_harm(member: str, value: Any) -> None:
    for document in ({member: value}, {"error": {member: value}}, {"title": "t", member: value}):
        envelope = parse_error(400, {}, json.dumps(document).encode())
        assert envelope.message
        envelope.message.encode()
