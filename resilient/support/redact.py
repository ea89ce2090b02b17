"""What may be shown of a request and of the exceptions around it.

Queries and userinfo carry keys and tokens, and the text of aiohttp's exceptions repeats
them; so nothing of theirs reaches a log, an event or an error of ours unless it comes
from here.
"""

from __future__ import annotations

import os
import re
from typing import Final

from yarl import URL

__all__ = ["origin_of", "public_text", "public_url", "summary", "without_secrets"]

# Compiled by the first who needs them, as `re` keeps what it has compiled.
_SCHEME: Final = r"(?i)[a-z][a-z0-9+.-]*://"
_URL: Final = rf"{_SCHEME}[^\s'\"<>]+"
_QUERY: Final = r"(?s)([?#]).+"


def origin_of(url: URL) -> str:
    """The origin as text: scheme, host, and the port unless it is the scheme's own."""
    # aiohttp has asked the URL for the same part, and URLs remember.
    return f"{url.scheme}://{url.host_port_subcomponent}"


def public_url(url: URL) -> URL:
    """The URL without userinfo, query and fragment."""
    return url.with_user(None).with_query(None).with_fragment(None)


def public_text(text: str) -> str:
    """What was meant for a URL, without userinfo, query and fragment.

    Where those end is anyone's guess in what is none, so what is in doubt goes too.
    """
    before, at, host = text.rpartition("@")
    if at:
        scheme = re.match(_SCHEME, before)
        shown = "…" if "?" in before or "#" in before else f"…@{host}"
        text = (scheme[0] if scheme else "") + shown
    return re.sub(_QUERY, r"\1…", text)


def without_secrets(text: str) -> str:
    """Return a longer text in which every URL is without userinfo, query and fragment."""
    return re.sub(_URL, lambda match: public_text(match[0]), text)


def summary(error: BaseException) -> str:
    """An exception in a few words: its type, and what the system says of its errno."""
    # aiohttp keeps the system's own exception in its connector errors. The text of its other
    # ones may be aiohttp's, with the URL.
    own = getattr(error, "os_error", None)
    errno = getattr(error, "errno", None)
    strerror = getattr(own, "strerror", None)
    if strerror is None and isinstance(errno, int) and errno > 0:
        strerror = os.strerror(errno)
    name = type(error).__name__
    return f"{name} ({strerror})" if isinstance(strerror, str) and strerror else name
