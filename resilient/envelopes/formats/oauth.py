"""Read the errors of OAuth 2.0 and OpenID Connect: {"error", "error_description", "error_uri"}.

RFC 6749, section 5.2, where `error` is always a code; and section 3 of RFC 6750, by which a
resource says the same in a header: WWW-Authenticate: Bearer error="invalid_token".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from resilient.envelopes.envelope import EMPTY_ENVELOPE, Envelope
from resilient.envelopes.general import envelope_of
from resilient.envelopes.reading import Members, as_code, is_token, string

__all__ = ["read_challenge", "read_oauth"]

# auth-param, RFC 9110 11.2: a token or a quoted string.
_PARAMETER: Final = (
    r"(?i)(?:^|[\s,])(error(?:_description|_uri)?)\s*=\s*"
    r'(?:"((?:[^"\\]|\\.){0,2000})"|([^\s,"]{1,200}))'
)
_MOST: Final = 8_192


def read_oauth(status: int, headers: Mapping[str, str], document: Members) -> Envelope | None:
    """Read an error with a description; declines where `error` is no code."""
    code = as_code(document.get("error"))
    if code is None or " " in code.strip() or string(document.get("errordescription")) is None:
        return None
    return envelope_of(
        [document], status, message=string(document.get("errordescription")), code=code
    )


def read_challenge(status: int, headers: Mapping[str, str], document: object) -> Envelope | None:
    """Read the parameters of WWW-Authenticate that say what is wrong, whatever the body."""
    challenge = string(headers.get("WWW-Authenticate"))
    if challenge is None:
        return None
    found: dict[str, str] = {}
    for match in re.finditer(_PARAMETER, challenge[:_MOST]):
        name, quoted, token = match.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        found.setdefault(name.lower(), value)
    code = found.get("error")
    envelope = Envelope(
        found.get("error_description"),
        code if code and (is_token(code) or " " not in code) else None,
        docs=found.get("error_uri"),
    )
    return envelope if envelope != EMPTY_ENVELOPE else None
