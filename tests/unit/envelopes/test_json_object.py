import codecs
import json
import math
import pickle
from typing import Any

import pytest

from resilient.envelopes import ErrorBody, json_object

DOCUMENT = {"error": {"message": "Zu viele Anfragen: größer als 300 – später"}}
WRITTEN = json.dumps(DOCUMENT, ensure_ascii=False)


@pytest.mark.parametrize(
    "body",
    [
        WRITTEN.encode(),
        json.dumps(DOCUMENT).encode(),
        b" \t\r\n" + WRITTEN.encode() + b"\n\n",
        codecs.BOM_UTF8 + WRITTEN.encode(),
        codecs.BOM_UTF8 + b"\n " + WRITTEN.encode(),
        WRITTEN.encode("utf-16"),
        WRITTEN.encode("utf-16-le"),
        WRITTEN.encode("utf-16-be"),
        codecs.BOM_UTF16_LE + WRITTEN.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + (" \n" + WRITTEN).encode("utf-16-be"),
        WRITTEN.encode("utf-32"),
        WRITTEN.encode("utf-32-le"),
        WRITTEN.encode("utf-32-be"),
        codecs.BOM_UTF32_BE + WRITTEN.encode("utf-32-be"),
    ],
)
def test_an_object_is_decoded_in_every_encoding_of_json(body: bytes) -> None:
    assert json_object(body) == DOCUMENT
    assert json_object(ErrorBody(body)) == DOCUMENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\0\0\0\0",
        codecs.BOM_UTF8,
        codecs.BOM_UTF16_LE,
        b"null",
        b"42",
        b'"text"',
        b'[{"message": "in a list"}]',
        b"<!DOCTYPE html><title>502 Bad Gateway</title>",
        b"upstream connect error",
        b"{",
        b"{}}",
        b"{]",
        b'{"message": "cut sh',
        b'{"message": "cut short"',
        b"{'message': 'python'}",
        b'{"a": 1} {"b": 2}',
        b")]}',\n" + b'{"a": 1}',
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"a":' + b"[" * 1_000_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b"{" + b" " * 1_000_000,
        b" " * 1_000_000,
        WRITTEN.encode("utf-16")[:-7],
        WRITTEN.encode("utf-32")[:-7],
        b"\x1f\x8b\x08\x00 compressed",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_whatever_holds_no_object_is_none(body: bytes) -> None:
    assert json_object(body) is None
    assert json_object(ErrorBody(body)) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "\xff\xfe"}', "\ufffd\ufffd"),
        (b'{"a": "caf\xe9"}', "caf\ufffd"),
        (b'{"a": "two\nlines\tand\x00nul"}', "two\nlines\tand\x00nul"),
        (rb'{"a": "\u0000"}', "\x00"),
        (b'{"a": 1, "a": 2}', 2),
        (b'{"a": ' + b"9" * 5000 + b"}", "9" * 5000),
        (b'{"a": -' + b"9" * 5000 + b"}", "-" + "9" * 5000),
        (b'{"a": 12345678901234567890123}', 12345678901234567890123),
        (b'{"a": 1e999}', math.inf),
        (b'{"a": 1.' + b"9" * 5000 + b"}", 2.0),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_strict_json_forbids_is_let_pass(body: bytes, expected: Any) -> None:
    assert json_object(body) == {"a": expected}


def test_nan_is_let_pass() -> None:
    document = json_object(b'{"a": NaN, "b": -Infinity, "c": "said"}')
    assert document is not None
    assert math.isnan(document["a"])
    assert document["c"] == "said"


def test_a_long_body_is_decoded() -> None:
    body = json.dumps({"message": "x" * 1_000_000}).encode()
    assert json_object(body) == {"message": "x" * 1_000_000}


def test_an_error_body_is_decoded_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    original = json.JSONDecoder.decode

    def decode(self: json.JSONDecoder, *args: Any) -> Any:
        decoded.append(args)
        return original(self, *args)

    monkeypatch.setattr(json.JSONDecoder, "decode", decode)
    body = ErrorBody(b'{"a": 1}')
    assert json_object(body) is json_object(body) is not None
    assert len(decoded) == 1
    broken = ErrorBody(b'{"a": 1')
    assert json_object(broken) is json_object(broken) is None
    assert len(decoded) == 2


def test_an_error_body_is_bytes() -> None:
    body = ErrorBody(b'{"a": 1}')
    assert json_object(body)
    assert body == b'{"a": 1}'
    assert pickle.loads(pickle.dumps(body)) == body
