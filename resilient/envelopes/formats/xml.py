"""Read errors in XML: those of S3 and of AWS's query APIs, Azure Storage, and others by names.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: <Error><Code/><Message/>
<RequestId/></Error>; the query protocol has <ErrorResponse><Error>...</Error><RequestId/>
</ErrorResponse>, EC2 <Response><Errors><Error>. RFC 9457 has a form in XML too (appendix B).
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import SPEAKING, chain_of, envelope_of
from resilient.envelopes.reading import Members, members, string

__all__ = ["read_xml"]


def _xmlrpc(document: Members) -> Envelope | None:
    """Read the fault of XML-RPC (http://xmlrpc.com/spec.md): a struct of two members."""
    value = members(members(members(document.get("methodresponse")).get("fault")).get("value"))
    listed = members(value.get("struct")).get("member")
    found: dict[str, str | None] = {}
    for each in listed[:10] if isinstance(listed, list) else ():
        held = members(each).get("value")
        said = held if isinstance(held, str) else next(iter(members(held).values()), None)
        found[str(members(each).get("name"))] = string(said)
    if "faultString" not in found:
        return None
    return Envelope(found["faultString"], found.get("faultCode"))


def read_xml(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read an element with a message or a code; declines any other document."""
    if (fault := _xmlrpc(document)) is not None:
        return fault
    chain = chain_of(document)
    root = next(iter(document.raw.values()), None)
    if len(chain) == 1 and (inner := members(root)):
        chain = [inner]
    if isinstance(root, str):
        # WCF: <string>text</string>
        return Envelope(root) if string(root) else None
    envelope = envelope_of(chain, status)
    if envelope.message is None and envelope.code is None:
        return None
    return None if SPEAKING.isdisjoint(chain[0]) and envelope.code is None else envelope
