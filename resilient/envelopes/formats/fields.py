"""Read bodies that are nothing but the fields at fault.

Django REST framework, https://www.django-rest-framework.org/api-guide/exceptions/: {"email":
["Enter a valid email address."], "non_field_errors": [...]}, with objects and lists of objects
for what is nested; and `errors` of Active Model in Rails. Only a 4xx is read so, and only if
every member is a list of texts or an object of such.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import bare_fields
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import NOTHING, Members

__all__ = ["read_fields"]


def read_fields(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read {field: [message, ...], ...}; declines if anything else is in it."""
    if not 400 <= status <= 499:
        return None
    error = document.get("error")
    is_within = len(document.raw) == 1 and isinstance(error, dict)
    details = bare_fields(error if is_within else document.raw)
    if not details:
        return None
    return envelope_of([NOTHING], status, message=details[0].message, details=details)
