"""The table of formats: each has its document and an example, and can be asked alone."""

from collections.abc import Mapping
from functools import partial

import pytest
from attrs import evolve
from multidict import CIMultiDict

from resilient.envelopes import (
    FORMATS,
    QUOTA_CODES,
    THROTTLING_CODES,
    Envelope,
    Format,
    KnownCodes,
    parse_any,
    parse_error,
)
from resilient.envelopes.throttling import is_throttled
from resilient.errors import FieldError

# An example of each, after the document that the table names.
EXAMPLES: dict[str, tuple[int, dict[str, str], str, Envelope]] = {
    "aws": (400, {"X-Amzn-Errortype": "ValidationException:http://x.example/"},
            '{"message": "m n", "fieldList": [{"name": "a", "message": "b"}]}',
            Envelope("m n", "ValidationException", None, (FieldError("a", "b"),))),
    "jsonrpc": (400, {}, '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": '
                '"Parse error", "data": {"requestId": "r"}}}',
                Envelope("Parse error", "-32700", "r")),
    "slack": (429, {}, '{"ok": false, "error": "ratelimited"}',
              Envelope("ratelimited", "ratelimited")),
    "telegram": (429, {}, '{"ok": false, "error_code": 429, "description": "Too Many Requests: '
                 'retry after 3", "parameters": {"retry_after": 3}}',
                 Envelope("Too Many Requests: retry after 3", retry_after=3)),
    "google": (429, {}, '{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m n", '
               '"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "0.5s"}]}}',
               Envelope("m n", "RESOURCE_EXHAUSTED", retry_after=0.5)),
    "odata": (400, {}, '{"error": {"code": "c", "message": {"lang": "en", "value": "m n"}, '
              '"innererror": {"request-id": "r"}}}', Envelope("m n", "c", "r")),
    "graphql": (400, {}, '{"errors": [{"message": "m n", "extensions": {"code": "C_D"}}]}',
                Envelope("m n", "C_D")),
    "jsonapi": (400, {}, '{"errors": [{"id": "r", "code": "c", "title": "t", "detail": "m n", '
                '"source": {"pointer": "/data/a"}}]}',
                Envelope("m n", "c", "r", (FieldError("data.a", "m n"),))),
    "discord": (400, {}, '{"code": 50035, "message": "m n", "errors": {"a": {"_errors": [{"code": '
                '"C", "message": "x y"}]}}}',
                Envelope("m n", "50035", None, (FieldError("a", "x y"),))),
    "github": (403, {}, '{"message": "You have exceeded a secondary rate limit.", '
               '"documentation_url": "https://docs.github.com/rest#limits"}',
               Envelope("You have exceeded a secondary rate limit.",
                        docs="https://docs.github.com/rest#limits")),
    "oauth": (400, {}, '{"error": "access_denied", "error_description": "m n"}',
              Envelope("m n", "access_denied")),
    "problem": (400, {}, '{"type": "https://x.example/p", "title": "t", "detail": "m n"}',
                Envelope("m n", "https://x.example/p")),
    "nested": (400, {}, '{"error": {"code": "c", "message": "m n", "request_id": "r"}}',
               Envelope("m n", "c", "r")),
    "flat": (400, {}, '{"statusCode": 400, "message": "m n", "error": "Bad Request"}',
             Envelope("m n", "bad_request")),
    "fields": (400, {}, '{"a": ["m n"], "b": {"c": ["o p"]}}',
               Envelope("m n", None, None, (FieldError("a", "m n"), FieldError("b.c", "o p")))),
    "list": (400, {}, '[{"errorCode": "C_D", "message": "m n", "fields": ["a"]}]',
             Envelope("m n", "C_D", None, (FieldError("a", "m n"),))),
    "soap": (500, {}, "<Envelope><Body><Fault><faultcode>x:Server.Busy</faultcode><faultstring>m n"
             "</faultstring></Fault></Body></Envelope>", Envelope("m n", "Server.Busy")),
    "xml": (404, {}, "<Error><Code>C</Code><Message>m n</Message><RequestId>r</RequestId></Error>",
            Envelope("m n", "C", "r")),
    "html": (502, {}, "<html><title>x.example | 502: It is gone</title></html>",
             Envelope("x.example | 502: It is gone")),
    "text": (502, {}, "\nupstream is gone\nand more\n", Envelope("upstream is gone")),
    "challenge": (401, {"WWW-Authenticate": 'DPoP error="invalid_token", error_description="m n"'},
                  "", Envelope("m n", "invalid_token")),
}  # fmt: skip


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_each_format_reads_its_example_alone_and_among_the_others(each: Format) -> None:
    status, headers, body, expected = EXAMPLES[each.name]
    alone = parse_error(status, headers, body.encode(), parsers=[each.name])
    among = parse_error(status, headers, body.encode())
    assert alone == among == expected
    assert alone.format == among.format == each.name


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_each_format_says_where_it_is_described(each: Format) -> None:
    assert each.source.startswith("https://")
    assert each.shape
    assert each.name.isidentifier()


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_a_format_declines_what_is_in_none(each: Format) -> None:
    for body in (b"", b'{"id": 7, "name": "x", "items": [1]}', b"<feed/>", b"null", b"7", b"\x00"):
        headers: Mapping[str, str] = CIMultiDict({})
        assert each(400, headers, body) is None or each.name in ("xml",)
        assert parse_any(400, headers, body) is None


def test_names_are_unique_and_any_is_all_of_them() -> None:
    names = [each.name for each in FORMATS]
    assert len(set(names)) == len(names)
    assert "any" not in names


def test_what_a_body_leaves_out_a_header_may_say() -> None:
    headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    envelope = parse_error(403, headers, b'{"message": "You may not."}')
    assert (envelope.message, envelope.code) == ("You may not.", "insufficient_scope")
    envelope = parse_error(403, headers, b'{"message": "You may not.", "code": "own"}')
    assert envelope.code == "own"


@pytest.mark.parametrize(
    ("table", "name"),
    [(table, name) for table in (THROTTLING_CODES, QUOTA_CODES) for name in table],
)
def test_codes_that_say_more_than_the_status_belong_to_a_format_and_have_a_source(
    table: Mapping[str, KnownCodes], name: str
) -> None:
    row = table[name]
    assert name in {each.name for each in FORMATS}
    assert row.source.startswith("https://")
    status, meaning = (429, False) if table is QUOTA_CODES else (400, True)
    asked = partial(is_throttled, status, throttling={}, quota={})
    other = {name: frozenset(("other",))}
    instead = partial(is_throttled, status, throttling=other, quota=other)
    for envelope in (
        *(Envelope("m n", code, format=name) for code in row.codes),
        *(Envelope(f"You: {words.capitalize()}!", format=name) for words in row.words),
    ):
        assert asked(envelope) is meaning
        assert asked(evolve(envelope, format="flat")) is not meaning
        assert asked(evolve(envelope, format=None)) is not meaning
        assert instead(envelope) is not meaning
        assert instead(evolve(envelope, code="other")) is meaning
