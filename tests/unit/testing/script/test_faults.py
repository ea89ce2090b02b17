"""The steps as values: what they refuse, and how they show."""

import itertools
import math
import pickle
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from resilient import testing
from resilient.errors import ConfigError
from resilient.testing import Disconnect, Hang, Malformed, Reply, Reset


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda t: t.Reply(99), "Reply.status"),
        (lambda t: t.Reply(1000), "Reply.status"),
        (lambda t: t.Reply("200"), "Reply.status"),
        (lambda t: t.Reply(True), "Reply.status"),
        (lambda t: t.Reply(body="text"), "Reply.body"),
        (lambda t: t.Reply(204, body=b"x"), "Reply.body"),
        (lambda t: t.Reply(304, json={}), "Reply.body"),
        (lambda t: t.Reply(body=b"x", json={}), "Reply takes"),
        (lambda t: t.Reply(json=object()), "Reply.json"),
        (lambda t: t.Reply(headers={"A": "b\r\nC: d"}), "Reply.headers"),
        (lambda t: t.Reply(headers={"": "b"}), "Reply.headers"),
        (lambda t: t.Reply(headers={"Retry-After": 1}), "Reply.headers"),
        (lambda t: t.Reply(headers={"A": "\ud800"}), "Reply.headers"),
        (lambda t: t.Reply(headers="A: b"), "Reply.headers"),
        (lambda t: t.Reply(headers=3), "Reply.headers"),
        (lambda t: t.Reply(reason="two\nlines"), "Reply.reason"),
        (lambda t: t.Reply(delay=-1), "Reply.delay"),
        (lambda t: t.Reply(head_byte_delay=-1), "Reply.head_byte_delay"),
        (lambda t: t.Reply(body_delay=math.inf), "Reply.body_delay"),
        (lambda t: t.Reply(chunk_delay=math.nan), "Reply.chunk_delay"),
        (lambda t: t.Reply(chunk_size=0), "Reply.chunk_size"),
        (lambda t: t.Reply(keep_alive="no"), "Reply.keep_alive"),
        (lambda t: t.Reply(truncate=0), "Reply.truncate"),
        (lambda t: t.Reply(body=b"four", truncate=4), "Reply.truncate"),
        (lambda t: t.Reply(body=b"four", truncate=-1), "Reply.truncate"),
        (lambda t: t.Reset("later"), "Reset.after"),
        (lambda t: t.Disconnect([]), "Disconnect.after"),
        (lambda t: t.Reset("request", reply=t.Reply(503)), "Reset.reply"),
        (lambda t: t.Disconnect("body", reply=t.Reply(503)), "Disconnect.reply"),
        (lambda t: t.Reset("status", reply=503), "Reset.reply"),
        (lambda t: t.Reset("head", reply=t.Reply(204)), "Reset.reply"),
        (lambda t: t.Hang(-1), "Hang.seconds"),
        (lambda t: t.Hang(after="later"), "Hang.after"),
        (lambda t: t.Hang(reply=t.Reply(body=b"xy")), "Hang.reply"),
        (lambda t: t.Malformed("text"), "Malformed.raw"),
        (lambda t: t.FaultServer(503), "FaultServer"),
        (lambda t: t.FaultServer(t.Reply), "FaultServer"),
        (lambda t: t.FaultServer(then=None), "FaultServer"),
        (lambda t: t.FaultServer().script(t.Reply(), 503), "FaultServer"),
        (lambda t: t.FaultServer().route("/a", "b"), "FaultServer"),
        (lambda t: t.FaultServer().route("meetings"), "FaultServer.route"),
    ],
)
def test_an_impossible_step_is_refused_when_it_is_made(
    make: Callable[[Any], object], field: str
) -> None:
    with pytest.raises(ConfigError, match=f"{field}.* (must be|not both)"):
        make(testing)  # by a name without types, which would forbid most of these


def test_steps_show_what_differs_from_the_default() -> None:
    assert repr(Reply()) == "Reply()"
    assert repr(Reply(503)) == "Reply(503)"
    assert repr(Reply(HTTPStatus.OK, json=None)) == "Reply(json=None)"
    assert (
        repr(Reply(429, headers={"Retry-After": "1"}, delay=0.5))
        == "Reply(429, headers={'Retry-After': '1'}, delay=0.5)"
    )
    twice = Reply(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert repr(twice) == "Reply(headers=(('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')))"
    assert repr(Reset()) == "Reset()"
    assert repr(Disconnect("body", reply=Reply(503, body=b"xy"))) == (
        "Disconnect('body', reply=Reply(503, body=b'xy'))"
    )
    assert repr(Hang(1.5)) == "Hang(1.5)"
    assert repr(Hang(1.5, after="body", reply=Reply(503, body=b"xy"))) == (
        "Hang(1.5, reply=Reply(503, body=b'xy'), after='body')"
    )
    assert repr(Malformed(b"\0")) == "Malformed(b'\\x00')"


@pytest.mark.parametrize(
    "step",
    [
        Reply(503, json={"a": [1]}),
        Reply(body=b"x"),
        Reset("head"),
        Disconnect(),
        Hang(),
        Malformed(),
    ],
)
def test_steps_are_values(step: Any) -> None:
    copy = pickle.loads(pickle.dumps(step))
    assert copy == step
    assert repr(copy) == repr(step)
    with pytest.raises(AttributeError):
        step.status = 200


def test_steps_can_be_keys_whatever_their_json() -> None:
    shares = {Reply(json={"a": [1]}): 1, Reply(json={"a": [2]}): 2, Reset(): 3}
    assert shares[Reply(json={"a": [1]})] == 1
    assert shares[Reply(json={"a": [2]})] == 2
    assert hash(Reply(json={})) == hash(Reply(json={}))


def test_a_reset_is_no_disconnect() -> None:
    different: list[object] = [Reset(), Disconnect(), Reset("accept"), Reply(), Reply(json={})]
    assert all(a != b for a, b in itertools.combinations(different, 2))
