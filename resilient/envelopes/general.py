"""Read what an object says of an error, by the names that its members have everywhere.

An error stands in an object of its own within the document, or in the document itself, or in
both. `chain_of` finds these objects, the innermost first, and `envelope_of` asks them in that
order for each thing: message, code, identifier, fields, wait and link. The formats differ in
which documents they take, and in what they know better than by names.

- The message is the first sentence; a single word or a reason phrase only if there is none.
- A code is a word for programs. The status is none, nor are words for people: the phrase of
  a status gives one ("Bad Request" is bad_request) where there is no other.
- A wait is in seconds unless the name says otherwise, and cannot be below 0. Instead of seconds it
  may be a moment, in the form of RFC 3339 (Akamai's `rateLimitNext`, MetaApi's
  `recommendedRetryTime`): how far off that is, the headers of the response tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.fields import fields_of
from resilient.envelopes.reading import (
    NOTHING,
    Members,
    as_code,
    is_number_of,
    is_phrase,
    is_sentence,
    is_token,
    members,
    named,
    number,
    ranked,
    slug,
    string,
    text,
)
from resilient.errors import FieldError
from resilient.support.duration import LONGEST, seconds_of

__all__ = [
    "SPEAKING",
    "chain_of",
    "code_of",
    "envelope_of",
    "explicit_code",
    "message_of",
    "request_id_of",
    "wait_of",
]

_MESSAGE: Final = ranked(
    *("message", "errormessage", "errordescription", "msg", "errormsg", "errmsg", "retmsg"),
    *(
        "detail",
        "displaymessage",
        "debugmessage",
        "detailmessage",
        "description",
        "errordetail",
        "errorsummary",
        "faultstring",
    ),
    *("statusmessage", "statusdescription", "errortext", "text", "usermessage", "title"),
    *("reason", "longmessage", "developermessage", "shortmessage", "exceptionmessage"),
    *("explanation", "summary", "error", "err", "errormessages", "messages", "details"),
    *("detailedmessage", "hydra:description", "errorinfo", "info", "errors", "#text"),
    *("faultreason", "errorcodes", "status"),
)
_MESSAGE_WITHIN: Final = ("message", "value", "text", "detail", "description", "msg", "title")
# Members that are there for codes.
_CODE: Final = ranked(
    *("code", "errorcode", "errcode", "serviceerrorcode", "faultcode", "messagecode", "messageid"),
    *("errorkey", "internalcode", "apicode", "resultcode", "retcode", "subcode", "cod", "ecode"),
)
# Members that may hold one among other things.
_MAY_BE_CODE: Final = ranked(
    *("errortype", "exceptiontype", "error", "err", "status", "reason", "name", "errorname"),
    *("category", "exception", "key", "id", "errorid", "result", "kind"),
)
_REQUEST_ID: Final = ranked(
    *("requestid", "reqid", "xrequestid", "debugid", "traceid", "correlationid", "pspreference"),
    *("fbtraceid", "trackingid", "logid", "activityid", "rayid", "incidentid", "transactionid"),
    *("operationid", "supportid", "referenceid", "errorid", "eventid", "clientrequestid"),
    *("requestuid", "requestuuid", "traceidentifier", "opcrequestid", "phrase"),
)
_BESIDE: Final = frozenset(
    ("meta", "metadata", "innererror", "extensions", "requestinfo", "context", "data")
)
_WAIT: Final = ranked(
    *("retryafter", "retryafterseconds", "retryaftersecs", "retryaftersec", "retrydelay"),
    *("retryin", "retryinseconds", "waitseconds", "secondstowait", "retryafterduration"),
    *("ratelimitnext", "recommendedretrytime"),
)
_WAIT_IN_MS: Final = ranked(
    "retryafterms", "retryaftermillis", "retryaftermilliseconds", "retryinms"
)
_WITH_WAIT: Final = frozenset(("parameters", "details", "metadata", "extensions", "meta", "data"))
_DETAIL: Final = frozenset(("detail", "details"))
_DOCS: Final = ranked(
    *("documentationurl", "docurl", "docsurl", "docs", "moreinfo", "helpurl", "helplink", "help"),
    *("erroruri", "errorlink", "documentation", "infourl", "link", "recommend"),
)

# Members by which an object is about an error.
SPEAKING: Final = frozenset(
    (
        *("message", "errormessage", "errordescription", "msg", "errormsg", "errmsg", "retmsg"),
        *(
            "detail",
            "displaymessage",
            "statusmessage",
            "error",
            "errors",
            "errorcode",
            "errcode",
            "errortype",
            "errordetail",
            "faultstring",
        ),
        *("errorsummary", "errormessages", "exceptionmessage", "faultcode", "err", "fault"),
    )
)
_SPEAKING_WITHIN: Final = SPEAKING | {
    *("code", "description", "title", "text", "reason", "type", "errorname", "name", "#text"),
    *("status", "shortmessage", "longmessage", "details", "fields", "id", "number", ".tag"),
    *("messageid", "serviceexception", "policyexception", "issues"),
}
_OWN_MESSAGE: Final = (SPEAKING | {"description"}) - frozenset(
    ("code", "errorcode", "errcode", "errortype", "faultcode")
)
# Members that hold the object of an error; and those that may, if nothing else is there.
_HOLDERS: Final = (
    *("error", "fault", "errors", "err", "odata.error", "errorresponse", "exception", "problem"),
    *("apierror", "failure", "errorinfo", "serviceexception", "policyexception", "requesterror"),
)
_MAYBE_HOLDERS: Final = (
    *("meta", "status", "response", "result", "results", "data", "body", "json", "detail"),
    *("message", "embedded", "messages"),
)
_ALL_HOLDERS: Final = frozenset((*_HOLDERS, *_MAYBE_HOLDERS))
_MAX_STEPS: Final = 5
_MAX_TEXTS: Final = 100
_LONGEST_MOMENT: Final = 40
_UPPER: Final = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"


def chain_of(document: Members) -> list[Members]:
    """Return the objects of a document that speak of the error, the innermost first."""
    chain = [document]
    while len(chain) < _MAX_STEPS and (inner := _within(chain[-1])):
        chain.append(inner)
    chain.reverse()
    return chain


def _within(holder: Members) -> Members | None:
    if _ALL_HOLDERS.isdisjoint(holder) and len(holder.raw) != 1:
        return None
    speaks = _has_text(holder)
    for name in _HOLDERS:
        if name in holder:
            value = holder[name]
            # A list beside a message holds the parts of what the message says of the whole.
            if speaks and (isinstance(value, list) or name == "errors"):
                continue
            if found := _speaking(value, _SPEAKING_WITHIN):
                return found
    if not speaks:
        for name in _MAYBE_HOLDERS:
            if name in holder and (found := _speaking(holder[name], SPEAKING)):
                return found
        if len(holder.raw) == 1:
            return _speaking(next(iter(holder.raw.values())), SPEAKING | {"body", "response"})
    return None


def _has_text(holder: Members) -> bool:
    """Return whether an object has a message of its own."""
    return any(isinstance(holder[name], str) for name in _OWN_MESSAGE & holder.keys())


def _speaking(value: object, by: frozenset[str]) -> Members | None:
    is_listed = isinstance(value, list)
    if isinstance(value, list):
        value = value[0] if value else None
    found = members(value)
    if by.isdisjoint(found) or not any(map(found.get, by & found.keys())):
        return None
    # In an object of field -> messages one may be called "title".
    held = [found[name] for name in by & found.keys()]
    lists = ("error", "errors", "errormessages")
    if all(isinstance(each, list) for each in held) and found.keys().isdisjoint(lists):
        return None
    found.is_listed = is_listed and found is not NOTHING
    return found


def envelope_of(
    chain: Sequence[Members],
    status: int,
    *,
    message: str | None = None,
    code: str | None = None,
    request_id: str | None = None,
    details: tuple[FieldError, ...] | None = None,
    wait: float | None = None,
    docs: str | None = None,
) -> Envelope:
    """Return what the objects of a chain say; the arguments that are given take precedence."""
    if details is None:
        details = _details(chain)
    message = message or message_of(chain)
    if message is None and details:
        said = dict.fromkeys(each.message for each in details if each.message)
        message = text(list(said))
    if details and message is not None:
        # A message without a field that is the whole's already.
        parts = {message, *message.split("; ")}
        details = tuple(each for each in details if each.field or each.message not in parts)
    until = wait if wait is not None else wait_of(chain)
    is_moment = isinstance(until, datetime)
    return Envelope(
        message,
        code or code_of(chain, status) or _shouted(message),
        request_id or request_id_of(chain),
        details,
        None if is_moment else until,
        docs or _docs(chain),
        retry_at=until if is_moment else None,
    )


def _details(chain: Sequence[Members]) -> tuple[FieldError, ...]:
    messages: tuple[FieldError, ...] = ()
    if len(chain) > 1 and chain[0].is_listed:
        # It stands for its list, in which the others may name fields too.
        chain = (chain[1], chain[0], *chain[2:])
    for holder in chain:
        found = fields_of(holder)
        if any(each.field for each in found):
            return found
        messages = messages or found
    return messages


def message_of(chain: Iterable[Members]) -> str | None:
    """Return the most telling text: the first sentence, else the first text at all."""
    weak: str | None = None
    for holder in chain:
        for name in named(holder, _MESSAGE):
            value = holder[name]
            if isinstance(value, dict):
                within = members(value)
                said = next(
                    (each for key in _MESSAGE_WITHIN if (each := string(within.get(key)))), None
                )
            elif isinstance(value, list):
                said = text([each for each in value[:_MAX_TEXTS] if isinstance(each, str)])
            else:
                said = text(value)
            if said is None or (name == "status" and not is_sentence(said)):
                continue
            if is_sentence(said):
                return said
            weak = weak or said
    return weak


def _shouted(message: str | None) -> str | None:
    """Return a message that is a code, as Google has it: EMAIL_NOT_FOUND."""
    return message if message is not None and re.fullmatch(_UPPER, message) else None


def explicit_code(holder: Members, status: int) -> str | None:
    """Return the code of a member that is there for codes.

    A number gives way to a name in `status`, with which it goes (Google), or in `data`.
    """
    numeric: str | None = None
    for name in named(holder, _CODE):
        value = holder[name]
        if value is None or is_number_of(value, status):
            continue
        if found := as_code(value):
            return found
        numeric = numeric or number(value)
    if numeric is None:
        # Of identifiers a number is that of the kind of error, and a text that of this one.
        numeric = number(holder.get("errorid"))
    own = holder.get("statuscode")
    if numeric is None and isinstance(own, int) and 0 < own < 100 and own is not True:
        numeric = number(own)  # of an API's own, and no status
    if numeric is None or numeric == str(status):
        return None
    said = as_code(holder.get("status"))
    if said is None and "httpstatus" in (data := members(holder.get("data"))):
        said = as_code(data.get("code"))  # tRPC, whose number is that of JSON-RPC
    return said if said and " " not in said and not said.isdecimal() else numeric


def code_of(chain: Sequence[Members], status: int) -> str | None:
    """Return the word for programs, from the innermost object that has one."""
    weak: str | None = None
    for place, holder in enumerate(chain, 1):
        if found := explicit_code(holder, status):
            return found
        found = _type_of(holder, is_within=place < len(chain) and not holder.is_listed)
        if found:
            return found
        for name in named(holder, _MAY_BE_CODE):
            value = string(holder[name])
            if value is None:
                continue
            is_word = is_token(value.strip()) and not is_phrase(value)
            if is_word and (name != "id" or "-" not in value):
                return value
            if name in ("error", "err", "errortype", "name", "status", "reason"):
                weak = weak or slug(value)
        weak = weak or number(holder.get("errornumber")) or as_code(holder.get("number"))
    return _code_in_details(chain) or weak


def _code_in_details(chain: Iterable[Members]) -> str | None:
    """Return a code that stands in an object of details, or in `sys` (Contentful)."""
    for holder in chain:
        kind = members(holder.get("sys"))
        if kind.get("type") == "Error":
            return as_code(kind.get("id"))
        for each in _objects_in(holder, _DETAIL):
            for name in ("errorcode", "code", "errortype"):
                found = string(each.get(name))
                if found and is_token(found):
                    return found
    return None


def _type_of(holder: Members, *, is_within: bool) -> str | None:
    for name in ("type", ".tag"):
        found = as_code(holder.get(name))
        if found and " " not in found.strip() and (is_within or is_token(found)):
            return found
    return None


def request_id_of(chain: Iterable[Members]) -> str | None:
    """Return the identifier to quote to the server's support, from the first that has one."""
    for holder in chain:
        for each in (holder, *_objects_in(holder, _BESIDE)):
            for name in named(each, _REQUEST_ID):
                value = each[name]
                if name == "errorid" and not isinstance(value, str):
                    continue
                if found := string(value) or number(value):
                    return found
    return None


def wait_of(chain: Iterable[Members]) -> float | datetime | None:
    """Return the seconds that an object asks to wait, or until when; None if it does not."""
    for holder in chain:
        for each in (holder, *_objects_in(holder, _WITH_WAIT)):
            for names, unit in ((_WAIT, 1.0), (_WAIT_IN_MS, 0.001)):
                for name in named(each, names):
                    if (wait := _wait(each[name], unit)) is not None:
                        return wait
    return None


def _wait(value: object, unit: float) -> float | datetime | None:
    if isinstance(value, str):
        found = seconds_of(value)
        if found is None:
            return _moment(value)
        if not value.strip()[-1:].isdigit():
            return found
        return min(found * unit, LONGEST)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not a number, too, is not at least 0.
    return min(value * unit, LONGEST) if value >= 0 else None


def _moment(text: str) -> datetime | None:
    """Return a moment with date and time of day, in UTC if it names no zone."""
    if len(text) > _LONGEST_MOMENT or text[10:11] not in ("T", "t", " "):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _docs(chain: Iterable[Members]) -> str | None:
    for holder in chain:
        for name in named(holder, _DOCS):
            found = string(holder[name])
            if found and found.startswith(("https://", "http://")):
                return found
    return None


def _objects_in(holder: Members, names: frozenset[str]) -> list[Members]:
    if names.isdisjoint(holder):
        return _NONE
    return [members(holder[name]) for name in sorted(names & holder.keys())]


_NONE: Final[list[Members]] = []
