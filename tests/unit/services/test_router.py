"""Which of many patterns takes a URL, as tables of decisions."""

from __future__ import annotations

import itertools

import pytest
from yarl import URL

from tests.unit.services.support import router_of, taker

SPECIFIC = [
    "https://api.eu.mavio.example/v4/users",
    "https://api.eu.mavio.example/v4",
    "https://api.eu.mavio.example",
    "https://*.eu.mavio.example/v4/users",
    "https://*.eu.mavio.example",
    "https://*.mavio.example/v4/users",
    "https://*.mavio.example",
    "https://*.example",
]


@pytest.mark.parametrize("taken_away", range(len(SPECIFIC) + 1))
def test_the_most_specific_wins(taken_away: int) -> None:
    """Exact before wildcard, longer wildcard before shorter, then the longest path."""
    left = SPECIFIC[taken_away:]
    expected = left[0] if left else None
    url = "https://api.eu.mavio.example/v4/users/7?q=1"
    assert taker(router_of(*left), url) == expected
    assert taker(router_of(*reversed(left)), url) == expected


@pytest.mark.parametrize(
    ("url", "taken_by"),
    [
        ("https://api.eu.mavio.example/v4/users", "https://api.eu.mavio.example/v4/users"),
        ("https://api.eu.mavio.example/v4/user", "https://api.eu.mavio.example/v4"),
        ("https://api.eu.mavio.example/v5", "https://api.eu.mavio.example"),
        ("https://api.eu.mavio.example", "https://api.eu.mavio.example"),
        ("https://www.eu.mavio.example/v4/users/7", "https://*.eu.mavio.example/v4/users"),
        ("https://www.eu.mavio.example/v4", "https://*.eu.mavio.example"),
        ("https://a.b.eu.mavio.example/v4", "https://*.eu.mavio.example"),
        # A wildcard does not take the host that it is below.
        ("https://eu.mavio.example/v4/users", "https://*.mavio.example/v4/users"),
        ("https://eu.mavio.example", "https://*.mavio.example"),
        ("https://mavio.example", "https://*.example"),
        ("https://example", None),
        # Nor hosts that only end alike.
        ("https://xmavio.example", "https://*.example"),
        ("https://xexample", None),
        ("https://api.mavio.example.com", None),
        # Another scheme or port is another origin, for wildcards as well.
        ("http://api.eu.mavio.example", None),
        ("https://api.eu.mavio.example:8443", None),
        ("https://api.eu.mavio.example:443", "https://api.eu.mavio.example"),
        ("https://api.eu.mavio.example:80", None),
    ],
)
def test_each_url_has_its_pattern(url: str, taken_by: str | None) -> None:
    assert taker(router_of(*SPECIFIC), url) == taken_by


@pytest.mark.parametrize(
    ("url", "taken_by"),
    [
        ("https://api.example/v4", "https://api.example/v4"),
        ("https://api.example/v4/x", "https://api.example/v4"),
        ("https://api.example/v5", "https://*.example"),
        ("https://api.example", "https://*.example"),
        ("https://api.example/", "https://*.example"),
        ("https://a.api.example/v4", "https://*.api.example/v4"),
        ("https://a.api.example/v5", "https://*.example"),
        ("https://other.example/v4", "https://*.example"),
    ],
)
def test_an_origin_whose_paths_do_not_match_leaves_a_url_to_a_wildcard(
    url: str, taken_by: str
) -> None:
    found = router_of("https://api.example/v4", "https://*.api.example/v4", "https://*.example")
    assert taker(found, url) == taken_by


def test_without_a_wildcard_such_a_url_is_nobodys() -> None:
    assert taker(router_of("https://api.example/v4", "https://*.api.example"), ONE) is None


ONE = "https://api.example"


@pytest.mark.parametrize(
    ("prefixes", "path", "taken_by"),
    [
        # Whole segments only.
        (["/v4"], "/v4", "/v4"),
        (["/v4"], "/v4/", "/v4"),
        (["/v4"], "/v4/x", "/v4"),
        (["/v4"], "/v4/x/y/z", "/v4"),
        (["/v4"], "/v4?x=1", "/v4"),
        (["/v4"], "/v4#x", "/v4"),
        (["/v4"], "/v4?x=/v5", "/v4"),
        (["/v4"], "/v40", None),
        (["/v4"], "/v4;x", None),
        (["/v4"], "/v4.json", None),
        (["/v4"], "/V4", None),
        (["/v4"], "/v", None),
        (["/v4"], "/", None),
        (["/v4"], "", None),
        (["/v4"], "/x/v4", None),
        (["/v4"], "?/v4", None),
        # Slashes.
        (["/v4"], "//v4", None),
        (["//v4"], "//v4/x", "//v4"),
        (["//v4"], "/v4", None),
        (["/a//b"], "/a//b/c", "/a//b"),
        (["/a//b"], "/a/b", None),
        (["/a", "/a//b"], "/a/b", "/a"),
        (["/a"], "/a//b", "/a"),
        (["/a/b"], "/a/", None),
        (["/v4/"], "/v4", "/v4/"),
        # The longest.
        (["", "/a", "/a/b/c"], "/a/b/c/d", "/a/b/c"),
        (["", "/a", "/a/b/c"], "/a/b/c", "/a/b/c"),
        (["", "/a", "/a/b/c"], "/a/b/cd", "/a"),
        (["", "/a", "/a/b/c"], "/a/b", "/a"),
        (["", "/a", "/a/b/c"], "/a/", "/a"),
        (["", "/a", "/a/b/c"], "/ab", ""),
        (["", "/a", "/a/b/c"], "/", ""),
        (["", "/a", "/a/b/c"], "", ""),
        (["/a/b", "/x"], "/x/b", "/x"),
        (["/" + "/".join(["s"] * 40)], "/" + "/".join(["s"] * 41), "/" + "/".join(["s"] * 40)),
        (["/" + "/".join(["s"] * 40)], "/" + "/".join(["s"] * 39), None),
        (["/s"], "/s" * 50_000, "/s"),
        (["/" + "x" * 10_000], "/" + "x" * 10_000 + "/y", "/" + "x" * 10_000),
        # As encoded as the other.
        (["/~me"], "/%7Eme/x", "/~me"),
        (["/%7eme"], "/~me/x", "/%7eme"),
        (["/ä"], "/%c3%a4", "/ä"),
        (["/a b"], "/a%20b/c", "/a b"),
        (["/a%2Fb"], "/a%2fb/c", "/a%2Fb"),
        (["/a%2Fb"], "/a/b", None),
        (["/a/b"], "/a%2Fb", None),
        (["/a"], "/a%2Fb", None),
        (["/v4"], "/x/../v4/y", "/v4"),
        (["/v4"], "/v4/../v5", None),
        (["/v4"], "/v4/%2e%2e/v5", None),
    ],
)
def test_paths_are_matched_by_whole_segments(
    prefixes: list[str], path: str, taken_by: str | None
) -> None:
    for order in itertools.permutations(prefixes):
        found = router_of(*(ONE + prefix for prefix in order))
        assert taker(found, ONE + path) == (None if taken_by is None else ONE + taken_by)


@pytest.mark.parametrize(
    ("url", "taken_by"),
    [
        ("wss://api.example", "https://api.example"),
        ("wss://api.example:443/v4", "https://api.example/v4"),
        ("wss://a.api.example", "https://*.api.example"),
        ("ws://api.example", "http://api.example"),
        ("ws://api.example:80", "http://api.example"),
        ("ws://api.example:443", None),
        ("wss://api.example:80", None),
        ("ws://api.example:8080", "http://api.example:8080"),
        ("wss://api.example:8080", None),
        ("ws://a.api.example", None),
        ("ftp://api.example", None),
        ("unix://api.example", None),
    ],
)
def test_a_websocket_belongs_to_the_origin_of_its_handshake(url: str, taken_by: str | None) -> None:
    found = router_of(
        "https://api.example",
        "https://api.example/v4",
        "https://*.api.example",
        "http://api.example",
        "http://api.example:8080",
    )
    assert taker(found, url) == taken_by


@pytest.mark.parametrize(
    ("url", "taken_by"),
    [
        ("HTTPS://API.Example/x", "https://api.example"),
        ("https://api.example./x", "https://api.example"),
        ("https://api.example.:443/x", "https://api.example"),
        ("https://user:password@api.example/x", "https://api.example"),
        ("https://BÜCHER.example", "https://bücher.example"),
        ("https://xn--bcher-kva.example", "https://bücher.example"),
        ("https://x.BÜCHER.example", "https://*.bücher.example"),
        ("http://[0:0::1]/x", "http://[::1]"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[::1]:8080", None),
        ("http://127.0.0.1/x", "http://127.0.0.1"),
        ("http://127.0.0.2", None),
        ("http://1.127.0.0.1", None),
    ],
)
def test_hosts_are_compared_in_their_normal_form(url: str, taken_by: str | None) -> None:
    found = router_of(
        "https://api.example",
        "https://bücher.example",
        "https://*.bücher.example",
        "http://[::1]",
        "http://127.0.0.1",
    )
    assert taker(found, url) == taken_by


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "/v4",
        "v4",
        "?q",
        "#f",
        "//api.example/v4",
        "http:///v4",
        "https:v4",
        "mailto:a@api.example",
        "data:text/plain,https://api.example",
        "file:///etc/hosts",
        "http://.",
        "http://..",
    ],
)
def test_what_has_no_origin_is_nobodys(url: str) -> None:
    found = router_of("https://api.example", "https://*.example", "http://none", "http://*.none")
    assert found.find(URL(url)) is None


FORMS = [
    # (a URL as it is written, the pattern that takes it)
    ("https://API.Example/v4", "https://api.example/v4"),
    ("https://API.EXAMPLE.:443/v4", "https://api.example/v4"),
    ("https://api.example..:0443/v4", "https://api.example/v4"),
    ("https://api.example:/v4", "https://api.example/v4"),
    ("HTTPS://user:pw@Api.Example/v4", "https://api.example/v4"),
    ("WSS://API.example/v4", "https://api.example/v4"),
    ("https://X.API.Example/v4", "https://*.api.example"),
    ("https://BÜCHER.example", "https://bücher.example"),
    ("https://XN--BCHER-KVA.example", "https://bücher.example"),
    ("https://bücher\u3002example", "https://bücher.example"),
    ("http://[0:0:0:0:0:0:0:1]/x", "http://[::1]"),
    ("http://[::0001]:80/x", "http://[::1]"),
    ("http://[2001:DB8::A]", "http://[2001:db8::a]"),
    ("http://[::FFFF:1.2.3.4]", "http://[::ffff:102:304]"),
    ("https://api.example/%764", "https://api.example/v4"),
    ("https://api.example/v4/%61", "https://api.example/v4/a"),
    ("https://api.example/v4/%7Eme", "https://api.example/v4/~me"),
    ("https://api.example/v4/a%2fb/c", "https://api.example/v4/a%2Fb"),
    ("https://api.example/v4/a%2Fb", "https://api.example/v4/a%2Fb"),
    ("https://api.example/v4/a/b", "https://api.example/v4/a"),
    ("https://api.example/v4/%c3%A4", "https://api.example/v4/ä"),
    ("https://api.example/v4/ä", "https://api.example/v4/ä"),
    ("https://api.example/v4/{id}", "https://api.example/v4/{id}"),
    ("https://api.example/x/../v4", "https://api.example/v4"),
    ("https://api.example/v4/./a", "https://api.example/v4/a"),
    ("https://api.example/v4/x/..", "https://api.example/v4"),
    ("https://api.example/v4/a/b/%2e%2E/%2e./../..", "https://api.example"),
    ("https://api.example/../../v4", "https://api.example/v4"),
    ("https://api.example/v4/..", "https://api.example"),
    ("https://api.example/v4/%2E%2e/v5", "https://api.example"),
    # As they are.
    ("https://api.example//v4", "https://api.example"),
    ("https://api.example/v4//a", "https://api.example/v4"),
    ("https://api.example/V4", "https://api.example"),
    ("https://api.example/v4/.a", "https://api.example/v4"),
    ("https://api.example/...", "https://api.example"),
    ("https://api.example/v%34%", "https://api.example"),
    ("https://api.example:8443/v4", None),
    ("https://%61pi.example/v4", None),
    ("https://api.example%2e/v4", None),
    ("http://None/x", "http://none"),
]


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize(("text", "taken_by"), FORMS)
def test_a_url_has_its_pattern_in_whatever_form_it_is(
    text: str, taken_by: str | None, encoded: bool
) -> None:
    """As it is: `URL(..., encoded=True)`, or a redirect that is not requoted."""
    patterns = {str(each): str(each) for _, each in FORMS if each is not None}
    found = router_of(*patterns, *(f"{each}/never" for each in patterns))
    for _ in range(2):  # the second time from memory
        route = found.find(URL(text, encoded=encoded))
        assert (route and route.target) == taken_by


def test_a_url_without_a_host_is_not_taken_for_one_of_the_host_none() -> None:
    found = router_of("http://none", "https://*.example")
    for url in (URL("http:a"), URL("http://None/a", encoded=True), URL("http:b")):
        assert (found.find(url) is not None) == (url.raw_host == "None")
