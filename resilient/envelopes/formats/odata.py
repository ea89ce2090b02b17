"""Read the errors of OData, Microsoft Graph and Azure: {"error": {code, message, innerError}}.

https://docs.oasis-open.org/odata/odata-json-format/v4.01/ (21.1), and the guidelines for
Azure's APIs: `details` names fields by `target`, and `innererror` holds what the service adds,
Graph's request-id among it. In version 2 the message is {"lang", "value"}, and SAP lists the
fields as `innererror.errordetails` by `propertyref`.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import field_errors
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, members

__all__ = ["read_odata"]


def read_odata(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read an error with an inner one, a target, or a message in a language."""
    error = members(document.get("error")) or members(document.get("odata.error"))
    inner = members(error.get("innererror"))
    in_a_language = "value" in members(error.get("message"))
    if not (inner or in_a_language or "odata.error" in document or _has_target(error)):
        return None
    listed = inner.get("errordetails")
    # Of the fields, SAP repeats the whole error among them.
    details = field_errors(listed) if isinstance(listed, list) else ()
    named = tuple(each for each in details if each.field)
    return envelope_of([error, document], status, details=named or None)


def _has_target(error: Members) -> bool:
    return "target" in error and isinstance(error.get("code"), str)
