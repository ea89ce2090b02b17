"""Tell what is known of an answer that aiohttp could not read.

aiohttp makes a `ClientResponseError` with a status 400 of its own of a head that it cannot
parse, and says what was wrong with it in words that quote the answer. The status that the
server sent is nowhere to be had but in what was received: its parser hands out no part of an
answer, and is gone when the exception comes. But a parser's exception keeps the frame of the
protocol's `data_received` in its traceback, and with it the data. As a rule the whole head is
in there; where it came in several packets, the status stays unknown.

When aiohttp raises, in 3.12 to 3.14:

    no HTTP, a bad header, two Content-Length (the Python parser of 3.14 takes them), a coding
    without a decoder, a bad chunk right behind the head        in the chain, no status
    more than the declared length, if it comes with the head    in the chain, no status, by the
                                                                C parser; else it goes unseen
    garbage in a known coding, less than the declared length    while the body is read
    a bad chunk later on                                        while the body is read by the
                                                                Python parser; the C parser
                                                                lets the reader wait
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from aiohttp import ClientRequest, ClientResponseError
from aiohttp.http_exceptions import (
    BadStatusLine,
    HttpProcessingError,
    TransferEncodingError,
)
from multidict import CIMultiDict, CIMultiDictProxy

__all__ = ["MalformedAnswer", "malformed_answer"]

# Compiled by the first who needs them, as `re` keeps what it has compiled.
_STATUS_LINE: Final = rb"HTTP/[0-9]\.[0-9][ \t]+([1-9][0-9]{2})(?:[ \t][^\r\n]*)?\r?\n"
_END_OF_HEAD: Final = rb"\r?\n\r?\n"
_HEADER: Final = rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00\r\n]*)\r?"
# aiohttp's words quote the answer. (But for these names; and the quote in "can't" is none.)
_OF_AIOHTTP: Final = "'(Content-Length|Transfer-Encoding)'"
_QUOTED: Final = r"""(?s)(?:^|[\s:(])b?['"].*"""


class MalformedAnswer(NamedTuple):
    """The known parts of an answer that could not be read.

    Attributes:
        status: The status that the server sent; None if no status line was read.
        headers: The headers that could be read, if a status was; else none.
        body: As much of the body as came with the head, if it is not encoded; else nothing.
        words: What was wrong, in a few words that quote nothing of the answer.
    """

    status: int | None
    headers: CIMultiDictProxy[str]
    body: bytes
    words: str


def malformed_answer(error: BaseException, request: ClientRequest) -> MalformedAnswer | None:
    """Return what is known of the answer that an exception is about.

    Args:
        error: What an attempt, or the reading of its body, failed with.
        request: The request of the attempt.

    Returns:
        None if the exception is not about an answer that could not be read.
    """
    causes = [each for each in _chain(error) if isinstance(each, HttpProcessingError)]
    if not causes:
        return None
    # The first of all is the parser's own, of which the protocol has made another.
    cause = causes[-1]
    response = request.response
    if response is None or isinstance(error, ClientResponseError):
        # Of the head; a response may be there from an attempt before this one.
        status, headers, body = _head(_received(causes))
    else:
        status, headers, body = response.status, response.headers, b""
    return MalformedAnswer(status, headers, body, _words(cause, status))


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an exception and its causes, outermost first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__
    return chain


def _words(cause: HttpProcessingError, status: int | None) -> str:
    if isinstance(cause, TransferEncodingError) and not cause.message.endswith("."):
        return "a chunk is malformed"  # The message is what stood in its place.
    said = re.sub(_OF_AIOHTTP, r"\1", cause.message.strip())
    said = re.sub(_QUOTED, "", said).strip(" \n:.")
    beside = ("Expected HTTP/", "Bad status line", "Data after")
    if isinstance(cause, BadStatusLine) or said.startswith(beside):
        # What cannot be the head of an answer, and is not the first that came, is too much.
        return "it is not HTTP" if status is None else "its body is longer than declared"
    return " ".join(said.split()) or type(cause).__name__


def _received(causes: list[HttpProcessingError]) -> bytes:
    """Return the data that the parser failed on, from the frame that handed it over."""
    for cause in reversed(causes):
        step = cause.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_name == "data_received":
                data: Any = step.tb_frame.f_locals.get("data")
                return bytes(data) if isinstance(data, bytes | bytearray | memoryview) else b""
            step = step.tb_next
    return b""


def _head(data: bytes) -> tuple[int | None, CIMultiDictProxy[str], bytes]:
    """Return status, headers and body of the answer that data begins with."""
    headers: CIMultiDict[str] = CIMultiDict()
    line = re.match(_STATUS_LINE, data)
    while line is not None and line[1].startswith(b"1") and line[1] != b"101":
        # 100 Continue and the like: the answer comes behind it.
        end = re.compile(_END_OF_HEAD).search(data, line.end() - 2)
        line = re.compile(_STATUS_LINE).match(data, end.end()) if end is not None else None
    if line is None:
        return None, CIMultiDictProxy(headers), b""
    end = re.compile(_END_OF_HEAD).search(data, line.end() - 2)
    rest = b"" if end is None else data[end.end() :]
    for field in data[line.end() : None if end is None else end.start()].split(b"\n"):
        if header := re.fullmatch(_HEADER, field):
            name, value = (each.decode("utf-8", "surrogateescape") for each in header.groups())
            headers.add(name, value.strip(" \t"))
    if "Transfer-Encoding" in headers or "Content-Encoding" in headers:
        rest = b""
    lengths = headers.getall("Content-Length", [])
    if len(lengths) == 1 and re.fullmatch("[0-9]{1,18}", lengths[0]):
        rest = rest[: int(lengths[0])]
    return int(line[1]), CIMultiDictProxy(headers), rest
