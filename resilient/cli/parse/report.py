"""Report on an answer, and on the formats.

For a program, on an answer:

    {"status": STATUS, "format": NAME or null, "class": NAME, "code", "message", "request_id",
     "fields": [{"field", "message"}, ...], "retry_after": SECONDS or null, "docs",
     "throttled": true or false}

and on the formats:

    {"formats": [{"name", "kind", "shape", "source",
                  "throttling_codes": [CODE, ...], which mean "too many requests",
                  "throttling_words": [WORDS, ...], which mean the same in a message,
                  "quota_codes":      [CODE, ...], with which a 429 does not}, ...]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType

from resilient.cli.parse.answer import Answer
from resilient.cli.plain import number
from resilient.cli.tables import grid, headed, text
from resilient.envelopes.formats.table import FORMATS
from resilient.envelopes.throttling import QUOTA_CODES, THROTTLING_CODES, KnownCodes

__all__ = ["answer_as_json", "answer_shown", "formats_as_json", "formats_shown"]


def answer_as_json(answer: Answer) -> dict[str, Any]:
    """Return what would become of an answer, for a program."""
    envelope = answer.envelope
    return {
        "status": answer.status,
        "format": envelope.format,
        "class": answer.kind.__name__,
        "code": envelope.code,
        "message": envelope.message,
        "request_id": envelope.request_id,
        "fields": [{"field": each.field, "message": each.message} for each in envelope.details],
        "retry_after": answer.retry_after,
        "docs": envelope.docs,
        "throttled": answer.throttled,
    }


def answer_shown(answer: Answer) -> Iterator[RenderableType]:
    """Show the same to a person."""
    envelope = answer.envelope
    wait = None if answer.retry_after is None else f"{number(answer.retry_after)} s"
    table = grid(12, None)
    for name, said in (
        ("status", str(answer.status)),
        ("format", envelope.format),
        ("class", answer.kind.__name__),
        ("code", envelope.code),
        ("message", envelope.message),
        ("request id", envelope.request_id),
        ("retry after", wait),
        ("docs", envelope.docs),
        ("throttled", "yes" if answer.throttled else "no"),
    ):
        table.add_row(text(name, style="bold"), text(said if said is not None else "none"))
    yield table
    if envelope.details:
        fields = headed("field", "message")
        for each in envelope.details:
            fields.add_row(text(each.field or "-"), text(each.message or "-"))
        yield ""
        yield fields


def formats_as_json() -> dict[str, Any]:
    """Return the built-in formats, for a program."""
    words = {name: row.words for name, row in THROTTLING_CODES.items()}
    return {
        "formats": [
            {
                "name": each.name,
                "kind": each.kind,
                "shape": each.shape,
                "source": each.source,
                "throttling_codes": _codes(THROTTLING_CODES, each.name),
                "throttling_words": list(words.get(each.name, ())),
                "quota_codes": _codes(QUOTA_CODES, each.name),
            }
            for each in FORMATS
        ]
    }


def formats_shown() -> Iterator[RenderableType]:
    """Show the built-in formats in the order in which they are asked."""
    table = headed("format", "shape", "described in")
    for each in FORMATS:
        table.add_row(text(each.name), text(each.shape), text(each.source))
    yield table


def _codes(table: Mapping[str, KnownCodes], name: str) -> list[str]:
    row = table.get(name)
    return [] if row is None else sorted(row.codes)
