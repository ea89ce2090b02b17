"""Read Discord's errors: {"code": 50035, "message", "errors": {...: {"_errors": [...]}}}.

https://discord.com/developers/docs/reference#error-messages, and .../topics/rate-limits:
{"message", "retry_after": 64.57, "global": false}. A code is a number of its own; 0 is none.
The same shape of fields is that of `format()` of Zod.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, is_number_of, string

__all__ = ["read_discord"]


def read_discord(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a message with a number for a code and with fields, or with `global`."""
    if string(document.get("message")) is None:
        return None
    code = document.get("code")
    is_its_own = isinstance(code, int) and not is_number_of(code, status)
    if is_its_own and isinstance(document.get("errors"), dict):
        return envelope_of([document], status)
    if "global" in document and "retryafter" in document:
        return envelope_of([document], status)
    return None
