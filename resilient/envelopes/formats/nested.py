"""Read the format {"error": {code, message, request_id, details}}.

Mavio's, and with small differences that of OpenAI and Stripe (`type`, and the field in
`param`), Anthropic (`type`, the request_id beside `error`), Elasticsearch (`type`, `reason`),
Strapi (`name`), Adyen, and of all who put the error into an object of its own, be it called
`error`, `errors`, `fault` or otherwise, and in a list or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.general import chain_of, envelope_of
from resilient.envelopes.reading import Members

__all__ = ["read_nested"]


def read_nested(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read {"error": {...}}; declines where no object is within, or it says nothing."""
    chain = chain_of(document)
    if len(chain) == 1:
        return None
    envelope = envelope_of(chain, status)
    return envelope if envelope != EMPTY_ENVELOPE else None
