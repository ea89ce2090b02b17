"""Read lists: of errors, of texts, or of forms.

Salesforce, REST API Developer Guide, "Status Codes and Error Responses": [{"errorCode",
"message", "fields": [...]}]; Google's streams: [{"error": {...}}]; Rails: ["Name can't be
blank"]; Django REST framework for many objects at once: [{"name": ["..."]}, {}].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.fields import bare_fields, field_errors
from resilient.envelopes.general import SPEAKING, chain_of, envelope_of
from resilient.envelopes.reading import members, string, text

__all__ = ["read_list"]

_WORDS = frozenset(("title", "description", "reason", "text"))


def read_list(status: int, headers: Mapping[str, str], document: list[Any]) -> Envelope | None:
    """Read a list whose first member says something of the error."""
    if not document:
        return None
    if all(map(string, document[:100])):
        return Envelope(text(document))
    first = members(document[0])
    if not SPEAKING.isdisjoint(first) or not _WORDS.isdisjoint(first):
        envelope = envelope_of(chain_of(first), status)
        details = field_errors(document)
        if not envelope.details and any(each.field for each in details):
            envelope = envelope_of(chain_of(first), status, details=details)
        return envelope if envelope != EMPTY_ENVELOPE else None
    if 400 <= status <= 499:
        by_place = {str(place): each for place, each in enumerate(document[:100]) if each != {}}
        if details := bare_fields(by_place):
            return Envelope(details[0].message, details=details)
    return None
