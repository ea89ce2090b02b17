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
        b"{]",
        b"{'message': 'python'}",
        b"[" * 1_000_000,
        b"{" + b" " * 1_000_000,
        b" " * 1_000_000,
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
    body = json.dumps({"message": "x" * 200_000}).encode()
    assert json_object(body) == {"message": "x" * 200_000}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"message": "cut sh', {"message": "cut sh\u2026"}),
        (b'{"message": "cut short"', {"message": "cut short"}),
        (b'{"message": "cut \\u00', {"message": "cut \u2026"}),
        (b'{"message": "cut \\', {"message": "cut \u2026"}),
        (b'{"code": "cut sh', None),
        (b'{"code": "a", "nr": 12', {"code": "a"}),
        (b'{"code": "a", "nr": 12,', {"code": "a", "nr": 12}),
        (b'{"code": "a", "na', {"code": "a"}),
        (b'{"e": {"code": "a", "l": [1, {"f": "b"}, {"f',
         {"e": {"code": "a", "l": [1, {"f": "b"}, {}]}}),
        (b'{"a": 1}}', {"a": 1}),
        (b'{"a": 1}]', {"a": 1}),
        (b'{"message": "m", "a": nonsense}', {"message": "m"}),
        (json.dumps({"message": "m", "list": ["x" * 100] * 10_000}).encode(), None),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_of_what_is_cut_short_the_whole_values_are_there(body: bytes, expected: Any) -> None:
    document = json_object(body)
    if len(body) > 1000:
        assert document is not None
        assert document["message"] == "m"
        assert len(document["list"]) > 100
    else:
        assert document == expected


@pytest.mark.parametrize(
    "body",
    [
        b")]}',\n" + b'{"message": "m"}',
        b"for(;;);" + b'{"message": "m"}',
        b"callback(" + b'{"message": "m"});',
        b'"{\\"message\\": \\"m\\"}"',
        b'{"message": "m"}\n{"b": 2}',
        b'{"b": 2}\n{"message": "m"}\n',
        b"event: error\ndata: " + b'{"message": "m"}\n\n',
        b"data: {}\n\ndata: " + b'{"message": "m"}\n\ndata: [DONE]\n\n',
        b"<br />\n<b>Notice</b>: {x} in <b>y</b><br />\n" + b'{"message": "m"}',
        b"PHP Warning:  x in y on line 3\n" + b'{"message": "m"}',
        b'{"message": "m"}\n<br />\n<b>Warning</b>: x',
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_object_is_found_in_what_servers_put_around_it(body: bytes) -> None:
    assert json_object(body) == {"message": "m"}


def test_an_error_body_is_decoded_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    original = json.JSONDecoder.raw_decode

    def decode(self: json.JSONDecoder, *args: Any) -> Any:
        decoded.append(args)
        return original(self, *args)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", decode)
    body = ErrorBody(b'{"a": 1}')
    assert json_object(body) is json_object(body) is not None
    assert len(decoded) == 1


def test_an_error_body_is_bytes() -> None:
    body = ErrorBody(b'{"a": 1}')
    assert json_object(body)
    assert body == b'{"a": 1}'
    assert pickle.loads(pickle.dumps(body)) == body
