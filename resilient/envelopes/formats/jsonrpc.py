"""Read JSON-RPC 2.0: {"jsonrpc": "2.0", "error": {code, message, data}, "id"}.

https://www.jsonrpc.org/specification#error_object. The code is a number; `data` may say more.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, members, string

__all__ = ["read_jsonrpc"]


def read_jsonrpc(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a response object with an error."""
    error = members(document.get("error"))
    if not error or "jsonrpc" not in document:
        return None
    data = error.get("data")
    return envelope_of(
        [error, members(data)] if isinstance(data, dict) else [error],
        status,
        message=string(error.get("message")),
    )
