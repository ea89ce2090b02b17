"""Use the package aioresponses, which only those need who mock.

No other module knows how that package keeps its answers and records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import ClientResponse
from yarl import URL

try:
    from aioresponses import CallbackResult
    from aioresponses.compat import AIOHTTP_VERSION, merge_params, normalize_url
    from aioresponses.core import (
        RequestCall,
        RequestMatch,
        aioresponses as Aioresponses,  # noqa: N812 (it is a class)
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"resilient.testing.aioresponses extends the package aioresponses ({error}): "
        'pip install "resilient-aiohttp[testing]"',
        name=error.name,
    ) from error

__all__ = [
    "AIOHTTP_VERSION",
    "Aioresponses",
    "CallbackResult",
    "RequestCall",
    "RequestMatch",
    "keep",
    "merge_params",
    "normalize_url",
    "passes",
    "record",
    "take",
]


def passes(mock: Aioresponses, urls: Sequence[URL]) -> bool:
    """Return whether a mock lets a request through, by the spellings of its URL."""
    return any(str(url).startswith(prefix) for url in urls for prefix in mock._passthrough)


def record(mock: Aioresponses, method: str, url: URL, options: dict[str, Any]) -> RequestCall:
    """Keep a record of a call, under its method and URL."""
    call: RequestCall = mock._build_request_call(method, **options)
    mock.requests.setdefault((method, url), []).append(call)
    return call


def take(
    mock: Aioresponses, methods: Sequence[str], urls: Sequence[URL]
) -> tuple[RequestMatch, URL] | None:
    """Take the next answer for one of the methods, with the spelling of the URL that it is for.

    It is counted as used at once, so that no other request takes it while a callback runs.

    Returns:
        The answer and the URL, or None if none is left.
    """
    for method in methods:
        for key, match in mock._matches.items():
            for url in urls:
                if match.match(method, url):
                    if _use(match):
                        del mock._matches[key]
                    return match, url
    return None


def _use(match: RequestMatch) -> bool:
    """Count one use; return whether that was the last."""
    if isinstance(match.repeat, bool):
        return not match.repeat
    match.repeat -= 1
    return match.repeat == 0


def keep(mock: Aioresponses, response: ClientResponse) -> None:
    """Let the mock close a response when it stops."""
    mock._responses.append(response)
