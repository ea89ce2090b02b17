"""Give codes to the errors of servers that send none.

A server that says "Bad Request" to everything still says what is wrong, in words. A rule
turns status and words into a code that a program can rely on. A slot that somebody else took
between looking and booking, say, is a 400 like any other but for its words:

    policy = Policy(errors=ErrorPolicy(code_rules=[
        CodeRule("slot_unavailable", status=400, message="no longer available"),
    ]))

    try:
        await session.post("/v4/booking", json=booking)
    except resilient.APIError as error:
        if error.code != "slot_unavailable":
            raise
        ...  # look again, and book another
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import check, optional

if TYPE_CHECKING:
    from resilient.envelopes.envelope import Envelope

__all__ = ["CodeRule", "apply_code_rules"]

# A message is as long as the server likes, and a pattern may take quadratic time over it.
_SEARCHED = 4096

_is_code = check("a text that is not blank", lambda it: isinstance(it, str) and bool(it.strip()))
_is_status = check("a status from 100 to 999", lambda it: type(it) is int and 100 <= it <= 999)
_is_message = check("a regular expression", lambda it: isinstance(it, str) and it != "")


@frozen
class CodeRule:
    """A code for the errors of a status, a message, or both.

    Attributes:
        code: The code to give.
        status: The status of the response; None, the default, for any.
        message: A regular expression to search the message for, whatever the case; None,
            the default, for any message. Only the first 4096 characters are searched.

    Raises:
        ConfigError: Neither a status nor a message is given, or a value makes no sense.
    """

    code: str = field(validator=_is_code)
    status: int | None = field(default=None, validator=optional(_is_status))
    message: str | None = field(default=None, validator=optional(_is_message))
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, eq=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.message is None:
            if self.status is None:
                raise ConfigError(f"CodeRule {self.code!r} needs a status, a message, or both")
            return
        try:
            pattern = re.compile(self.message, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            allowed = f"a regular expression ({error})"
            raise ConfigError.of("CodeRule.message", self.message, allowed) from error
        object.__setattr__(self, "_pattern", pattern)

    def matches(self, status: int, message: str | None) -> bool:
        """Tell whether this rule gives the code of such an error."""
        if self.status is not None and self.status != status:
            return False
        if self._pattern is None:
            return True
        return message is not None and self._pattern.search(message, 0, _SEARCHED) is not None


def apply_code_rules(envelope: Envelope, status: int, rules: Iterable[CodeRule]) -> Envelope:
    """Return the envelope with the code of the first rule that matches, or as it is."""
    for rule in rules:
        if rule.matches(status, envelope.message):
            return evolve(envelope, code=rule.code)
    return envelope
