"""Read HTML pages and plain text, where they say more than the status does.

HTML: the title of Cloudflare ("host | 520: Web server is returning an unknown error"), the
`pre` of Express ("Cannot GET /x"), the heading of Tomcat. A title that is only the status, its
reason phrase or the server's name says nothing.

Text: the first line of Envoy ("upstream connect error ... reset reason: ..."), of Go's
http.Error, of Cloudflare ("error code: 1015").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.markup import html_texts
from resilient.envelopes.reading import is_phrase, slug

__all__ = ["read_html", "read_text"]

_MAX_LINE: Final = 500
_SAYS_NOTHING: Final = (
    r"(?i)(?:http|error|status|code|server|nginx|apache|openresty|welcome|page|response|exception|"
    r"report|oops|sorry|whoops|tomcat|cloudflare|the|an?|occurred|[0-9./|:()!–—_-]|\s)*"
)
_LABEL: Final = r"(?i)^\W*(?:http\s+)?(?:status|error)\b(?:\s+code)?"
_STATUS: Final = r"\b[1-9][0-9]{2}\b"


def read_html(status: int, headers: Mapping[str, str], document: str) -> Envelope | None:
    """Read the first of title, pre and headings that says more than the status."""
    texts = html_texts(document)
    for name in ("message", "title", "pre", "h1", "h2", "p", "rest"):
        if name in texts and (said := _telling(texts[name])):
            return Envelope(said)
    return None


def read_text(status: int, headers: Mapping[str, str], document: str) -> Envelope | None:
    """Read the first line that is not blank; declines where no word is in it."""
    lines = document[: _MAX_LINE * 4].splitlines()
    line = next((each.strip() for each in lines if each.strip()), "")
    if not any(map(str.isalpha, line)) or line[0] in "<{[" or '{"' in line:
        return None
    if len(line) > _MAX_LINE:
        line = line[: _MAX_LINE - 1] + "…"
    code = slug(line) if " " not in line and not is_phrase(line) else None
    return Envelope(line, code)


def _telling(said: str) -> str | None:
    """Return a text of a page, unless it only says that there is an error."""
    said = said[:_MAX_LINE].strip()
    rest = re.sub(_LABEL, "", re.sub(_STATUS, "", said)).strip(" -–—|:()!.")
    if not any(map(str.isalpha, rest)) or is_phrase(rest) or re.fullmatch(_SAYS_NOTHING, rest):
        return None
    return said
