"""Keys: what one circuit, gate, bulkhead or budget is about."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from attrs import define, field
from multidict import CIMultiDict
from yarl import URL

from resilient import BreakerPolicy, ConfigError
from resilient.core.keys import ask_key, key_function, key_text, origin, secret_hash
from resilient.telemetry.emitter import make_emitter

API = "https://api.mavio.example"


@define
class Request:
    """As much of a request as keys look at."""

    url: URL
    method: str = "GET"
    headers: CIMultiDict[str] = field(factory=CIMultiDict)


def request(url: str, method: str = "GET", **headers: str) -> Any:
    made = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(URL(url), method, CIMultiDict(made))


@pytest.mark.parametrize(
    ("key", "url", "expected"),
    [
        ("origin", f"{API}/v4/meetings?page=2#top", API),
        ("origin", "https://me:secret@API.mavio.example:443/", API),
        ("origin", f"{API}:8443/", f"{API}:8443"),
        ("origin", "http://api.mavio.example", "http://api.mavio.example"),
        ("origin+path:1", f"{API}/v4/meetings/7", f"{API} /v4"),
        ("origin+path:2", f"{API}/v4/meetings/7", f"{API} /v4/meetings"),
        ("origin+path:9", f"{API}/v4/meetings/7", f"{API} /v4/meetings/7"),
        ("origin+path:1", f"{API}/", f"{API} /"),
        ("origin+path:1", API, f"{API} /"),
        ("origin+path:1", f"{API}/v4?secret=1", f"{API} /v4"),
        ("origin+path:1", f"{API}/a%2Fb/c", f"{API} /a%2Fb"),
        ("origin+method", f"{API}/v4", f"{API} GET"),
        ("origin+method+path:1", f"{API}/v4", f"{API} GET /v4"),
        ("origin+path:1+method", f"{API}/v4", f"{API} /v4 GET"),
        (" origin + path:1 ", f"{API}/v4/meetings", f"{API} /v4"),
        ("origin+header:X-Tenant", f"{API}/v4", f"{API} X-Tenant="),
    ],
)
def test_what_a_declared_key_is_for_a_request(key: str, url: str, expected: str) -> None:
    assert key_function(key)(request(url)) == expected


def test_the_key_of_an_origin_is_the_function_that_guards_know() -> None:
    assert key_function("origin") is origin


def test_methods_are_told_apart() -> None:
    ask = key_function("origin+method")
    assert ask(request(API, "GET")) != ask(request(API, "POST"))


def test_values_of_headers_are_told_apart_and_never_kept() -> None:
    ask = key_function("origin+header:Authorization")
    one, other = (ask(request(API, Authorization=f"Bearer s3cret{each}")) for each in (1, 2))
    assert one != other
    assert ask(request(API, authorization="Bearer s3cret1")) == one
    assert ask(request(API)) not in (one, other)
    assert "s3cret" not in f"{one}{other}"
    assert "Bearer" not in f"{one}{other}"


def test_the_hash_of_a_value_is_another_in_each_process() -> None:
    program = "from resilient.core.keys import secret_hash; print(secret_hash('s3cret'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    assert done.stdout.strip() != secret_hash("s3cret")
    assert secret_hash("s3cret") == secret_hash("s3cret")


@pytest.mark.parametrize("value", ["", "ä", "x" * 100_000, "\udcff"])
def test_any_value_of_a_header_has_a_hash(value: str) -> None:
    assert len(secret_hash(value)) == 12


@pytest.mark.parametrize(
    "key",
    ["origin", "origin+path:1", "origin+path:99", "origin+method", "origin+header:X-Tenant",
     "origin + path:2 + header:x!#$%&'*.^_`|~-1", lambda request: None, partial(origin)],
)  # fmt: skip
def test_what_a_key_may_be(key: Any) -> None:
    assert BreakerPolicy(key=key).key is key


def later() -> Any:
    async def key(request: object) -> str:
        return "x"

    return key


@pytest.mark.parametrize(
    "key",
    ["", " ", "origin+", "+origin", "path:1", "path:1+origin", "method", "origin+path",
     "origin+path:", "origin+path:0", "origin+path:01", "origin+path:100", "origin+path:-1",
     "origin+path:x", "origin+header", "origin+header:", "origin+header:a b", "origin+header:ä",
     "origin+origin", "origin+method+method", "origin+query", "Origin", "origin method", 5, None,
     True, ["origin"], b"origin", later()],
)  # fmt: skip
def test_a_bad_key_is_named_with_what_is_given_and_what_is_allowed(key: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        BreakerPolicy(key=key)
    assert caught.value.where == "BreakerPolicy.key"
    assert caught.value.given == repr(key)
    assert str(caught.value.allowed).startswith('a key: "origin", or that with "path:N", "method"')


def test_declared_keys_are_values() -> None:
    one, other = (BreakerPolicy(key="origin+path:1") for _ in range(2))
    assert one == other
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    ("key", "text"),
    [("origin+path:1", "origin+path:1"), (origin, "origin"), (partial(origin), "partial")],
)
def test_a_key_has_a_text_for_people(key: Any, text: str) -> None:
    assert key_text(key) == text


# -- functions


@pytest.mark.parametrize("found", ["tenant", ("tenant", "GET"), 7, None])
def test_a_function_says_any_key_or_none(found: Any) -> None:
    assert ask_key(lambda _: found, request(API), make_emitter(()), "breaker key") == found


@pytest.mark.parametrize("answer", [["not", "hashable"], {}, KeyError("no such tenant")], ids=repr)
def test_a_function_that_fails_is_said_once_and_the_call_goes_on_unguarded(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def key(request: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    emitter = make_emitter(())
    for _ in range(5):
        assert ask_key(key, request(API), emitter, "breaker key") is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "breaker key" in caplog.text


def test_two_functions_that_fail_are_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    emitter = make_emitter(())

    def one(request: object) -> Any:
        raise KeyError

    def other(request: object) -> Any:
        raise ValueError

    for key in (one, other, one, other):
        ask_key(key, request(API), emitter, "breaker key")
    assert len(caplog.records) == 2


def test_promise_10_what_a_function_of_a_credential_raises_is_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tenants: dict[str, str] = {}

    def tenant(request: Any) -> str:
        return tenants[request.headers["Authorization"]]

    asked = request(API, Authorization="Bearer s3cr3t")
    assert ask_key(tenant, asked, make_emitter(()), "breaker key") is None
    assert "KeyError" in caplog.text
    assert "return tenants[request.headers" in caplog.text
    assert "s3cr3t" not in caplog.text
