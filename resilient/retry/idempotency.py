"""Send idempotency keys, by which a server can tell a repetition from a second request.

One key for each call and origin, the same on every attempt, as Stripe's clients do it. The
header is that of draft-ietf-httpapi-idempotency-key-header, or any other.
"""

from __future__ import annotations

import uuid
from typing import Final

from aiohttp import ClientRequest

from resilient.core.call import Call
from resilient.core.outcome import IDEMPOTENT_METHODS
from resilient.retry.policy import RetryPolicy
from resilient.support.redact import origin_of

__all__ = ["is_keyed", "send_key"]

# A caller who sends it says that repeating is safe, whatever the policy sends.
_HEADER: Final = "Idempotency-Key"


def send_key(request: ClientRequest, call: Call, policy: RetryPolicy) -> None:
    """Give the request the call's idempotency key for this origin; the caller's own wins."""
    header = policy.idempotency_header
    if header is None or header in request.headers:
        return
    if request.method in IDEMPOTENT_METHODS & policy.methods:
        # It is repeated without, and harmlessly so.
        return
    if call.keys is None:
        call.keys = {}
    request.headers[header] = call.keys.setdefault(origin_of(request.url), str(uuid.uuid4()))


def is_keyed(request: ClientRequest, policy: RetryPolicy) -> bool:
    """Return whether a request carries a key, the caller's or the call's."""
    names = {_HEADER, policy.idempotency_header or _HEADER}
    return any(request.headers.get(name, "").strip() for name in names)
