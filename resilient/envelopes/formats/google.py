"""Read the errors of Google's APIs and of gRPC gateways: google.rpc.Status.

https://cloud.google.com/apis/design/errors (AIP-193): {"error": {"code": 429, "status":
"RESOURCE_EXHAUSTED", "message", "details": [{"@type": ".../google.rpc.RetryInfo"}, ...]}}. The
code is the status, by which libraries of Google tell errors apart; an ErrorInfo's reason where
there is none. A gateway sends the object without `error` around it, and a number of gRPC's for
a code. Older APIs have {"errors": [{"domain", "reason"}]}: there the reason is the code, and
before the status if it says that a limit is met.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import NOTHING, Members, is_token, members, string
from resilient.envelopes.throttling import THROTTLING_CODES
from resilient.support.duration import seconds_of

__all__ = ["read_google"]

# https://grpc.github.io/grpc/core/md_doc_statuscodes.html
_GRPC: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)


def read_google(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a google.rpc.Status; declines what has neither its details nor its codes."""
    error = members(document.get("error"))
    chain = [error, document] if error else [document]
    holder = chain[0]
    kinds = _kinds(holder.get("details"))
    named = string(holder.get("status")) or ""
    legacy = _legacy(holder) if error else None
    if not kinds and legacy is None and not (error and named in _GRPC):
        return None
    reason = string(kinds.get("ErrorInfo", NOTHING).get("reason"))
    if legacy not in THROTTLING_CODES["google"].codes and (is_token(named) or named in _GRPC):
        code: str | None = named
    else:
        code = legacy or reason
    links = kinds.get("Help", NOTHING).get("links")
    link = members(links[0]) if isinstance(links, list) and links else {}
    delay = string(kinds.get("RetryInfo", NOTHING).get("retrydelay"))
    return envelope_of(
        chain,
        status,
        code=code,
        request_id=string(kinds.get("RequestInfo", NOTHING).get("requestid")),
        wait=seconds_of(delay) if delay else None,
        docs=string(link.get("url")),
    )


def _kinds(details: object) -> dict[str, Members]:
    """Return the details by the last part of their types."""
    found: dict[str, Members] = {}
    for each in details[:100] if isinstance(details, list) else ():
        if isinstance(each, dict) and (kind := string(each.get("@type"))):
            found.setdefault(kind.rpartition(".")[2], members(each))
    return found


def _legacy(error: Members) -> str | None:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict) or "domain" not in first:
        return None
    reason = string(first.get("reason"))
    return reason if reason and is_token(reason) else ""
