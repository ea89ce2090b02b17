"""What a span says of a request and its end has few values, and no secret."""

from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

import resilient
from resilient.telemetry.facts import ErrorTypes, attempt_span_name, is_cancellation, shown_url

KEY = ConnectionKey("api.example", 443, True, True, None, None, None)
INFO: Any = SimpleNamespace(
    url=URL("https://u:p@api.example/?k=1"),
    real_url=URL("https://api.example"),
    headers={},
    method="GET",
)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


DNS = aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known"))
TLS = aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLError("bad"))


class OwnError(Exception):
    """A user's."""


ERRORS: list[tuple[BaseException, str]] = [
    (resilient.ServiceUnavailableError(INFO, status=503), "503"),
    (resilient.NotFoundError(INFO, status=404), "404"),
    # An error in an answer of success.
    (resilient.APIError(INFO, status=200), "resilient.errors.APIError"),
    (resilient.CircuitOpenError("k", 1.0), "circuit_open"),
    (resilient.ThrottledError("k"), "throttled"),
    (resilient.BulkheadFullError("k"), "bulkhead_full"),
    (resilient.DeadlineExceededError(5), "deadline"),
    (resilient.AttemptTimeoutError(5), "timeout"),
    (resilient.SessionClosedError(), "session_closed"),
    (resilient.ConnectionFailedError("x"), "connection"),
    (caused(resilient.ConnectionFailedError("x"), DNS), "dns"),
    (caused(resilient.ConnectionFailedError("x"), TLS), "tls"),
    (caused(resilient.ConnectionFailedError("x"), aiohttp.ServerDisconnectedError()), "connection"),
    (
        caused(resilient.ConnectionFailedError("x"), aiohttp.ClientResponseError(INFO, ())),
        "connection",
    ),
    (DNS, "dns"),
    (TLS, "tls"),
    (aiohttp.ServerFingerprintMismatch(b"", b"", "h", 1), "tls"),
    (aiohttp.ConnectionTimeoutError(), "timeout"),
    (TimeoutError(), "timeout"),
    (aiohttp.ClientOSError(104, "reset"), "connection"),
    (aiohttp.ClientPayloadError(), "connection"),
    (ValueError("s3cret"), "ValueError"),
    (aiohttp.TooManyRedirects(INFO, ()), "aiohttp.client_exceptions.TooManyRedirects"),
    (OwnError("s3cret"), f"{__name__}.OwnError"),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_an_error_goes_by_a_word_of_a_list_or_by_its_class(
    error: BaseException, expected: str
) -> None:
    assert ErrorTypes().of(error) == expected


def test_types_that_are_made_on_the_way_are_bounded() -> None:
    types = ErrorTypes()
    names = {types.of(type(f"Error{n}", (Exception,), {})()) for n in range(10_000)}
    assert len(names) == 101
    assert "_OTHER" in names
    assert types.of(ValueError()) == "_OTHER"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncio.CancelledError(), True),
        (GeneratorExit(), True),
        (KeyboardInterrupt(), True),
        (SystemExit(), True),
        (ValueError(), False),
        (TimeoutError(), False),
    ],
)
def test_who_gives_up_makes_no_error(error: BaseException, expected: bool) -> None:
    assert is_cancellation(error) is expected


URLS = [
    ("https://api.example/v4/x", "https://api.example/v4/x", "https://api.example/v4/x"),
    ("https://u:s3cret@api.example/x", "https://api.example/x", "https://api.example/x"),
    ("https://u:s3cret@api.example:8443/x#f", *["https://api.example:8443/x"] * 2),
    ("http://[::1]:80/x", "http://[::1]/x", "http://[::1]/x"),
    ("http://x/?a=1&b=2", "http://x/?*", "http://x/?a=1&b=2"),
    ("http://x/?", "http://x/", "http://x/"),
    ("http://x/?sig=s3cret&a=1", "http://x/?*", "http://x/?sig=REDACTED&a=1"),
    ("http://x/?X-Amz-Signature=s3cret", "http://x/?*", "http://x/?X-Amz-Signature=REDACTED"),
    ("http://x/?AWSAccessKeyId=s3cret", "http://x/?*", "http://x/?AWSAccessKeyId=REDACTED"),
    ("http://x/?x-goog-signature=s3cret", "http://x/?*", "http://x/?x-goog-signature=REDACTED"),
    ("http://x/?sig", "http://x/?*", "http://x/?sig"),
]


@pytest.mark.parametrize(("url", "hidden", "shown"), URLS)
def test_a_url_is_without_userinfo_and_as_a_rule_without_its_query(
    url: str, hidden: str, shown: str
) -> None:
    assert shown_url(URL(url), show_query=False) == hidden
    assert shown_url(URL(url), show_query=True) == shown


def test_a_signature_in_another_spelling_is_one_too() -> None:
    odd = URL("http://x/?%73ig=s3cret&S%49G=s3cret&a;sig=s3cret", encoded=True)
    assert "=s3cret" not in shown_url(odd, show_query=True).replace("a;sig=s3cret", "")


def test_a_method_that_nobody_knows_is_in_no_name() -> None:
    assert attempt_span_name("GET", None) == "GET"
    assert attempt_span_name("S3CRET", "/x") == "HTTP /x"
