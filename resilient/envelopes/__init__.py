"""Error bodies: a parser for each format, and one envelope for what they say."""

from resilient.envelopes.chain import parse_error
from resilient.envelopes.codes import CodeRule, refine
from resilient.envelopes.document import ErrorBody, json_object
from resilient.envelopes.envelope import Envelope, EnvelopeParser
from resilient.envelopes.fields import field_errors
from resilient.envelopes.flat import parse_flat
from resilient.envelopes.headers import DEFAULT_REQUEST_ID_HEADERS
from resilient.envelopes.leniency import slug, text
from resilient.envelopes.nested import parse_nested
from resilient.envelopes.problem import parse_problem
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser

__all__ = [
    "DEFAULT_PARSERS",
    "DEFAULT_REQUEST_ID_HEADERS",
    "CodeRule",
    "Envelope",
    "EnvelopeParser",
    "ErrorBody",
    "field_errors",
    "json_object",
    "parse_error",
    "parse_flat",
    "parse_nested",
    "parse_problem",
    "refine",
    "resolve_parser",
    "slug",
    "text",
]
