"""Configure which responses become exceptions, and how their bodies are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Attribute, field, frozen

from resilient.envelopes.codes import CodeRule
from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.resolve import (
    BUILT_IN_NAMES,
    DEFAULT_PARSERS,
    FORMAT_NAMES,
    resolve_parser,
    unknown_format,
)
from resilient.envelopes.throttling import CodesByFormat, as_codes
from resilient.errors import ConfigError
from resilient.support.validation import (
    Seconds,
    as_statuses,
    as_tuple,
    at_least,
    check,
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
    "Twilio-Request-Id",
    "X-Dropbox-Request-Id",
    "PayPal-Debug-Id",
    "X-GitHub-Request-Id",
    "X-HubSpot-Correlation-Id",
    "X-Zm-Trackingid",
    "TrackingID",
    "Intuit_Tid",
    "X-Fb-Trace-Id",
    "X-Goog-Request-Id",
    "X-Ms-Request-Id",
    "X-Ms-Correlation-Request-Id",
    "X-Amzn-RequestId",
    "X-Amz-Request-Id",
    "Apigw-Requestid",
    "Atl-Traceid",
    "Opc-Request-Id",
    "X-Trace-Id",
    "X-B3-TraceId",
    "X-Vercel-Id",
    "Fly-Request-Id",
    "X-Amz-Cf-Id",
    "CF-Ray",
)

Parsers = Iterable[EnvelopeParser | str]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _parsers(value: Parsers | EnvelopeParser) -> tuple[EnvelopeParser | str, ...]:
    """Return a tuple; a lone parser, or its name, is a chain of one."""
    return (value,) if isinstance(value, str) or callable(value) else as_tuple(value)


def _can_be_resolved(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse a name without a parser now, not when the first error comes."""
    each(object, "a list of parsers or their names")(instance, attribute, value)
    for parser in value:
        if parser not in BUILT_IN_NAMES and not is_plain_function(resolve_parser(parser)):
            where = f"ErrorPolicy.{attribute.name}"
            raise ConfigError.of(where, parser, "plain (not async) functions")


_codes_by_format = check(
    "a table of codes, a list for each format by its name",
    lambda value: (
        isinstance(value, Mapping)
        and all(
            isinstance(name, str) and isinstance(codes, frozenset) and all(map(_is_text, codes))
            for name, codes in value.items()
        )
    ),
)


@frozen(kw_only=True)
class ErrorPolicy:
    """The configuration of `NormalizeErrors`.

    Attributes:
        parsers: Parsers of the body, or their names, in the order to ask them; by default
            "any", which is all built-in formats (`resilient formats` lists them, and each can
            be asked for by its name). An installed package adds a name by an entry point in the
            group "resilient.envelopes", and "package.module:name" names any other. A parser of
            one's own stands before "any": [read_acme, "any"].
        success_parsers: Parsers, or their names, for errors in an answer of success, such as
            "graphql", "slack", "telegram" or "jsonrpc"; none by default. Each response below 400
            whose declared length is no more than `max_body` is read before it is handed over,
            within `read_timeout`; longer ones, and those without a declared length, are handed
            over unread. If one of the parsers does not decline, an `APIError` of that status is
            raised, with the code, and with all that came in its `body` (GraphQL may send data
            beside errors). A retry repeats it only by its code (`RetryPolicy.codes`, or one that
            means throttling) or class, and a POST only if that is allowed for any POST; for the
            breaker the server is well.
            Else the response can be read as if nobody had looked at it.
        code_rules: Rules that give errors a code by status and message; none by default.
        throttling_codes: The codes that mean "too many requests", by the name of the format that
            they belong to: {"flat": ["busy"]}. An error with one, whatever its status, counts as a
            429 for retry, throttle and breaker; but whether the request was carried out is told by
            its own status alone, so that a POST is not repeated for a code. A format that is given
            here has these codes in the place of those (and the words) that it has in
            `envelopes.THROTTLING_CODES`, none if the list is empty; all others keep theirs. By
            default none is given. With a parser of one's own, a format may have any name, as the
            envelopes of that parser have it.
        quota_codes: The codes, by format too, with which a 429 says that a quota is used up which
            no wait fills: it is not repeated, and closes no gate. They take the place of those of
            `envelopes.QUOTA_CODES` in the same way. By default none is given.
        request_id_headers: Response headers that may hold the request_id, the likeliest
            first; by default X-Request-Id and others of its kind, CF-Ray last.
        ignore: Error statuses that are not raised, so that their responses are handed over
            unread; none by default.
        max_body: Bytes of an error body that are read, as they come out of a decoder; 262,144
            by default. Of JSON that is longer, what came before is read.
        read_timeout: Seconds that reading it may take; 1 by default.

    Raises:
        ConfigError: A value makes no sense, or a name stands for no parser.
    """

    parsers: tuple[EnvelopeParser | str, ...] = field(
        default=DEFAULT_PARSERS,
        converter=_parsers,
        validator=_can_be_resolved,
    )
    success_parsers: tuple[EnvelopeParser | str, ...] = field(
        default=(), converter=_parsers, validator=_can_be_resolved
    )
    code_rules: tuple[CodeRule, ...] = field(
        default=(), converter=as_tuple, validator=each(CodeRule, "CodeRule values")
    )
    throttling_codes: CodesByFormat = field(
        factory=dict, converter=as_codes, hash=False, validator=_codes_by_format
    )
    quota_codes: CodesByFormat = field(
        factory=dict, converter=as_codes, hash=False, validator=_codes_by_format
    )
    request_id_headers: tuple[str, ...] = field(
        default=DEFAULT_REQUEST_ID_HEADERS,
        converter=as_tuple,
        validator=each(str, "names of headers"),
    )
    ignore: frozenset[int] = field(
        default=frozenset(), converter=as_statuses, validator=statuses(400)
    )
    max_body: int = field(default=262_144, validator=at_least(0, "bytes"))
    read_timeout: Seconds = field(default=1.0, validator=positive())

    def __attrs_post_init__(self) -> None:
        if any(each not in BUILT_IN_NAMES for each in (*self.parsers, *self.success_parsers)):
            return  # whose envelopes may have any format
        problems = [
            unknown_format(f"ErrorPolicy.{where}", name)
            for where in ("throttling_codes", "quota_codes")
            for name in getattr(self, where)
            if name not in FORMAT_NAMES
        ]
        if problems:
            raise ConfigError.of_all(problems)
