"""Read error bodies: a parser for each format, one envelope for all, and typed errors."""

from resilient.envelopes.chain import parse_error
from resilient.envelopes.codes import CodeRule, apply_code_rules
from resilient.envelopes.content import ErrorBody, json_object
from resilient.envelopes.envelope import Envelope, EnvelopeParser
from resilient.envelopes.fields import field_errors
from resilient.envelopes.formats.table import (
    FORMATS,
    Format,
    parse_any,
    parse_flat,
    parse_nested,
    parse_problem,
)
from resilient.envelopes.middleware import NormalizeErrors
from resilient.envelopes.policy import DEFAULT_REQUEST_ID_HEADERS, ErrorPolicy
from resilient.envelopes.reading import slug, text
from resilient.envelopes.resolve import DEFAULT_PARSERS, resolve_parser
from resilient.envelopes.throttling import QUOTA_CODES, THROTTLING_CODES, KnownCodes

__all__ = [
    "DEFAULT_PARSERS",
    "DEFAULT_REQUEST_ID_HEADERS",
    "FORMATS",
    "QUOTA_CODES",
    "THROTTLING_CODES",
    "CodeRule",
    "Envelope",
    "EnvelopeParser",
    "ErrorBody",
    "ErrorPolicy",
    "Format",
    "KnownCodes",
    "NormalizeErrors",
    "apply_code_rules",
    "field_errors",
    "json_object",
    "parse_any",
    "parse_error",
    "parse_flat",
    "parse_nested",
    "parse_problem",
    "resolve_parser",
    "slug",
    "text",
]
