"""What reads an error body.

A format of one's own is a function away:

    def read_acme(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
        document = json_object(body)
        if document is None or "acmeError" not in document:
            return None  # not ours: the next parser is asked
        return Envelope(message=text(document["acmeError"]), code=text(document.get("nr")))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from resilient.envelopes.envelope import Envelope

__all__ = ["EnvelopeParser"]


class EnvelopeParser(Protocol):
    """Reads one format of error bodies; any function with these arguments is one.

    Args of the call, by position: the response's status, its headers (`parse_error` hands
    over ones that do not heed case), and its body as far as it was read. `json_object` is
    the cheap way to the body's JSON. Returning None declines: the body is not in this
    format, and the next parser is asked.
    """

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
        """The envelope, or None to decline."""
