"""Promise 8: no body costs much, in time of ours or in memory, however it is made."""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from resilient.envelopes import parse_error

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol0 "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
    + "]><lolz>&lol9;</lolz>"
)
BLOW_UP = f'<!DOCTYPE k [<!ENTITY a "{"a" * 50_000}">]><k>{"&a;" * 50_000}</k>'
ABROAD = '<!DOCTYPE k [<!ENTITY a SYSTEM "file:///etc/passwd">]><Error><Code>&a;</Code></Error>'

HOSTILE = {
    "a billion laughs": LAUGHS.encode(),
    "quadratic blow-up": BLOW_UP.encode(),
    "an entity from abroad": ABROAD.encode(),
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets, closed": b"[" * 100_000 + b"]" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "10 MB of text": b"word " * 2_000_000,
    "10 MB in a message": b'{"message": "' + b"x" * 10_000_000 + b'"}',
    "10 MB of field errors": b'{"errors": [' + b'{"field":"a","message":"b"},' * 370_000 + b"{}]}",
    "700,000 members": b"{" + b",".join(b'"k%d": 1' % n for n in range(700_000)) + b"}",
    "numbers": b"[" + b"1," * 5_000_000 + b"1]",
    "escapes": b'{"message": "' + b"\\" * 1_000_000,
    "quotes": b'"' * 1_000_000,
    "tags": b"<a>" * 300_000,
    "attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>",
    "titles": b"<html>" + b"<title" * 100_000,
    "comments": b"<!-- -" * 200_000,
    "open brackets": b"<html><pre>" + b"<" * 1_000_000,
    "events": b'data: {"a": 1}\n\n' * 70_000,
    "lines": b'{"a": 1}\n' * 120_000,
    "a warning before braces": b"<b>" + b'{"a":' * 200_000,
    "many fields": json.dumps({f"f{n}": ["x y"] * 100 for n in range(5_000)}).encode(),
    "deep fields": b'{"a":' * 900 + b'["x y"]' + b"}" * 900,
    "blanks": b" " * 10_000_000,
    "a word": b"A" * 1_000_000,
    "a code": b'{"error": "' + b"a_" * 400_000 + b'"}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_it_stays_below_64_megabytes(body: bytes) -> None:
    tracemalloc.start()
    try:
        envelope = parse_error(400, {}, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64_000_000
    assert envelope.code is None or "root:" not in envelope.code


HONEST = json.dumps([{"field": f"f{n}", "message": "is required"} for n in range(10_000)])


@pytest.mark.slow
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_it_takes_no_more_than_twenty_times_as_long_as_half_a_megabyte_of_json(body: bytes) -> None:
    headers = {"WWW-Authenticate": 'Bearer error="' * 1000}
    # The best of a few: other processes share the machine.
    taken = min(_seconds(lambda: parse_error(400, headers, body)) for _ in range(5))
    assert taken < 20 * min(_seconds(lambda: json.loads(HONEST)) for _ in range(5))


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
