"""Read a saved answer, and say what would become of it.

A file holds a body, or a whole answer as `curl -i` saves it: then the status and the headers in
it count, unless the command line says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from attrs import frozen
from multidict import CIMultiDict

from resilient.cli.input import STDIN, read_stdin
from resilient.cli.output import Unusable
from resilient.envelopes.chain import parse_error
from resilient.envelopes.envelope import Envelope
from resilient.envelopes.middleware import error_kind
from resilient.envelopes.policy import ErrorPolicy
from resilient.envelopes.throttling import is_throttled
from resilient.errors import APIError, ConfigError
from resilient.headers.retry_after import parse_retry_after

__all__ = ["Answer", "read_answer"]

_STATUS: Final = 400
# A head and a body: no more of either is looked at.
_MOST: Final = 1_048_576
_HEAD: Final = re.compile(rb"HTTP/[0-9](?:\.[0-9])? ([1-9][0-9]{2})[^\r\n]*\r?\n")
_END: Final = re.compile(rb"\r?\n\r?\n")


@frozen
class Answer:
    """An answer, and the error that would be made of it.

    Attributes:
        status: Its status.
        envelope: What it says.
        kind: The class of the error that is raised.
        retry_after: Seconds that headers or body ask to wait; None if neither does.
        throttled: True if the code means "too many requests" in its format, or the status does.
    """

    status: int
    envelope: Envelope
    kind: type[APIError]
    retry_after: float | None
    throttled: bool


def read_answer(
    path: str, status: int | None, headers: Iterable[str], parsers: Iterable[str]
) -> Answer:
    """Read a file, or the standard input for "-".

    Args:
        path: The path of the file.
        status: The status; by default that of a head in the file, else 400.
        headers: Headers, each as "Name: value".
        parsers: Names of the formats to ask; the policy's own if there are none.

    Raises:
        click.ClickException: With exit status 2 if the file cannot be read, is empty or binary,
            or if a header or a name is none.
    """
    data = _bytes_of(path)
    given = CIMultiDict(map(_header, headers))
    if match := _HEAD.match(data):
        end = _END.search(data, match.end() - 2)
        head = data[match.end() : None if end is None else end.start()]
        data = b"" if end is None else data[end.end() :]
        status = status if status is not None else int(match[1])
        for line in head.decode("latin-1").splitlines():
            name, colon, value = line.partition(":")
            if colon and name.strip() not in given:
                given.add(name.strip(), value.strip())
    status = _STATUS if status is None else status
    try:
        policy = ErrorPolicy(parsers=list(parsers)) if parsers else ErrorPolicy()
    except ConfigError as error:
        raise Unusable(str(error)) from None
    envelope = parse_error(
        status,
        given,
        data[: policy.max_body],
        parsers=policy.parsers,
        request_id_headers=policy.request_id_headers,
    )
    waits = (parse_retry_after(given), envelope.retry_after)
    return Answer(
        status,
        envelope,
        error_kind(status, envelope),
        max((wait for wait in waits if wait is not None), default=None),
        is_throttled(
            status,
            envelope,
            throttling=policy.throttling_codes,
            quota=policy.quota_codes,
        ),
    )


def _bytes_of(path: str) -> bytes:
    name = "the standard input" if path == STDIN else path
    try:
        if path == STDIN:
            data = read_stdin(_MOST)
        else:
            with Path(path).open("rb") as file:
                data = file.read(_MOST)
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror or error}") from None
    except ValueError:  # a NUL in the path
        raise Unusable(f"{name!r} cannot be read: it is no path") from None
    if not data.strip():
        raise Unusable(f"{name} is empty")
    # JSON in UTF-16 has as many NULs as letters.
    if b"\0" in data[:4096] and not data.lstrip(b"\0\xff\xfe").startswith((b"{", b"[", b'"')):
        raise Unusable(f"{name} is binary")
    return data


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise Unusable(f'a header is "Name: value", not {line!r}')
    return name.strip(), value.strip()
