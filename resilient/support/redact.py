"""Make URLs and exceptions safe to show.

Queries and userinfo carry keys and tokens, and the text of aiohttp's exceptions repeats
them. So a URL or an exception of theirs reaches a log, an event or an error of ours only
through this module. A path is shown, but for the tokens that a few services have in it: the bots
of Telegram, and the webhooks of Slack and Discord.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

from yarl import URL

__all__ = [
    "origin_of",
    "public_path",
    "public_text",
    "public_url",
    "replace_tokens",
    "summary",
    "without_secrets",
    "without_userinfo",
]

# Compiled by the first who needs them, as `re` keeps what it has compiled.
_SCHEME: Final = r"(?i)[a-z][a-z0-9+.-]*://"
# URLs in a longer text, from the end of their scheme on: with the scheme, a pattern takes time by
# the square of a long word, which a server may send.
_AFTER_SCHEME: Final = r"(://)([^\s'\"<>]+)"
_QUERY: Final = r"(?s)([?#]).+"
# A token, after the part of the path that tells that it is one.
_IN_PATHS: Final = (
    r"(?ai)(/bot[0-9]{5,}(?::|%3a))([\w-]{20,})"
    r"|(/services/t[a-z0-9]+/b[a-z0-9]+/)([a-z0-9]{16,})"
    r"|(/webhooks/[0-9]{10,}/)([\w-]{40,})"
)


def origin_of(url: URL) -> str:
    """Return the origin as text: scheme, host, and the port unless it is the scheme's own."""
    # aiohttp has asked the URL for the same part, and URLs remember.
    return f"{url.scheme}://{url.host_port_subcomponent}"


def public_url(url: URL) -> URL:
    """Return the URL without userinfo, query, fragment, and tokens in its path."""
    url = url.with_user(None).with_query(None).with_fragment(None)
    path = url.raw_path
    shown = public_path(path)
    return url if shown == path else url.with_path(shown, encoded=True)


def public_path(path: str) -> str:
    """Return a path without the tokens that are known to stand in some."""
    return replace_tokens(path, lambda _: "***")


def replace_tokens(path: str, made: Callable[[str], str]) -> str:
    """Return a path with something made of each token that is known to stand in some."""

    def replaced(match: re.Match[str]) -> str:
        before, token = (each for each in match.groups() if each)
        return f"{before}{made(token)}"

    return re.sub(_IN_PATHS, replaced, path)


def public_text(text: str) -> str:
    """Return a text that was meant for a URL, without userinfo, query, fragment and tokens.

    If it is no valid URL nobody knows where those end, so whatever may be part of them goes.
    """
    before, at, host = text.rpartition("@")
    if at:
        scheme = re.match(_SCHEME, before)
        shown = "…" if "?" in before or "#" in before else f"…@{host}"
        text = (scheme[0] if scheme else "") + shown
    return public_path(re.sub(_QUERY, r"\1…", text))


def without_secrets(text: str) -> str:
    """Return a longer text in which every URL is without userinfo, query, fragment, tokens."""
    return re.sub(_AFTER_SCHEME, lambda match: match[1] + public_text(match[2]), text)


def without_userinfo(text: str) -> str:
    """Return a longer text in which every URL is without userinfo."""

    def replaced(match: re.Match[str]) -> str:
        _, at, rest = match[2].rpartition("@")
        return f"{match[1]}…@{rest}" if at else match[0]

    return re.sub(_AFTER_SCHEME, replaced, text)


def summary(error: BaseException) -> str:
    """Describe an exception in a few words: its type, and the system's text for its errno."""
    # aiohttp keeps the system's own exception in its connector errors. The text of its other
    # ones may be aiohttp's, with the URL.
    own = getattr(error, "os_error", None)
    errno = getattr(error, "errno", None)
    strerror = getattr(own, "strerror", None)
    if strerror is None and isinstance(errno, int) and errno > 0:
        strerror = os.strerror(errno)
    name = type(error).__name__
    return f"{name} ({strerror})" if isinstance(strerror, str) and strerror else name
