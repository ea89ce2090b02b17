"""Read the errors of AWS in JSON: {"__type": "namespace#Code", "message"}.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html and aws-restjson1: the code is
in the body as `__type` or `code`, or in the header X-Amzn-Errortype, with a namespace before
it and an address behind it, both of which are to be left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import chain_of, envelope_of
from resilient.envelopes.reading import Members, string

__all__ = ["aws_code", "read_aws"]


def read_aws(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a body with a `__type`, or one that the header X-Amzn-Errortype comes with."""
    code = aws_code(document.raw.get("__type")) or aws_code(headers.get("X-Amzn-Errortype"))
    if code is None:
        return None
    return envelope_of(chain_of(document), status, code=code)


def aws_code(given: object) -> str | None:
    """Return a code without its namespace and its address."""
    code = (string(given) or "").partition(":")[0].rpartition("#")[2]
    return string(code.strip())
