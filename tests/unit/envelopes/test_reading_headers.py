from collections.abc import Mapping
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from resilient.envelopes import DEFAULT_REQUEST_ID_HEADERS
from resilient.envelopes.reading import case_insensitive, header_request_id, media_type


@pytest.mark.parametrize("name", DEFAULT_REQUEST_ID_HEADERS)
@pytest.mark.parametrize("case", [str.lower, str.upper, str])
@pytest.mark.parametrize("kind", [dict, CIMultiDict, lambda d: CIMultiDictProxy(CIMultiDict(d))])
def test_every_usual_header_in_any_case_and_mapping(name: str, case: Any, kind: Any) -> None:
    assert header_request_id(kind({case(name): "req_1"}), DEFAULT_REQUEST_ID_HEADERS) == "req_1"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"X-Request-Id": ""}, None),
        ({"X-Request-Id": "  ", "cf-ray": "ray"}, "ray"),
        ({"CF-Ray": "ray", "X-Amzn-RequestId": "amzn", "x-request-id": "req"}, "req"),
        ({"CF-Ray": "ray", "X-Amzn-RequestId": "amzn"}, "amzn"),
        ({"X-Request-Id": "a\udc80"}, "a\ufffd"),
        ({"Content-Type": "text/html"}, None),
        ({5: "five", "X-Request-Id": 5, "Request-Id": None, "CF-Ray": "ray"}, "ray"),
    ],
)
def test_the_likeliest_header_that_holds_anything(
    headers: Mapping[str, str], expected: str | None
) -> None:
    assert header_request_id(headers, DEFAULT_REQUEST_ID_HEADERS) == expected


def test_other_headers_when_asked() -> None:
    headers = {"X-Request-Id": "theirs", "X-Acme-Ray": "ours"}
    assert header_request_id(headers, ["x-acme-ray"]) == "ours"
    assert header_request_id(headers, []) is None


def test_headers_that_do_not_heed_case_are_left_as_they_are() -> None:
    headers = CIMultiDictProxy(CIMultiDict({"A": "b"}))
    assert case_insensitive(headers) is headers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/Problem+JSON; charset=utf-8", "application/problem+json"),
        (" application/json ;v=1;w=2", "application/json"),
        (";", ""),
        ("", ""),
    ],
)
def test_media_type(given: str, expected: str) -> None:
    assert media_type({"content-type": given}) == expected


def test_no_media_type() -> None:
    assert media_type({}) == ""
