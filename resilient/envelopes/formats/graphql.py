"""Read the errors of GraphQL: {"data": null, "errors": [{message, path, extensions}]}.

https://spec.graphql.org/October2021/#sec-Errors. The code is `extensions.code`, or `type` with
some servers. `path` is a place in the answer, and no field at fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import fields_of
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, members, string, text

__all__ = ["read_graphql"]


def read_graphql(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read errors beside `data`, or such as have extensions or locations."""
    errors = document.get("errors")
    if not isinstance(errors, list) or not errors:
        return None
    first = members(errors[0])
    # A list of errors beside data is GraphQL's, unless it is that of an envelope of one's own.
    is_alone = "message" not in document and "code" not in first
    beside_data = is_alone and ("data" in document or status < 400)
    is_its_own = isinstance(first.get("extensions"), dict) or "locations" in first
    if string(first.get("message")) is None or not (is_its_own or beside_data):
        return None
    extensions = members(first.get("extensions"))
    said: list[Any] = [each.get("message") for each in errors[:20] if isinstance(each, dict)]
    return envelope_of(
        [extensions, first, members(document.get("extensions")), document],
        status,
        message=text(list(dict.fromkeys(filter(None, map(string, said))))),
        details=fields_of(extensions),
    )
