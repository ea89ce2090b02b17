"""Find the fields at fault, in the many ways in which servers list them.

Lists of objects, known by their own names: {field, message} (Mavio, meetergo), {detail, pointer}
(RFC 9457, section 3), {name, reason} (RFC 7807), {loc, msg} (FastAPI), {property, constraints,
children} (class-validator), {source: {pointer}, detail} (JSON:API), {path, msg}
(express-validator, zod), {field, description} within fieldViolations (Google), {target,
message} (OData), {field, issue} (PayPal), {fields, errorCode} (Salesforce), {key, message}
(Litestar), {in, message} (HubSpot). An item without a message keeps its field, and one without a
field keeps its message.

Objects of field -> messages (Django, Rails, Laravel, ASP.NET, marshmallow), in which objects and
lists are steps of a dotted path, and `_errors` are those of the object itself (Discord, Zod).
There only a list of texts is a field's: an object of plain values ({"limit": "100"}) says
something of the error, and names no field. Where a member is named for errors ("errors", not
"details"), words are a field's too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from resilient.envelopes.reading import Members, members, named, ranked, string, text
from resilient.errors import FieldError

__all__ = ["MAX_DETAILS", "bare_fields", "field_errors", "fields_of", "joined_messages"]

# Lists are cut here: no form has more fields at fault, but a hostile server may send more.
MAX_DETAILS: Final = 100

# Members that hold a list or an object of the fields at fault, the likeliest first. Those that
# are named for errors, and those that may hold anything.
_NAMED: Final = ranked(
    *("fielderrors", "fieldviolations", "invalidparams", "invalidparameters", "invalidfields"),
    *("validationerrors", "validationmessages", "violations", "modelstate", "fieldlist"),
    *("suberrors", "errors", "issues", "fields", "inner", "formerrors", "inputerrors"),
    "error",
)
_FREE: Final = ranked(
    *("details", "detail", "extra", "validation", "causes", "errorcauses", "cause", "elements"),
    *("errordetails", "contextinfo", "o:errordetails", "messages", "message"),
)
# Those that count if they are nothing but lists of texts.
_BARE: Final = ("error", "message", "data", "errorinfo", "params")
# Those of an object beside the error (WordPress, Miro).
_WITHIN: Final = frozenset(("errors", "fields", "details", "violations", "issues"))
# Those that are looked into again, where they stand in an item or an object of that kind.
_MESSAGES: Final = frozenset(("message", "messages", "error", "detail"))
_NESTED: Final = (
    *("children", "fieldviolations", "validationerrors", "errors", "details", "detail", "causes"),
    *("violations", "fields", "suberrors", "issues", "inner", "fielderrors"),
)

# Of an item: members that name its field for certain, and those that may.
_FIELD: Final = (
    *("field", "fieldname", "property", "propertypath", "propertyname", "path", "param"),
    *("parameter", "parametername", "argumentname", "attribute", "attributename", "inputname"),
    *("propertyref", "element", "in", "key", "column", "name", "o:errorpath", "attr"),
)
_POINTER: Final = ("pointer", "instancepath", "datapath", "jsonpointer")
_PLACE: Final = ("loc", "location", "target", "subject")
_CERTAIN: Final = frozenset(
    (*_FIELD[:14], *_POINTER, "loc", "propertyref", "in", "fields", "source")
) - {"path"}
_MESSAGE: Final = ranked(
    *("message", "msg", "detail", "description", "errormessage", "errordescription", "issue"),
    *("reason", "title", "text", "constraints", "defaultmessage", "messages", "errorsummary"),
    *("errormsg", "error", "err", "summary", "shortmessage", "longmessage", "details"),
    *("code", "errorcode"),
    *("type",),
)
_WORDS: Final = ranked(*list(_MESSAGE)[:-3])
# Those that only an item has, which is an object about one error.
_OF_AN_ITEM: Final = frozenset(
    (
        *("message", "msg", "description", "errormessage", "errordescription", "issue"),
        *("constraints", "defaultmessage", "errorsummary"),
    )
)
# What an object about an error has, too: never a field, if it holds a word.
_ABOUT: Final = frozenset(
    (
        *_MESSAGE,
        *("status", "statuscode", "timestamp", "requestid", "traceid", "success", "name", "domain"),
        *("url", "links", "instance", "locations", "extensions", "stack", "trace", "stacktrace"),
    )
)
# As a list of sentences it is a field all the same (GitLab: {"name": ["has already been taken"]}).
_ABOUT_AS_LIST: Final = _ABOUT - {"name", "domain", "url"}
# Beside one of these a word is hardly a field's, nor is one of these alone (Phoenix: {"detail"}).
_RATHER_SAID: Final = frozenset(("message", "code", "error", "detail", "msg"))
_OWN: Final = frozenset(("_errors", "_error", "_schema", "__all__errors"))
# Bounds on the work, whatever a body holds: objects looked at, messages of one field, steps
# in a path, and its length, which children inherit.
_MAX_OBJECTS: Final = 2 * MAX_DETAILS
_MAX_MESSAGES: Final = 20
_MAX_STEPS: Final = 20
_MAX_PATH: Final = 1000


def fields_of(document: Members) -> tuple[FieldError, ...]:
    """Return the fields at fault that an object lists, in the first of its members that does.

    Where no member names a field, the messages of the first that has any.
    """
    messages: tuple[FieldError, ...] = ()
    for names, free in ((_NAMED, False), (_FREE, True)):
        for name in named(document, names):
            value = document[name]
            if isinstance(value, list) and name in _MESSAGES and string(value[0] if value else 0):
                continue  # texts that are the message
            if name == "fields" and isinstance(value, list) and string(value[0] if value else 0):
                continue  # the names of an item's fields
            if name == "error" and isinstance(value, dict):
                continue  # the error itself
            if isinstance(value, list | dict) and value:
                found = field_errors(value, free=free)
                if any(each.field for each in found):
                    return found
                messages = messages or found
    for name in _BARE:
        if name in document and (found := bare_fields(document[name])):
            return found
    data = document.get("data")
    if document.get("status") == "fail" and isinstance(data, dict):  # JSend
        return field_errors(data)
    for name in ("data", "context", "embedded"):
        within = members(document.get(name))
        if not _WITHIN.isdisjoint(within) and (found := fields_of(within)):
            return found
    param = document.get("param") or document.get("parameter") or document.get("field")
    if not messages and isinstance(param, str):
        # The one field that a message is about (OpenAI, Stripe, Mollie).
        texts = (document.get(name) for name in ("message", "detail", "description"))
        said = next(filter(None, map(string, texts)), None)
        if said and (field := _plain(param)):
            return (FieldError(field, said),)
    return messages


def field_errors(value: object, *, free: bool = False) -> tuple[FieldError, ...]:
    """Return the fields at fault in a list of errors, or in an object of field -> messages.

    One for each message, a hundred at most. The field of a message without one is "", and so
    is the message of a field without one.

    Args:
        value: The list or the object.
        free: True if it is not named for errors, so that it may hold anything: then only
            lists of sentences are a field's. False by default.
    """
    finder = _Finder(free)
    found = finder.of_list(value) if isinstance(value, list) else finder.of_object(value)
    return tuple(islice(found, MAX_DETAILS))


def bare_fields(document: object) -> tuple[FieldError, ...]:
    """Return the fields at fault of a document that is nothing but these; else none.

    Each of its members has to be a list of texts, or an object or a list of objects of such.
    """
    if not isinstance(document, dict) or not document:
        return ()
    budget = [_MAX_OBJECTS]
    if not all(_is_said(value, budget, 2) for value in islice(document.values(), _MAX_OBJECTS)):
        return ()
    return field_errors(document)


def joined_messages(value: object) -> str | None:
    """Join all messages of a list of errors into one, where a body has no other message."""
    # Each only once: ten fields are "required" as a rule.
    said = dict.fromkeys(each.message for each in field_errors(value) if each.message)
    return text(list(said)[:_MAX_MESSAGES])


def _is_said(value: object, budget: list[int], depth: int = 1) -> bool:
    """Return whether a value is a list of texts, or holds nothing but such lists."""
    budget[0] -= 1
    if budget[0] < 0 or depth > _MAX_STEPS:
        return False
    if isinstance(value, dict):
        if depth > 1 and isinstance(value.get("message"), str) and "code" in value:
            return True  # PocketBase: {"title": {"code", "message"}}
        held: Any = value.values()
    elif isinstance(value, list) and value:
        if all(map(string, value[:_MAX_MESSAGES])):
            return True
        # Those of a list of forms: {} is a form without fault.
        if all(each == {} for each in value):
            return False
        held = [each for each in value[:_MAX_OBJECTS] if each != {}]
        if not all(isinstance(each, dict) for each in held):
            return False
    else:
        return False
    return bool(held) and all(_is_said(each, budget, depth + 1) for each in held)


class _Finder:
    """Finds fields, and looks at no more objects than it may."""

    def __init__(self, free: bool) -> None:
        self._free = free
        self._left = _MAX_OBJECTS

    def _is_spent(self, depth: int) -> bool:
        self._left -= 1
        return self._left < 0 or depth > _MAX_STEPS

    def of_list(self, items: list[Any], parent: str = "", depth: int = 1) -> Iterator[FieldError]:
        """Find the fields of a list of items."""
        for item in items:
            if self._left <= 0:
                return
            if isinstance(item, dict):
                yield from self.of_item(item, parent, depth)
            else:
                self._left -= 1
                if said := string(item):
                    yield FieldError(parent, said)

    def of_item(self, item: dict[str, Any], parent: str, depth: int) -> Iterator[FieldError]:
        """Find the field of an item, or those of the items within it."""
        if self._is_spent(depth):
            return
        known = members(item)
        fields = [_under(parent, field) for field in _fields(known)]
        path = fields[0] if fields else parent
        # Of google.rpc's many kinds of detail one names fields.
        names = ("fieldviolations",) if "@type" in item else _NESTED
        nested = [name for name in names if _holds_items(known.get(name), bool(fields))]
        if "@type" not in item:
            is_certain = bool(fields) and not _CERTAIN.isdisjoint(known)
            said = _messages_of(known, names=_MESSAGE if is_certain else _WORDS)
            if fields and not said:
                # The code of an item may be its message, but a kind of thing is none.
                said = [each for each in _messages_of(known) if _is_prose(each)]
            for field in fields or ([] if nested else [parent]):
                yield from (FieldError(field, message) for message in said)
                if is_certain and not said and not nested:
                    yield FieldError(field, "")
        for name in nested:
            within = known[name]
            if isinstance(within, list):
                yield from self.of_list(within, path, depth + 1)
            elif name in _FREE and not self._free:
                # What an item says besides may be anything (a registry: {"detail": {"Tag": "x"}}).
                free = _Finder(True)
                free._left = self._left
                yield from free.of_object(within, path, depth + 1)
                self._left = free._left
            else:
                yield from self.of_object(within, path, depth + 1)

    def of_object(self, value: object, path: str = "", depth: int = 1) -> Iterator[FieldError]:
        """Find the fields of an object of field -> messages."""
        if not isinstance(value, dict) or self._is_spent(depth):
            return
        known = members(value)
        if not path and not self._free and _is_item(known) and known.keys() & _CERTAIN:
            # An object of fields may well have one called "message", hardly "field" as well.
            self._left += 1
            yield from self.of_item(value, path, depth)
            return
        if _is_hapi(known):
            yield from _of_keys(known)
            return
        for name, said in islice(value.items(), _MAX_OBJECTS):
            if self._left < 0:
                return
            # A field may be called "name", but hardly beside a message.
            is_alone = known.keys().isdisjoint(_RATHER_SAID) and _is_prose(said)
            yield from self._of_member(name, said, path, depth, is_alone)

    def _of_member(
        self, name: str, said: Any, path: str, depth: int, is_alone: bool
    ) -> Iterator[FieldError]:
        small = name.lower().replace("_", "").replace("-", "")
        if name in _OWN or (not path and small in _NESTED and isinstance(said, list | dict)):
            if isinstance(said, list):
                yield from self.of_list(said, path, depth + 1)
            else:
                yield from self.of_object(said, path, depth + 1)
            return
        field = _under(path, _plain(name) or "")
        if not field or (not path and small in ("formerrors", "globalerrors")):
            field = path
        if isinstance(said, dict):
            known = members(said)
            if _is_hapi(known):
                yield from _of_keys(known)
            elif _is_item(known) and small in ("error", "err", "fault"):
                return  # the error itself
            elif _is_item(known) and (messages := _messages_of(known)):
                self._left -= 1
                yield from (FieldError(field, message) for message in messages)
            elif not (self._free and small in _ABOUT):
                yield from self.of_object(said, field, depth + 1)
        elif isinstance(said, list):
            yield from self._of_messages(said, field, small, depth)
        elif not self._free and _is_words(said) and (small not in _ABOUT or is_alone):
            yield FieldError(field, string(said) or "")

    def _of_messages(
        self, said: list[Any], field: str, small: str, depth: int
    ) -> Iterator[FieldError]:
        """Find the messages of a field, and the fields of objects that are listed there."""
        self._left -= 1
        for place, each in enumerate(said[:MAX_DETAILS]):
            if isinstance(each, dict):
                known = members(each)
                if _is_item(known) or not known.keys().isdisjoint(("code", "type")):
                    self._left -= 1
                    # A kind of thing is no message (Box: {"conflicts": [{"type": "folder"}]}).
                    names = _WORDS if self._free else _MESSAGE
                    yield from (FieldError(field, one) for one in _messages_of(known, names))
                elif each:
                    yield from self.of_object(each, _under(field, str(place)), depth + 1)
            elif message := string(each):
                if place >= _MAX_MESSAGES:
                    return
                if not self._free or (small not in _ABOUT_AS_LIST and _is_prose(message)):
                    yield FieldError(field, message)


def _holds_items(within: object, has_field: bool) -> bool:
    """Return whether a member of an item holds items of its own."""
    if isinstance(within, list):
        return bool(within) and isinstance(within[0], dict)
    return isinstance(within, dict) and bool(within) and not has_field


def _is_hapi(known: Members) -> bool:
    """Return whether an object is Hapi's: {"source": "payload", "keys": [...]}."""
    return isinstance(known.get("source"), str) and isinstance(known.get("keys"), list)


def _of_keys(known: Members) -> Iterator[FieldError]:
    keys = [name for name in map(_plain, known["keys"][:MAX_DETAILS]) if name]
    said = string(known.get("message")) if len(keys) == 1 else None
    yield from (FieldError(name, said or "") for name in keys)


def _is_item(known: Members) -> bool:
    """Return whether an object is about one error: it has a message, and no list for one."""
    return any(isinstance(known.get(name), str) for name in _OF_AN_ITEM)


def _is_words(said: object) -> bool:
    found = string(said)
    return found is not None and any(map(str.isalpha, found[:80])) and "://" not in found


def _is_prose(message: object) -> bool:
    return isinstance(message, str) and " " in message.strip()


def _under(parent: str, field: str) -> str:
    return f"{parent}.{field}"[:_MAX_PATH] if parent and field else field or parent


def _messages_of(item: Members, names: Mapping[str, int] = _MESSAGE) -> list[str]:
    for name in named(item, names):
        said = item[name]
        if isinstance(said, dict):
            if name == "constraints":
                said = list(said.values())
            else:
                # OData has {"lang", "value"} for a text.
                inner = members(said)
                said = string(inner.get("value")) or string(inner.get("message"))
        if isinstance(said, list):
            if found := [each for each in map(_message, said[:_MAX_MESSAGES]) if each]:
                return found
        elif one := string(said):
            return [one]
    return []


def _message(said: object) -> str | None:
    """Return one message. Numbers are left out: they are limits, not messages."""
    if isinstance(said, dict):
        return next(iter(_messages_of(members(said))), None)
    return string(said)


def _fields(item: Members) -> list[str]:
    """Return the fields that an item names: one as a rule."""
    listed = item.get("fields")
    if isinstance(listed, list) and listed and all(map(string, listed[:_MAX_MESSAGES])):
        return [name for name in map(_plain, listed[:_MAX_MESSAGES]) if name]
    source = members(item.get("source"))  # JSON:API
    target, meta = members(item.get("target")), members(item.get("meta"))  # IBM, Clerk
    for holder, names, read in (
        (item, _FIELD, _plain),
        (item, _POINTER, _pointed),
        (source, ("pointer",), _pointed),
        (source, ("parameter", "header"), _plain),
        (item, _PLACE, _plain),
        (target, ("name", "field"), _plain),
        (meta, ("paramname", "param", "field"), _plain),
    ):
        for name in names:
            if name in holder and (found := read(holder[name])):
                # PayPal's `field` is a pointer, too.
                is_pointer = name == "field" and found.startswith("/")
                return [(_pointed(found) if is_pointer else None) or found]
    return []


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
