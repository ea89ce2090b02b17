"""Read the format {statusCode, message, error, errors}.

meetergo's, for it is what NestJS and Fastify send; and by the members it shares with them
that of Spring, Laravel, Twilio, HubSpot (`category`), PayPal (`name`), Okta
(`errorCode`, `errorSummary`), Kubernetes (`reason`) and of all others who put the error into
the document itself. `statusCode` is not read: where it contradicts the status line, the status
line is right.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.fields import joined_messages
from resilient.envelopes.general import SPEAKING, envelope_of
from resilient.envelopes.reading import Members, first_text, members

__all__ = ["read_flat"]

_OWN = ("message", "errordescription", "detail", "description", "title", "msg", "error")


def read_flat(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read {message, error, ...}; declines where `error` is an object, or nothing is said."""
    if isinstance(document.get("error"), dict) and not isinstance(document.get("message"), str):
        return None
    if SPEAKING.isdisjoint(document) and not _says_code(document):
        return None
    errors = document.get("errors")
    chain = [document]
    if isinstance(errors, list) and errors and first_text(document, _OWN) is None:
        # Where `errors` is all there is, its first speaks for the whole.
        chain.append(members(errors[0]))
    envelope = envelope_of(chain, status, message=joined_messages(errors) if chain[1:] else None)
    return envelope if envelope != EMPTY_ENVELOPE else None


def _says_code(document: Members) -> bool:
    """Return whether an object has a code with words beside it, or is a "fail" of JSend."""
    if document.get("status") == "fail" and isinstance(document.get("data"), dict):
        return True
    return ("code" in document or "id" in document or "status" in document) and any(
        isinstance(document.get(name), str)
        for name in ("description", "reason", "title", "text", "statusmessage", "moreinfo")
    )
