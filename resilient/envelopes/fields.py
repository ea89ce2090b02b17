"""The fields at fault, from the many ways in which servers list them.

Known by their own names: {field, message} (Mavio, meetergo), {detail, pointer} (RFC 9457,
section 3), {name, reason} (RFC 7807), {loc, msg} (FastAPI), {property, constraints,
children} (class-validator), {source: {pointer}, detail} (JSON:API), {path, msg}
(express-validator, zod), {field, description} within fieldViolations (Google), {target,
message} (OData), and objects of field -> messages (ASP.NET, Laravel, mongoose).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

from resilient.envelopes.reading import first_text, string, text
from resilient.errors import FieldError

__all__ = ["MOST_DETAILS", "field_errors", "remarks"]

# Lists are cut here: no form has more fields at fault, and a hostile server has.
MOST_DETAILS = 100

_FIELD = ("field", "property", "path", "param", "parameter", "name")
_POINTER = ("pointer", "instancePath")
_PLACE = ("loc", "location", "target")
_MESSAGE = (
    "message",
    "msg",
    "detail",
    "description",
    "reason",
    "title",
    "constraints",
    "defaultMessage",
    "error",
    "code",
)
_NESTED = ("children", "fieldViolations")
# Bounds on the work, whatever a body holds: objects looked at, remarks on one field, steps
# in a path, and its length, which children inherit.
_MOST_OBJECTS = 2 * MOST_DETAILS
_MOST_REMARKS = 20
_MOST_STEPS = 20
_LONGEST_PATH = 1000


def field_errors(value: object) -> tuple[FieldError, ...]:
    """The fields that a list of errors, or an object of field -> messages, finds fault with.

    One for each remark, a hundred at most. Remarks that name no field are passed over.
    """
    return tuple(islice(_found(value), MOST_DETAILS))


def remarks(value: object) -> str | None:
    """All that a list of errors says, as one message, for want of another."""
    items = value[:MOST_DETAILS] if isinstance(value, list) else ()
    general = (first_text(item, _MESSAGE) if isinstance(item, dict) else item for item in items)
    particular = (error.message for error in field_errors(value))
    # Each only once: ten fields are "required" as a rule.
    said = dict.fromkeys(filter(None, map(string, (*general, *particular))))
    return text(list(said))


def _found(value: object) -> Iterator[FieldError]:
    if isinstance(value, dict):
        # An object of fields may well have one called "message", hardly "field" as well.
        if string(value.get("field")) and string(value.get("message")):
            value = [value]
        else:
            for name, said in islice(value.items(), _MOST_OBJECTS):
                if path := _plain(name):
                    yield from (FieldError(path, remark) for remark in _remarks(said))
    if isinstance(value, list):
        for item, path in islice(_objects(value), _MOST_OBJECTS):
            if path is not None:
                yield from (FieldError(path, remark) for remark in _said(item))


def _objects(
    items: list[Any], parent: str = "", depth: int = 1
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The objects of a list and those nested in them, each with the path of its field."""
    for item in items:
        if isinstance(item, dict):
            field = _field(item)
            path = f"{parent}.{field}"[:_LONGEST_PATH] if parent and field else field
            yield item, path
            if depth < _MOST_STEPS:
                for nested in map(item.get, _NESTED):
                    if isinstance(nested, list):
                        yield from _objects(nested, path or parent, depth + 1)


def _said(item: dict[str, Any]) -> list[str]:
    for member in _MESSAGE:
        said = item.get(member)
        if member == "constraints" and isinstance(said, dict):
            said = list(said.values())
        if found := list(_remarks(said)):
            return found
    return []


def _remarks(said: object) -> Iterator[str]:
    """What is said of one field. Numbers are left out: they are limits, not remarks."""
    for item in said[:_MOST_REMARKS] if isinstance(said, list) else (said,):
        if remark := first_text(item, _MESSAGE) if isinstance(item, dict) else string(item):
            yield remark


def _field(item: dict[str, Any]) -> str | None:
    source = item.get("source")  # JSON:API
    if not isinstance(source, dict):
        source = {}
    for holder, members, read in (
        (item, _FIELD, _plain),
        (item, _POINTER, _pointed),
        (source, ("pointer",), _pointed),
        (source, ("parameter", "header"), _plain),
        (item, _PLACE, _plain),
    ):
        for member in members:
            if member in holder and (found := read(holder[member])):
                return found
    return None


def _plain(name: object) -> str | None:
    """A field's name as it stands, a list of steps (FastAPI, zod) joined by dots."""
    if isinstance(name, list):
        name = ".".join(filter(None, map(text, name[:_MOST_STEPS])))
    found = text(name)
    if found is not None and (found == "#" or found.startswith("#/")):
        return _pointed(found)
    return found and found[:_LONGEST_PATH]


def _pointed(pointer: object) -> str | None:
    """The field that a JSON pointer (RFC 6901) leads to: "/a/b" and "#/a/b" are "a.b"."""
    found = (string(pointer) or "")[:_LONGEST_PATH]
    if found.startswith("#"):
        found = unquote(found[1:])  # section 6: as the fragment of a URI it is encoded
    steps = found.removeprefix("/").split("/")
    return string(".".join(step.replace("~1", "/").replace("~0", "~") for step in steps))
