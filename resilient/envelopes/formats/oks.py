"""Read the errors of APIs that say `ok: false`: Slack's and Telegram's.

Slack, https://docs.slack.dev/apis/web-api/#responses: {"ok": false, "error": "channel_not_found"},
with 200; `error` is always a code, also where it looks like a word ("ratelimited"), and
`response_metadata.messages` says more. Telegram, https://core.telegram.org/bots/api#making-requests:
{"ok": false, "error_code": 429, "description", "parameters": {"retry_after": 5}}.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, as_code, members, text

__all__ = ["read_slack", "read_telegram"]


def read_slack(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read {"ok": false, "error": CODE}."""
    code = as_code(document.get("error"))
    if document.get("ok") is not False or code is None or " " in code.strip():
        return None
    metadata = members(document.get("responsemetadata"))
    said = text(metadata.get("messages"))
    return envelope_of([document], status, message=said or code, code=code, details=())


def read_telegram(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read {"ok": false, "error_code", "description"}."""
    if document.get("ok") is not False or "errorcode" not in document:
        return None
    return envelope_of([document], status, details=())
