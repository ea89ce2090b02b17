"""The router agrees with a plain, slow model: try every pattern, take the most specific."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen
from hypothesis import assume, example, given, strategies as st
from yarl import URL

from resilient import ConfigError
from resilient.services import Pattern
from resilient.services.pattern import parse_url
from resilient.services.router import Router

pytestmark = pytest.mark.slow

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
HANDSHAKES = {"ws": "http", "wss": "https"}

# Few of each and alike, so that patterns and URLs meet.
HOSTS = st.sampled_from([["a", "b", "c"], ["b", "c"], ["c"], ["B", "C"], ["b", "b", "c"], ["ä"]])
PATHS = st.one_of(
    st.sampled_from([[], ["v4"], ["v4", "a b"], ["v4", "a b", "~"], ["v40"], [""]]),
    st.lists(st.sampled_from(["v4", "", "~", "%7E", "a%20b", "%2F"]), max_size=3),
)
GIVEN_PORTS = st.sampled_from([None, None, None, None, 443, 8080])


@frozen
class Written:
    """A pattern, or the address of a request, before anybody has read it."""

    scheme: str
    wildcard: bool
    labels: Sequence[str]
    dot: str
    port: int | None
    segments: Sequence[str]

    def __str__(self) -> str:
        host = "*." * self.wildcard + ".".join(self.labels) + self.dot
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{host}{port}" + "".join(f"/{each}" for each in self.segments)

    @property
    def endpoint(self) -> tuple[str, int]:
        return HANDSHAKES.get(self.scheme, self.scheme), self.port or PORTS[self.scheme]

    @property
    def host(self) -> list[str]:
        return [str(URL(f"http://{label}").raw_host) for label in self.labels]

    @property
    def path(self) -> list[str]:
        """The segments in their normal form, without the empty ones at the end."""
        path = [URL(f"http://h/{segment}").raw_path[1:] for segment in self.segments]
        while path and not path[-1]:
            path.pop()
        return path

    def covers(self, url: Written) -> bool:
        host = url.host[-len(self.labels) :]
        below = len(url.labels) - len(self.labels)
        path = [URL(f"http://h/{segment}").raw_path[1:] for segment in url.segments]
        return (
            self.endpoint == url.endpoint
            and host == self.host
            and (below > 0 if self.wildcard else below == 0)
            and path[: len(self.path)] == self.path
        )

    @property
    def specificity(self) -> tuple[bool, int, int]:
        return not self.wildcard, len(self.labels), len(self.path)


def written(schemes: Sequence[str], wildcard: st.SearchStrategy[bool]) -> st.SearchStrategy[Any]:
    return st.builds(
        Written,
        st.sampled_from(schemes),
        wildcard,
        HOSTS,
        st.sampled_from(["", "", "."]),
        GIVEN_PORTS,
        PATHS,
    )


PATTERNS = st.lists(written(["https", "https", "http"], st.booleans()), max_size=12)


@st.composite
def urls_near(draw: st.DrawFn, patterns: Sequence[Written]) -> list[Written]:
    """Addresses, most of which some pattern or other is meant for."""
    urls = draw(st.lists(written(list(PORTS), st.just(value=False)), max_size=2))
    for _ in range(draw(st.integers(0, 8 if patterns else 0))):
        near = draw(st.sampled_from(patterns))
        urls.append(
            Written(
                draw(st.sampled_from([near.scheme, near.scheme.replace("http", "ws", 1)])),
                False,
                [*draw(st.lists(st.sampled_from("ab"), max_size=2)), *near.labels],
                draw(st.sampled_from(["", "."])),
                near.port,
                [*near.segments[: draw(st.integers(0, 3))], *draw(PATHS)],
            )
        )
    return urls


CASES = PATTERNS.flatmap(lambda each: st.tuples(st.just(each), urls_near(each)))


def router_of(patterns: Sequence[Written]) -> Router[Written]:
    """What was there first stays."""
    made: Router[Written] = Router()
    for each in patterns:
        made.add(Pattern.parse(str(each)), each)
    return made


def model(patterns: Sequence[Written], url: Written) -> Written | None:
    covering = [each for each in patterns if each.covers(url)]
    # The first of those that are as specific.
    return max(covering, key=lambda each: each.specificity, default=None)


def found(router: Router[Written], url: Written) -> Written | None:
    route = router.find(URL(str(url)))
    return None if route is None else route.target


@given(CASES)
@example(
    # Three kinds of specificity at odds: each of the first two is nothing to the third.
    (
        [
            Written("https", True, ["b"], "", None, ["v4", "v40", "~"]),
            Written("https", True, ["a", "b"], "", None, ["v4", "v40"]),
            Written("https", False, ["a", "a", "b"], "", None, []),
        ],
        [Written("wss", False, ["a", "a", "b"], "", None, ["v4", "v40", "~"])],
    )
)
def test_the_router_takes_what_the_model_takes(case: tuple[list[Written], list[Written]]) -> None:
    patterns, urls = case
    router = router_of(patterns)
    for _ in range(2):  # the second time from memory
        for url in urls:
            assert found(router, url) == model(patterns, url)


@given(CASES)
def test_so_it_does_while_patterns_are_added(case: tuple[list[Written], list[Written]]) -> None:
    patterns, urls = case
    router: Router[Written] = Router()
    for place, each in enumerate(patterns):
        for url in urls:
            assert found(router, url) == model(patterns[:place], url)
        router.add(Pattern.parse(str(each)), each)


@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_adding_does_not_matter(
    case: tuple[list[Written], list[Written]], draws: random.Random
) -> None:
    patterns, urls = case
    patterns = list({Pattern.parse(str(each)): each for each in patterns}.values())
    one, other = router_of(patterns), router_of(draws.sample(patterns, len(patterns)))
    for url in urls:
        assert found(one, url) == found(other, url)


@given(written(["http", "https"], st.booleans()))
def test_a_pattern_in_its_normal_form_is_the_same_pattern(each: Written) -> None:
    pattern = Pattern.parse(str(each))
    assert Pattern.parse(str(pattern)) == pattern


ANYTHING = st.one_of(
    st.text(),
    st.text("ahtps:/.@[]%?#*\\0 ä\u3002", max_size=20),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "http:", "//", "https://", "wss://", "HTTP://", "mailto:", "x+y://"]),
        st.sampled_from(["", "a", "A.b", "*.b", "[::1]", "127.0.0.1", ".", "a@b", "bü.ä", "a..b"]),
        st.text("/.%:?#a4é", max_size=20),
    ),
)

EVERYTHING = router_of(
    [
        Written(scheme, wildcard, labels, "", port, path)
        for scheme in ("http", "https")
        for wildcard in (False, True)
        for labels in (["a"], ["b"], ["a", "b"], ["none"])
        for port in (None, 8080)
        for path in ([], ["a"], ["a", "", "4"], ["a", "é"], ["a", "b c"], ["a", "%2F"])
    ]
)


@given(ANYTHING)
@example("")
@example("http:a")
@example("//a")
@example("http:///a")
@example("http://.")
@example("//:")
@example("mailto:a")
def test_finding_raises_for_no_url(text: str) -> None:
    try:
        url = parse_url(text)
    except ValueError:
        assume(False)
    route = EVERYTHING.find(url)
    if url.scheme not in PORTS or not url.raw_host:
        assert route is None
    assert EVERYTHING.find(url) is route


@given(ANYTHING)
@example("https://[]@")
def test_a_text_is_a_config_error_or_a_pattern_that_covers_itself(text: str) -> None:
    try:
        pattern = Pattern.parse(text)
    except ConfigError:
        return
    router: Router[Pattern] = Router()
    router.add(pattern, pattern)
    route = router.find(URL(str(pattern).replace("://*.", "://a.", 1)))
    assert route is not None
    assert route.target is pattern


# What a URL may be written with that is the same in another form.
SPELLINGS = st.text("aA4éÉ .-_~/%\"{}|^`<>+:@!", max_size=12).map(
    lambda text: "".join(f"%{ord(each):02x}" if each in "A~" else each for each in text)
) | st.lists(
    st.sampled_from(
        ["/", "/a", "/%61", "/%2f", "/%2F", "/.", "/..", "/%2e", "/%2E.", "/4", "/é", "/%c3%A9",
         "/b c", "/b%20c", "/b+c", "%", "%4", "%zz", "/%C3", "//", "/a.", "/.a", "/...", "?/..",
         "#"]
    ),
    max_size=6,
).map("".join)  # fmt: skip
HOSTS_AS_WRITTEN = st.sampled_from(
    ["a", "A", "a.", "a.b", "A.B..", "x.a.b", "X.A.b", "NONE", "[::1]"]
)
PORTS_AS_WRITTEN = st.sampled_from(["", ":", ":443", ":80", ":0080", ":8080"])


@given(st.sampled_from(["http", "https", "WSS"]), HOSTS_AS_WRITTEN, PORTS_AS_WRITTEN, SPELLINGS)
@example("https", "a", "", "/a/%c3%a9")
@example("http", "None", "", "")
def test_a_url_that_nobody_normalised_finds_what_its_normal_form_finds(
    scheme: str, host: str, port: str, path: str
) -> None:
    path = path if path.startswith("/") else f"/{path}"
    text = f"{scheme}://{host}{port}{path}"
    for _ in range(2):  # the second time from memory
        assert EVERYTHING.find(URL(text, encoded=True)) is EVERYTHING.find(URL(text))


@given(ANYTHING)
@example("http:a")
@example("http://None")
def test_so_it_does_for_anything_that_is_a_url(text: str) -> None:
    try:
        url, as_it_is = parse_url(text), URL(text, encoded=True)
    except ValueError:
        assume(False)
    assert EVERYTHING.find(as_it_is) is EVERYTHING.find(url)
