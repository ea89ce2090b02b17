"""Read the faults of SOAP 1.1 and 1.2.

https://www.w3.org/TR/2000/NOTE-SOAP-20000508/#_Toc478383507: <Fault><faultcode/><faultstring/>
<detail/></Fault>; https://www.w3.org/TR/soap12-part1/#soapfault: <Fault><Code><Value/>
<Subcode><Value/></Subcode></Code><Reason><Text/></Reason><Detail/></Fault>. A code of the
application's (in the detail, or a subcode) says more than SOAP's own, which only says whose
fault it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from resilient.envelopes.envelope import Envelope
from resilient.envelopes.general import chain_of, code_of, envelope_of, message_of
from resilient.envelopes.reading import NOTHING, Members, as_code, is_sentence, members, string

__all__ = ["read_soap"]


def read_soap(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read a fault in the body of an envelope."""
    body = members(members(document.get("envelope")).get("body"))
    fault = members(body.get("fault"))
    if not fault:
        return None
    code = members(fault.get("code"))
    subcode = members(code.get("subcode"))
    detail = members(fault.get("detail"))
    told = _told(detail)
    words = (
        code_of([told, NOTHING], status),
        _local(subcode.get("value")),
        _local(fault.get("faultcode")),
        _local(code.get("value")),
    )
    reason = members(fault.get("reason")).get("text") or fault.get("faultstring")
    if isinstance(reason, list):
        reason = reason[0]
    said = string(reason) or string(members(reason).get("#text"))
    if said is None or not is_sentence(said):
        said = message_of([told]) or said
    return envelope_of([told], status, message=said, code=next(filter(None, words), None))


def _told(detail: Members) -> Members:
    """Return the innermost object of a detail that says something."""
    return chain_of(detail)[0] if detail else NOTHING


def _local(name: object) -> str | None:
    """Return a qualified name without its prefix: "soap:Client" is "Client"."""
    if isinstance(name, dict):
        name = name.get("#text")
    found = (string(name) or "").strip().rpartition(":")[2]
    return as_code(found) or string(found)
