"""Find out how a mocked request ends: with a response, or with an exception."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import ClientConnectorError, ClientResponse, ConnectionTimeoutError, hdrs
from attrs import frozen
from multidict import CIMultiDict
from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.mocked.upstream import CallbackResult, RequestMatch

__all__ = ["MockedResponse", "answer_of", "is_refusal"]


@frozen
class MockedResponse:
    """A response, as a mock describes it.

    Attributes:
        status: The status.
        reason: The reason phrase; empty if there is none.
        headers: The headers, in their order.
        body: The body, in one piece.
        response_class: The class of the response, or None for that of the session.
    """

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes
    response_class: type[ClientResponse] | None


def is_refusal(match: RequestMatch) -> bool:
    """Return whether a failure to connect is mocked, before which nothing is sent."""
    error: Any = match.exception
    kind = error if isinstance(error, type) else type(error)
    return issubclass(kind, ClientConnectorError | ConnectionTimeoutError)


async def answer_of(match: RequestMatch, url: URL, options: Mapping[str, Any]) -> MockedResponse:
    """Run the callback, if there is one, and return the answer.

    Args:
        match: The mocked answer.
        url: The URL to pass to the callback.
        options: The arguments of the call, to pass to the callback.

    Raises:
        BaseException: The exception that is mocked, or the callback's own. A mocked instance
            is raised as it is, without the traceback of an earlier time.
    """
    result: Any = None
    if match.callback is not None:
        result = match.callback(url, **options)
        if inspect.isawaitable(result):
            result = await result
    error: Any = match.exception
    if error is not None:
        raise error.with_traceback(None) if isinstance(error, BaseException) else error
    return _answer(match if result is None else result)


def _answer(given: RequestMatch | CallbackResult) -> MockedResponse:
    body: Any = given.body if given.payload is None else json.dumps(given.payload)
    if not isinstance(body, str | bytes):
        raise ConfigError.of("the body of a mocked answer", body, "text or bytes")
    headers = CIMultiDict({hdrs.CONTENT_TYPE: given.content_type})
    headers.update(given.headers or {})
    return MockedResponse(
        status=given.status,
        reason=_phrase(given.status) if given.reason is None else given.reason,
        headers=headers,
        body=body if isinstance(body, bytes) else body.encode(),
        response_class=given.response_class,
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
