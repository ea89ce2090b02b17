"""Find the fields at fault, in the many ways in which servers list them.

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

__all__ = ["MAX_DETAILS", "field_errors", "joined_messages"]

# Lists are cut here: no form has more fields at fault, but a hostile server may send more.
MAX_DETAILS = 100

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
# Bounds on the work, whatever a body holds: objects looked at, messages of one field, steps
# in a path, and its length, which children inherit.
_MAX_OBJECTS = 2 * MAX_DETAILS
_MAX_MESSAGES = 20
_MAX_STEPS = 20
_MAX_PATH = 1000


def field_errors(value: object) -> tuple[FieldError, ...]:
    """Return the fields at fault in a list of errors, or in an object of field -> messages.

    One for each message, a hundred at most. Messages without a field are passed over.
    """
    return tuple(islice(_found(value), MAX_DETAILS))


def joined_messages(value: object) -> str | None:
    """Join all messages of a list of errors into one, where a body has no other message."""
    items = value[:MAX_DETAILS] if isinstance(value, list) else ()
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
            for name, said in islice(value.items(), _MAX_OBJECTS):
                if path := _plain(name):
                    yield from (FieldError(path, message) for message in _messages(said))
    if isinstance(value, list):
        for item, path in islice(_objects(value), _MAX_OBJECTS):
            if path is not None:
                yield from (FieldError(path, message) for message in _messages_of(item))


def _objects(
    items: list[Any], parent: str = "", depth: int = 1
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Yield the objects of a list and those nested in them, each with the path of its field."""
    for item in items:
        if isinstance(item, dict):
            field = _field(item)
            path = f"{parent}.{field}"[:_MAX_PATH] if parent and field else field
            yield item, path
            if depth < _MAX_STEPS:
                for nested in map(item.get, _NESTED):
                    if isinstance(nested, list):
                        yield from _objects(nested, path or parent, depth + 1)


def _messages_of(item: dict[str, Any]) -> list[str]:
    for member in _MESSAGE:
        said = item.get(member)
        if member == "constraints" and isinstance(said, dict):
            said = list(said.values())
        if found := list(_messages(said)):
            return found
    return []


def _messages(said: object) -> Iterator[str]:
    """Yield the messages of one field. Numbers are left out: they are limits, not messages."""
    for item in said[:_MAX_MESSAGES] if isinstance(said, list) else (said,):
        if message := first_text(item, _MESSAGE) if isinstance(item, dict) else string(item):
            yield message


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
    """Return a field's name as it stands, a list of steps (FastAPI, zod) joined by dots."""
    if isinstance(name, list):
        name = ".".join(filter(None, map(text, name[:_MAX_STEPS])))
    found = text(name)
    if found is not None and (found == "#" or found.startswith("#/")):
        return _pointed(found)
    return found and found[:_MAX_PATH]


def _pointed(pointer: object) -> str | None:
    """Return the field that a JSON pointer (RFC 6901) leads to: "/a/b" and "#/a/b" are "a.b"."""
    found = (string(pointer) or "")[:_MAX_PATH]
    if found.startswith("#"):
        found = unquote(found[1:])  # section 6: as the fragment of a URI it is encoded
    steps = found.removeprefix("/").split("/")
    return string(".".join(step.replace("~1", "/").replace("~0", "~") for step in steps))
