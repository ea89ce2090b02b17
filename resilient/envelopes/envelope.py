"""Define the envelope, which holds the content of an error body, and the protocol of parsers.

A parser for a format of one's own is a function:

    def read_acme(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
        document = json_object(body)
        if document is None or "acmeError" not in document:
            return None  # not ours: the next parser is asked
        return Envelope(message=text(document["acmeError"]), code=text(document.get("nr")))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from attrs import field, frozen

from resilient.envelopes.fields import MAX_DETAILS
from resilient.envelopes.reading import text
from resilient.errors import FieldError
from resilient.support.duration import LONGEST

__all__ = ["EMPTY_ENVELOPE", "Envelope", "EnvelopeParser"]


def _clean(value: str | None) -> str | None:
    return text(value)


def _clean_details(details: Iterable[FieldError]) -> tuple[FieldError, ...]:
    cleaned = (_clean_detail(detail) for detail in islice(details, MAX_DETAILS))
    return tuple(each for each in cleaned if each.field or each.message)


def _clean_wait(value: object) -> float | None:
    """Return a number of seconds from 0 to `LONGEST`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return min(float(min(value, LONGEST)), LONGEST)


def _clean_moment(value: object) -> datetime | None:
    """Return a moment with its zone; None for anything else."""
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.utcoffset() is None else value


def _clean_detail(detail: FieldError) -> FieldError:
    name, message = text(detail.field) or "", text(detail.message) or ""
    if name is detail.field and message is detail.message:
        return detail
    return FieldError(name, message)


@frozen
class Envelope:
    """The parsed body of an error.

    Its texts are cleaned when it is made, whoever makes it: each encodes to UTF-8, a blank
    one is None, and no more than a hundred details are kept.

    Attributes:
        message: The server's words for a person; None, the default, if it has none.
        code: The server's word for a program; None by default.
        request_id: The identifier to quote to the server's support; None by default.
        details: The fields at fault, with a message for each; none by default. One without a
            message has "", and so has a message without a field.
        retry_after: Seconds that the body asks to wait, 0 or more; None by default.
        retry_at: The moment until which the body asks to wait, in UTC if it names no zone; None by
            default. `parse_error` makes a `retry_after` of it, by the time in the headers.
        docs: The address of a page about the error; None by default.
        format: The name of the format that the body is in; None by default, and of a built-in one
            its own. By it `ErrorPolicy.throttling_codes` tells whose code it is. Two envelopes that
            say the same are equal whatever it is.
    """

    message: str | None = field(default=None, converter=_clean)
    code: str | None = field(default=None, converter=_clean)
    request_id: str | None = field(default=None, converter=_clean)
    details: tuple[FieldError, ...] = field(default=(), converter=_clean_details)
    retry_after: float | None = field(default=None, converter=_clean_wait)
    docs: str | None = field(default=None, converter=_clean)
    format: str | None = field(default=None, converter=_clean, eq=False)
    retry_at: datetime | None = field(default=None, converter=_clean_moment, kw_only=True)


EMPTY_ENVELOPE = Envelope()


class EnvelopeParser(Protocol):
    """Reads one format of error bodies; any function with these arguments is one.

    It is called with the status of the response, its headers (`parse_error` hands over a
    mapping that ignores case), and its body as far as it was read. `json_object` is the
    cheap way to the body's JSON. Returning None declines: the body is not in this format,
    and the next parser is asked.
    """

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
        """Return the envelope, or None to decline."""
