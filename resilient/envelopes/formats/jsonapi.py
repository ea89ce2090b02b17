"""Read JSON:API: {"errors": [{id, status, code, title, detail, source}]}.

https://jsonapi.org/format/#error-objects. `source` names the field by a pointer, a parameter or
a header; `id` is that of the occurrence, and so what to quote to the server's support.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import field_errors, joined_messages
from resilient.envelopes.general import code_of, envelope_of
from resilient.envelopes.reading import Members, media_type, members, number, string

__all__ = ["read_jsonapi"]

_ERROR_OBJECT = frozenset(("source", "title", "detail"))


def read_jsonapi(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read error objects; declines a list of anything else, and a document with a message."""
    errors = document.get("errors")
    first = members(errors[0]) if isinstance(errors, list) and errors else None
    if not first or _ERROR_OBJECT.isdisjoint(first) or "message" in document:
        return None
    if "title" not in first and "source" not in first and not _is_declared(headers):
        return None
    links = members(first.get("links"))
    about = links.get("about")
    return envelope_of(
        [document],
        status,
        message=joined_messages(errors),
        code=code_of([members({n: v for n, v in first.raw.items() if n != "id"})], status),
        request_id=string(first.get("id")) or number(first.get("id")),
        details=field_errors(errors),
        docs=string(about) or string(members(about).get("href")),
    )


def _is_declared(headers: Mapping[str, str]) -> bool:
    return media_type(headers) == "application/vnd.api+json"
