"""Configure which responses become exceptions, and how their bodies are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import Attribute, field, frozen

from resilient.envelopes.codes import CodeRule
from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser
from resilient.errors import ConfigError
from resilient.support.validation import (
    Seconds,
    as_statuses,
    as_tuple,
    at_least,
    each,
    is_plain_function,
    positive,
    statuses,
)

__all__ = ["DEFAULT_REQUEST_ID_HEADERS", "ErrorPolicy"]

# The first that the response has counts: the API's own identifier before its gateway's, and
# the content delivery network's last.
DEFAULT_REQUEST_ID_HEADERS = (
    "X-Request-Id",
    "Request-Id",
    "X-Correlation-Id",
    "X-Amzn-RequestId",
    "X-Amz-Request-Id",
    "X-Ms-Request-Id",
    "X-GitHub-Request-Id",
    "X-Trace-Id",
    "CF-Ray",
)

Parsers = Iterable[EnvelopeParser | str]


def _parsers(value: Parsers | EnvelopeParser) -> tuple[EnvelopeParser | str, ...]:
    """Return a tuple; a lone parser, or its name, is a chain of one."""
    return (value,) if isinstance(value, str) or callable(value) else as_tuple(value)


def _can_be_resolved(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse a name without a parser now, not when the first error comes."""
    each(object, "a list of parsers or their names")(instance, attribute, value)
    for parser in value:
        if parser not in DEFAULT_PARSERS and not is_plain_function(resolve_parser(parser)):
            raise ConfigError.of("ErrorPolicy.parsers", parser, "plain (not async) functions")


@frozen(kw_only=True)
class ErrorPolicy:
    """The configuration of `NormalizeErrors`.

    Attributes:
        parsers: Parsers of the body, or their names, in the order to ask them; by default
            "problem", "nested" and "flat", which are built in. An installed package adds a
            name by an entry point in the group "resilient.envelopes", and
            "package.module:name" names any other.
        code_rules: Rules that give errors a code by status and message; none by default.
        request_id_headers: Response headers that may hold the request_id, the likeliest
            first; by default X-Request-Id and others of its kind, CF-Ray last.
        ignore: Error statuses that are not raised, so that their responses are handed over
            unread; none by default.
        max_body: Bytes of an error body that are read, as they come out of a decoder; 65,536
            by default.
        read_timeout: Seconds that reading it may take; 1 by default.

    Raises:
        ConfigError: A value makes no sense, or a name stands for no parser.
    """

    parsers: tuple[EnvelopeParser | str, ...] = field(
        default=DEFAULT_PARSERS,
        converter=_parsers,
        validator=_can_be_resolved,
    )
    code_rules: tuple[CodeRule, ...] = field(
        default=(), converter=as_tuple, validator=each(CodeRule, "CodeRule values")
    )
    request_id_headers: tuple[str, ...] = field(
        default=DEFAULT_REQUEST_ID_HEADERS,
        converter=as_tuple,
        validator=each(str, "names of headers"),
    )
    ignore: frozenset[int] = field(
        default=frozenset(), converter=as_statuses, validator=statuses(400)
    )
    max_body: int = field(default=65_536, validator=at_least(0, "bytes"))
    read_timeout: Seconds = field(default=1.0, validator=positive())
