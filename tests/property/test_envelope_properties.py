"""Whatever a server sends, `parse_error` answers with an envelope of the right types."""

import json
import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st
from multidict import CIMultiDict

from resilient.envelopes import (
    FORMATS,
    CodeRule,
    Envelope,
    field_errors,
    json_object,
    parse_error,
    slug,
    text,
)
from resilient.errors import FieldError

pytestmark = pytest.mark.slow

NAMES = [
    "error", "message", "errors", "statusCode", "code", "type", "title", "detail", "details",
    "request_id", "requestId", "traceId", "status", "param", "error_description", "field",
    "loc", "msg", "pointer", "source", "constraints", "children", "property", "fieldViolations",
    "invalid-params", "name", "reason", "path", "target", "data", "meta", "fault", "extensions",
    "locations", "retry_after", "ok", "error_code", "__type", "@type", "innererror", "jsonrpc",
    "fields", "keys", "issues", "extra", "_errors", "parameters", "detail", "url",
]  # fmt: skip
KEYS = st.sampled_from(NAMES)
STRINGS = st.text(st.characters(exclude_categories=()), max_size=20)  # surrogates included
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | STRINGS
    | st.sampled_from(["Bad Request", "invalid_grant", "about:blank", "#/a~1b/%ff", "/a/b", "#"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | STRINGS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)
STATUSES = st.integers(100, 599) | st.integers()
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "content-type", "X-Request-Id", "cf-ray"]) | STRINGS,
    st.sampled_from(["application/problem+json", "application/json; charset=utf-8"]) | STRINGS,
    max_size=4,
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and bool(value.encode())


def assert_sound(envelope: Envelope) -> None:
    assert type(envelope) is Envelope
    assert envelope.message is None or is_text(envelope.message)
    assert envelope.code is None or is_text(envelope.code)
    assert envelope.request_id is None or is_text(envelope.request_id)
    assert_sound_details(envelope.details)


def assert_sound_details(details: tuple[FieldError, ...]) -> None:
    assert type(details) is tuple
    assert len(details) <= 100
    for detail in details:
        assert type(detail) is FieldError
        assert is_text(detail.field) or detail.field == ""
        assert is_text(detail.message) or detail.message == ""
        assert detail.field or detail.message


def assert_parsed(status: int, headers: Mapping[str, str], body: bytes) -> None:
    failures: list[Any] = []
    rules = [CodeRule("ruled", message="a")]
    envelope = parse_error(
        status, headers, body, code_rules=rules, on_error=lambda *args: failures.append(args)
    )
    assert_sound(envelope)
    assert envelope.message is not None
    assert failures == []
    for parser in FORMATS:
        parsed = parser(status, CIMultiDict(headers), body)
        if parsed is not None:
            assert_sound(parsed)


@given(STATUSES, HEADERS, st.binary())
def test_arbitrary_bytes(status: int, headers: dict[str, str], body: bytes) -> None:
    assert_parsed(status, headers, body)
    assert_parsed(status, headers, b'{"message": "' + body + b'"}')
    document = json_object(body)
    assert document is None or isinstance(document, dict)


@given(STATUSES, HEADERS, DOCUMENTS)
def test_arbitrary_values_under_the_interesting_keys(
    status: int, headers: dict[str, str], document: dict[str, Any]
) -> None:
    assert_parsed(status, headers, json.dumps(document).encode())


@given(STATUSES, HEADERS, DOCUMENTS, st.integers(0, 400), ENCODINGS)
def test_documents_cut_short_in_any_encoding(
    status: int, headers: dict[str, str], document: dict[str, Any], length: int, encoding: str
) -> None:
    assert_parsed(status, headers, json.dumps(document).encode(encoding)[:length])


@given(DOCUMENTS, ENCODINGS)
def test_an_object_is_decoded_whatever_its_encoding(
    document: dict[str, Any], encoding: str
) -> None:
    decoded = json_object(json.dumps(document).encode(encoding))
    assert decoded is not None
    assert repr(decoded) == repr(json.loads(json.dumps(document)))


@given(VALUES)
def test_text_is_text_or_none(value: Any) -> None:
    said = text(value)
    assert said is None or is_text(said)


@given(VALUES)
def test_field_errors_are_sound(value: Any) -> None:
    assert_sound_details(field_errors(value))


@given(STRINGS)
def test_a_slug_is_a_name_and_its_own_slug(phrase: str) -> None:
    name = slug(phrase)
    if name is not None:
        assert is_text(name)
        assert not any(character.isspace() for character in name)


@given(st.lists(st.text("abc ", max_size=3), max_size=300))
def test_details_are_bounded(fields: list[str]) -> None:
    body = json.dumps({"errors": [{"field": field, "message": "m"} for field in fields]})
    details = parse_error(400, {}, body.encode()).details
    assert len(details) <= 100
    named = [each.field for each in details if each.field]
    assert named == [field for field in fields[:200] if text(field)][: len(named)]


def leaves(value: Any) -> list[str]:
    """All names and plain values of a document, as text."""
    if isinstance(value, dict):
        return [*value, *(each for held in value.values() for each in leaves(held))]
    if isinstance(value, list):
        return [str(place) for place in range(len(value))] + [
            each for held in value for each in leaves(held)
        ]
    return [str(value)]


PLAIN = st.text(string.ascii_letters + "_- .", max_size=12)
PLAIN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | PLAIN, inner, max_size=4),
    max_leaves=20,
)


@given(st.integers(400, 599), st.dictionaries(KEYS, PLAIN_VALUES, max_size=6))
def test_no_code_field_or_request_id_that_is_not_in_the_body(
    status: int, document: dict[str, Any]
) -> None:
    body = json.dumps(document).encode()
    envelope = parse_error(status, {}, body)
    said = leaves(document)
    if envelope.code is not None:
        # The phrase of a status is a name in words, and a namespace is left out.
        names = {each for word in said for each in (word, slug(word), word.partition(":")[0])}
        names |= {str(each).rpartition("#")[2] for each in names}
        assert envelope.code in names
    assert envelope.request_id is None or envelope.request_id in said
    for detail in envelope.details:
        steps = {step for each in said for step in (each, *each.strip("/#").split("."))}
        for step in detail.field.split("."):
            assert step in steps or step.strip() in {each.strip() for each in steps}


@given(st.binary(max_size=400), STATUSES)
def test_any_xml_like_bytes(inner: bytes, status: int) -> None:
    for body in (
        b"<Error><Code>" + inner + b"</Code></Error>",
        b"<html><title>" + inner,
        b"<" + inner,
        b"data: " + inner,
        b")]}'" + inner,
    ):
        assert_parsed(status, {}, body)


XML = st.recursive(
    st.text(string.ascii_letters + " ", max_size=8),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["Error", "Code", "Message", "Fault", "Body", "a"]), inner)
        .map(lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0]}>"),
        max_size=4,
    ).map("".join),
    max_leaves=20,
)  # fmt: skip


@given(XML, st.integers(0, 200))
def test_any_xml_whole_or_cut(inner: str, length: int) -> None:
    whole = f"<Envelope>{inner}</Envelope>"
    for body in (whole, whole[:length], f"<!DOCTYPE x [<!ENTITY a '{length}'>]>{whole}"):
        assert_parsed(500, {}, body.encode())


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.integers(1, 400))
def test_of_what_is_cut_short_no_code_is_invented(document: dict[str, Any], length: int) -> None:
    body = json.dumps(document).encode()
    assume(length < len(body))
    cut = json_object(body[:length])
    if cut is not None and isinstance(document, dict):
        # What is there whole is there as it was; a text for people may end with an ellipsis.
        code = cut.get("code")
        assert code is None or isinstance(code, list | dict | float) or code == document["code"]
