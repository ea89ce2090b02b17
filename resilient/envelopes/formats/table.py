"""List the built-in formats of error bodies, in the order in which they are asked.

`problem` comes first because it alone goes by the media type: a declared problem with an
`errors` member would be taken by `flat`, one with an `error` member by `nested`. Of documents
that declare nothing it takes only those with neither `message`, `statusCode` nor `error`, so
it takes nothing away from the two others. `nested` and `flat` differ by whether `error` is an
object.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.formats.flat import parse_flat
from resilient.envelopes.formats.nested import parse_nested
from resilient.envelopes.formats.problem import parse_problem

__all__ = ["FORMATS", "Format"]


class Format(NamedTuple):
    """A format of error bodies.

    Attributes:
        name: The name by which a policy asks for it.
        parse: Reads a body in it, or declines.
        shape: What such a body looks like, in one line.
    """

    name: str
    parse: EnvelopeParser
    shape: str


FORMATS: Final = (
    Format("problem", parse_problem, '{"title", "detail", "type"}: RFC 9457, FastAPI'),
    Format("nested", parse_nested, '{"error": {"message", "code"}}: Mavio, Google, OpenAI'),
    Format("flat", parse_flat, '{"message", "error", "errors"}: meetergo, NestJS, Laravel'),
)
