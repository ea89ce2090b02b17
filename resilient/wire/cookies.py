"""Cookies of responses that aiohttp never sees.

aiohttp updates the session's jar when the chain of middlewares has returned a response. One
that was discarded, or that an exception was made of, would lose its cookies.
"""

from __future__ import annotations

from typing import Any

from aiohttp import ClientRequest, ClientResponse

__all__ = ["keep_cookies"]


def keep_cookies(request: ClientRequest, response: ClientResponse) -> None:
    """Update the session's jar from a response that will not be handed over, as aiohttp would.

    The request keeps the cookies that it was made with: its next attempt does not send these,
    the next call does.
    """
    session: Any = request.session
    # The raw headers and not `response.cookies`, which has but one cookie of a name.
    raw = getattr(response, "_raw_cookie_headers", None)
    if raw:
        session.cookie_jar.update_cookies_from_headers(raw, response.url)
