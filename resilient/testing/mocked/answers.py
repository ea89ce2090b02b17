"""What is mocked for a request, and what comes of it."""

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

__all__ = ["Answer", "is_refusal", "outcome_of"]


@frozen
class Answer:
    """A response, as a mock describes it.

    Attributes:
        status: Its status.
        reason: Its reason phrase; empty if there is none.
        headers: Its headers, in their order.
        body: What it holds, in one piece.
        response_class: The class to make of it, or None for the session's.
    """

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes
    response_class: type[ClientResponse] | None


def is_refusal(match: RequestMatch) -> bool:
    """Whether a failure to connect is mocked, before which nothing of a request is sent."""
    error: Any = match.exception
    kind = error if isinstance(error, type) else type(error)
    return issubclass(kind, ClientConnectorError | ConnectionTimeoutError)


async def outcome_of(match: RequestMatch, url: URL, options: Mapping[str, Any]) -> Answer:
    """Run the callback, if there is one, and give the answer.

    Args:
        match: What is mocked.
        url: Passed to the callback.
        options: The arguments of the call, passed to the callback.

    Raises:
        BaseException: The one that is mocked, or the callback's own.
    """
    result: Any = None
    if match.callback is not None:
        result = match.callback(url, **options)
        if inspect.isawaitable(result):
            result = await result
    if match.exception is not None:
        raise match.exception
    return _answer(match if result is None else result)


def _answer(given: RequestMatch | CallbackResult) -> Answer:
    body: Any = given.body if given.payload is None else json.dumps(given.payload)
    if not isinstance(body, str | bytes):
        raise ConfigError.of("the body of a mocked answer", body, "text or bytes")
    headers = CIMultiDict({hdrs.CONTENT_TYPE: given.content_type})
    headers.update(given.headers or {})
    return Answer(
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
