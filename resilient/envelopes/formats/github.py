"""Read GitHub's errors: {"message", "errors", "documentation_url"}.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api. All that it adds to
"flat" is that they are GitHub's: there is no code, and only words of the message tell whether a 403
says that a limit is met (`envelopes.throttling`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, string

__all__ = ["read_github"]

_DOCS: Final = ("https://docs.github.com/", "https://developer.github.com/")


def read_github(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a message with a link to GitHub's documents."""
    docs = string(document.get("documentationurl"))
    if docs is None or not docs.startswith(_DOCS) or string(document.get("message")) is None:
        return None
    return envelope_of([document], status)
