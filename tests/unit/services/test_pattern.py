"""Patterns of URLs: what they come to, which are the same, and what is refused in which words."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from yarl import URL

from resilient import ConfigError
from resilient.services import Pattern


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://api.mavio.example", "https://api.mavio.example", ""),
        ("https://api.mavio.example/", "https://api.mavio.example", ""),
        ("http://api.mavio.example", "http://api.mavio.example", ""),
        ("https://api.mavio.example:8443", "https://api.mavio.example:8443", ""),
        ("http://api.mavio.example:443", "http://api.mavio.example:443", ""),
        ("https://*.mavio.example", "https://*.mavio.example", ""),
        ("https://*.mavio.example:8443/v4", "https://*.mavio.example:8443", "/v4"),
        ("https://*.example", "https://*.example", ""),
        ("https://api.mavio.example/v4", "https://api.mavio.example", "/v4"),
        ("https://api.mavio.example/v4/users", "https://api.mavio.example", "/v4/users"),
        ("https://api.mavio.example//v4", "https://api.mavio.example", "//v4"),
        ("https://api.mavio.example/v4;x=1", "https://api.mavio.example", "/v4;x=1"),
        ("https://api.mavio.example/...", "https://api.mavio.example", "/..."),
        ("https://api.mavio.example/.well-known", "https://api.mavio.example", "/.well-known"),
        ("http://localhost:8080", "http://localhost:8080", ""),
        ("http://a_b.internal", "http://a_b.internal", ""),
        ("http://_a", "http://_a", ""),
        ("http://1a.2b", "http://1a.2b", ""),
        ("http://" + "a" * 63, "http://" + "a" * 63, ""),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
        ("http://[::1]", "http://[::1]", ""),
        ("https://[2001:db8::1]:8443/v4", "https://[2001:db8::1]:8443", "/v4"),
        ("http://[fe80::1%eth0]", "http://[fe80::1%eth0]", ""),
    ],
)
def test_a_pattern_comes_to_an_origin_and_a_path(text: str, origin: str, path: str) -> None:
    pattern = Pattern.parse(text)
    assert (pattern.origin, pattern.path) == (origin, path)
    assert str(pattern) == origin + path
    assert Pattern.parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("https://api.example", "HTTPS://API.Example", id="case"),
        pytest.param("https://*.api.example", "https://*.Api.EXAMPLE", id="case of a wildcard"),
        pytest.param("https://api.example", "https://api.example:443", id="port of https"),
        pytest.param("http://api.example", "http://api.example:80", id="port of http"),
        pytest.param("https://*.api.example", "https://*.api.example:443", id="of a wildcard"),
        pytest.param("https://api.example", "https://api.example:", id="empty port"),
        pytest.param("https://api.example:8443", "https://api.example:08443", id="zeros"),
        pytest.param("https://api.example", "https://api.example.", id="final dot"),
        pytest.param("https://api.example:8443/v4", "https://api.example.:8443/v4", id="and port"),
        pytest.param("https://*.api.example", "https://*.api.example.", id="final dot, wildcard"),
        pytest.param("https://api.example", "https://api.example/", id="slash"),
        pytest.param("https://api.example/v4", "https://api.example/v4/", id="final slash"),
        pytest.param("https://api.example/v4", "https://api.example/v4//", id="final slashes"),
        pytest.param("https://api.example", "  https://api.example\n", id="space around"),
        pytest.param("https://api.example/~me", "https://api.example/%7Eme", id="unreserved"),
        pytest.param("https://api.example/a", "https://api.example/%61", id="letter"),
        pytest.param("https://api.example/a%2Fb", "https://api.example/a%2fb", id="hex digits"),
        pytest.param("https://api.example/ä", "https://api.example/%C3%A4", id="non-ASCII"),
        pytest.param("https://api.example/a b", "https://api.example/a%20b", id="space"),
        pytest.param("https://api.example/100%", "https://api.example/100%25", id="lone percent"),
        pytest.param("https://bücher.example", "https://xn--bcher-kva.example", id="IDNA"),
        pytest.param("https://BÜCHER.example", "https://bücher.example", id="IDNA, case"),
        pytest.param("https://*.bücher.example", "https://*.xn--bcher-kva.example", id="wildcard"),
        pytest.param("http://[::1]", "http://[0:0:0:0:0:0:0:1]", id="IPv6"),
        pytest.param("http://[2001:db8::a]", "http://[2001:0DB8::A]:80", id="IPv6, case, port"),
        pytest.param("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]", id="IPv4 in IPv6"),
        pytest.param("https://api.example", "https://@api.example", id="no userinfo after all"),
    ],
)
def test_patterns_that_cover_the_same_are_equal(one: str, other: str) -> None:
    assert Pattern.parse(one) == Pattern.parse(other)
    assert hash(Pattern.parse(one)) == hash(Pattern.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://api.example", "http://api.example"),
        ("https://api.example", "https://api.example:80"),
        ("https://api.example", "https://*.api.example"),
        ("https://api.example", "https://www.api.example"),
        ("https://api.example/v4", "https://api.example/V4"),
        ("https://api.example/v4", "https://api.example/v40"),
        ("https://api.example/v4", "https://api.example//v4"),
        ("https://api.example/a/b", "https://api.example/a%2Fb"),
        ("https://api.example/a+b", "https://api.example/a%20b"),
        ("http://localhost", "http://127.0.0.1"),
    ],
)
def test_patterns_that_cover_something_else_are_not(one: str, other: str) -> None:
    assert Pattern.parse(one) != Pattern.parse(other)


ONE = "https://api.example"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        # What is no text.
        (5, f'a text such as "{ONE}.com"'),
        (None, f'a text such as "{ONE}.com"'),
        (b"https://api.example", f'a text such as "{ONE}.com"'),
        (["https://api.example"], f'a text such as "{ONE}.com"'),
        # Schemes.
        ("", "a URL with its scheme"),
        ("  ", "a URL with its scheme"),
        ("two words", "a URL with its scheme"),
        ("api.example", 'a URL with its scheme, perhaps "https://api.example"'),
        (" API.example/v4/ ", 'a URL with its scheme, perhaps "https://api.example/v4"'),
        ("*.api.example", 'a URL with its scheme, perhaps "https://*.api.example"'),
        ("localhost:8080", 'a URL with its scheme, perhaps "https://localhost:8080"'),
        ("//api.example", 'a URL with its scheme, perhaps "https://api.example"'),
        ("https:/api.example", 'a URL with its scheme, perhaps "https://api.example"'),
        ("HTTP:api.example", 'a URL with its scheme, perhaps "https://api.example"'),
        ("/v4", 'a URL with its scheme, perhaps "https://v4"'),
        ("*", "a URL with its scheme"),
        ("ftp://api.example", "a URL of scheme http or https (which cover ws and wss)"),
        ("wss://api.example", "a URL of scheme http or https (which cover ws and wss)"),
        ("ws://api.example", "a URL of scheme http or https (which cover ws and wss)"),
        ("://api.example", "a URL of scheme http or https (which cover ws and wss)"),
        (" https ://api.example", "a URL of scheme http or https (which cover ws and wss)"),
        # Hosts.
        ("https://", "a URL of a valid host"),
        ("https:///v4", "a URL of a valid host"),
        ("https://.", "a URL of a valid host"),
        ("https://.api.example", "a URL of a valid host"),
        ("https://api..example", "a URL of a valid host"),
        ("https://-api.example", "a URL of a valid host"),
        ("https://api-.example", "a URL of a valid host"),
        ("https://two words.example", "a URL of a valid host"),
        ("https://api%2Eexample", "a URL of a valid host"),
        ("https://" + "a" * 64 + ".example", "a URL of a valid host"),
        ("https://" + ".".join(["a" * 49] * 5) + ".abcd", "a URL of a valid host"),
        ("https://127.1", "a URL of a valid host"),
        ("https://1", "a URL of a valid host"),
        ("https://256.0.0.1", "a URL of a valid host"),
        ("https://[::g]", "a URL of a valid host"),
        # Wildcards.
        ("https://*", "for some host; a default takes the rest"),
        ("https://*:8443/v4", "for some host; a default takes the rest"),
        ("https://*.", "a URL of a valid host"),
        ("https://*.*", "for some host; a default takes the rest"),
        *(
            (
                f"https://{host}",
                'with a wildcard in the place of whole first labels: "*.example.com"',
            )
            for host in ("*.*.example", "a.*.example", "api.*", "*api.example", "a*.example", "a*")
        ),
        ("http://*.0.0.1", "without a wildcard: an address has no hosts below it"),
        ("http://*.127.0.0.1", "without a wildcard: an address has no hosts below it"),
        ("http://*.[::1]", "without a wildcard: an address has no hosts below it"),
        # Ports.
        ("https://api.example:0", "a URL with a port from 1 to 65535"),
        # Paths.
        ("https://api.example/v4/*", "without a * in its path: a path covers all that is below it"),
        ("https://api.example/v*", "without a * in its path: a path covers all that is below it"),
        ("https://api.example/./v4", "without . and .. in its path"),
        ("https://api.example/v4/..", "without . and .. in its path"),
        ("https://api.example/v4/%2e%2E/v5", "without . and .. in its path"),
        ("https://api.example/v4/.%2e", "without . and .. in its path"),
        ("https://api.example/v4/.\t./v5", "without tabs and line breaks"),
        ("https://api\n.example", "without tabs and line breaks"),
        ("https://api.example/v4\r\n/v5", "without tabs and line breaks"),
    ],
)
def test_what_nothing_could_match_is_refused(given: Any, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pattern.parse(given)
    error = caught.value
    assert error.where == "Service.match"
    assert error.given == repr(given)
    assert error.allowed == allowed
    assert str(error) == f"Service.match must be {allowed}, not {given!r}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("https://api.example:99999", r"Port out of range 0-65535"),
        ("https://api.example:http", r"port can't be converted to integer"),
        ("https://[::1", r"Invalid IPv6 URL"),
        ("https://api.example\\v4", r"backslash"),
        ("https://a\u200db.example", r""),
    ],
)
def test_what_is_no_url_is_refused_with_the_parsers_reason(given: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pattern.parse(given)
    assert caught.value.allowed is not None
    assert caught.value.allowed.startswith("a valid URL (")
    assert reason in caught.value.allowed
    assert caught.value.given == repr(given)


WITHOUT_CREDENTIALS = "without user and password"


@pytest.mark.parametrize(
    ("given", "allowed", "shown"),
    [
        ("https://user:s3cret@api.example", WITHOUT_CREDENTIALS, "https://…@api.example"),
        ("https://s3cret@api.example", WITHOUT_CREDENTIALS, "https://…@api.example"),
        ("https://:s3cret@api.example", WITHOUT_CREDENTIALS, "https://…@api.example"),
        ("HTTPS://u:s3cret@api.example/v4", WITHOUT_CREDENTIALS, "HTTPS://…@api.example/v4"),
        ("https://*.u:s3cret@api.example", WITHOUT_CREDENTIALS, "https://…@api.example"),
        ("https://u:s3@cret@api.example", WITHOUT_CREDENTIALS, "https://…@api.example"),
        ("https://u:s3cret@api.example:x", "a valid URL", "https://…@api.example:x"),
        ("https://u:s3cret://x@api.example", "a valid URL", "https://…@api.example"),
        ("https://u:s3cret?x@api.example", "a valid URL", "https://…"),
        ("https://u:s3cret#x@api.example", "a valid URL", "https://…"),
        # A text of which the parser shows more than it should.
        ("https://u:s3cret@api\u2100.example", "a valid URL", "https://…@api\u2100.example"),
        ("https://u:s3cret/@api.example", "a valid URL", "https://…@api.example"),
        ("u:s3cret@api.example", "a URL with its scheme", "…@api.example"),
        ("u:s3cret://x@api.example", "a URL of scheme http or https (which", "…@api.example"),
        ("ftp://u:s3cret@api.example", "a URL of scheme http or https (which", "ftp://…@api"),
        ("https://api.example?key=s3cret", "without query and fragment", "https://api.example?…"),
        ("https://api.example/v4?k=s3cret#f", "without query and", "https://api.example/v4?…"),
        ("https://api.example?a\n=s3cret", "without query and fragment", "https://api.example?…"),
        ("https://api.example#s3cret", "without query and fragment", "https://api.example#…"),
        ("https://api.example?", "without query and fragment", "https://api.example?"),
        ("https://api.example?k=a@s3cret", "without query and fragment", "https://…"),
        ("https://api.example?@s3cret", "without query and fragment", "https://…"),
        ("https://api.example:x?key=s3cret", "a valid URL", "https://api.example:x?…"),
        ("api.example?key=s3cret", "a URL with its scheme", "api.example?…"),
        ("https://api.example?a\n@b?key=s3cret", "without query and fragment", "https://…"),
        (URL("https://u:s3cret@api.example/v4"), "a text such as", "https://…@api.example/v4"),
        (URL("https://api.example?key=s3cret"), "a text such as", "https://api.example/?…"),
    ],
)
def test_what_may_be_a_credential_is_not_shown(given: Any, allowed: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pattern.parse(given)
    error = caught.value
    assert (error.allowed or "").startswith(allowed)
    assert (error.given or "").startswith(f"'{shown}")
    for text in (str(error), repr(error), *map(str, vars(error).values())):
        assert "s3" not in text
        assert "cret" not in text
    assert b"cret" not in pickle.dumps(error)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://api.example", "its origin"),
        ("https://api.example/v4", "its origin and a path prefix"),
        ("https://*.api.example", "a wildcard host"),
        ("https://*.api.example:8443/v4", "a wildcard host and a path prefix"),
        # An escape says that the star is one.
        ("https://api.example/%2A.x", "its origin and a path prefix"),
    ],
)
def test_a_pattern_says_what_makes_it_match(text: str, kind: str) -> None:
    assert Pattern.parse(text).kind == kind


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://api.example/v4", ("https://api.example", "wss://api.example")),
        ("http://api.example:8080", ("http://api.example:8080", "ws://api.example:8080")),
        ("https://*.api.example", ("https://*.api.example", "wss://*.api.example")),
    ],
)
def test_the_websockets_of_a_pattern_are_those_of_its_origin(
    text: str, origins: tuple[str, str]
) -> None:
    assert Pattern.parse(text).origins == origins


def test_patterns_are_values() -> None:
    pattern = Pattern.parse("https://api.example/v4")
    assert pickle.loads(pickle.dumps(pattern)) == pattern
    with pytest.raises(AttributeError):
        pattern.path = ""  # type: ignore[misc]  # that is the point


def test_a_long_text_is_not_shown_in_full() -> None:
    with pytest.raises(ConfigError) as caught:
        Pattern.parse("api." * 50_000 + "?")
    assert len(str(caught.value)) < 1000
