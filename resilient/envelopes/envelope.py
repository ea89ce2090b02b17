"""What an error body says, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from attrs import field, frozen

from resilient.envelopes.fields import MOST_DETAILS
from resilient.envelopes.leniency import text
from resilient.field_error import FieldError

__all__ = ["NOTHING", "Envelope"]


def _clean(value: str | None) -> str | None:
    return text(value)


def _clean_details(details: Iterable[FieldError]) -> tuple[FieldError, ...]:
    return tuple(_clean_detail(detail) for detail in islice(details, MOST_DETAILS))


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
        message: What the server said, for a person.
        code: What the server said, for a program.
        request_id: The identifier to quote to the server's support.
        details: The fields at fault.
    """

    message: str | None = field(default=None, converter=_clean)
    code: str | None = field(default=None, converter=_clean)
    request_id: str | None = field(default=None, converter=_clean)
    details: tuple[FieldError, ...] = field(default=(), converter=_clean_details)


NOTHING = Envelope()
