"""Error bodies: a parser for each format, and one envelope for what they say.

What a name stands for is imported when it is first used: where no error comes, no body is
read.
"""

from typing import TYPE_CHECKING

from resilient.lazy import lazy_names

if TYPE_CHECKING:
    from resilient.envelopes.chain import parse_error as parse_error
    from resilient.envelopes.codes import (
        CodeRule as CodeRule,
        refine as refine,
    )
    from resilient.envelopes.document import (
        ErrorBody as ErrorBody,
        json_object as json_object,
    )
    from resilient.envelopes.envelope import Envelope as Envelope
    from resilient.envelopes.fields import field_errors as field_errors
    from resilient.envelopes.flat import parse_flat as parse_flat
    from resilient.envelopes.leniency import (
        slug as slug,
        text as text,
    )
    from resilient.envelopes.nested import parse_nested as parse_nested
    from resilient.envelopes.parser import EnvelopeParser as EnvelopeParser
    from resilient.envelopes.policy import (
        DEFAULT_REQUEST_ID_HEADERS as DEFAULT_REQUEST_ID_HEADERS,
    )
    from resilient.envelopes.problem import parse_problem as parse_problem
    from resilient.envelopes.resolve import (
        DEFAULT_PARSERS as DEFAULT_PARSERS,
        resolve_parser as resolve_parser,
    )

_HOMES = {
    "CodeRule": "resilient.envelopes.codes",
    "DEFAULT_PARSERS": "resilient.envelopes.resolve",
    "DEFAULT_REQUEST_ID_HEADERS": "resilient.envelopes.policy",
    "Envelope": "resilient.envelopes.envelope",
    "EnvelopeParser": "resilient.envelopes.parser",
    "ErrorBody": "resilient.envelopes.document",
    "field_errors": "resilient.envelopes.fields",
    "json_object": "resilient.envelopes.document",
    "parse_error": "resilient.envelopes.chain",
    "parse_flat": "resilient.envelopes.flat",
    "parse_nested": "resilient.envelopes.nested",
    "parse_problem": "resilient.envelopes.problem",
    "refine": "resilient.envelopes.codes",
    "resolve_parser": "resilient.envelopes.resolve",
    "slug": "resilient.envelopes.leniency",
    "text": "resilient.envelopes.leniency",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
