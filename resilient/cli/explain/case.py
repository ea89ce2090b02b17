"""A request under a policy: what follows if its first attempt fails.

The decision is asked that Retry asks, so that there is one truth.
"""

from __future__ import annotations

from attrs import evolve, field, frozen
from multidict import CIMultiDict
from yarl import URL

from resilient.cli.explain.effects import NO_EFFECTS, Effects, effects_of, is_paced
from resilient.core.outcome import IDEMPOTENT_METHODS, Outcome
from resilient.envelopes.chain import parse_error
from resilient.errors import error_class, public_request_info
from resilient.pipeline.policy import Policy
from resilient.reasons import Reason
from resilient.retry.decision import Facts, decide
from resilient.retry.policy import RetryPolicy
from resilient.support.redact import public_url
from resilient.wire.requests import is_stale

__all__ = ["Case", "FollowUp"]


@frozen
class FollowUp:
    """The consequence of a failure: another attempt or none, and the reason.

    Attributes:
        is_repeated: True if there is another attempt.
        code: Why, or why not, for a program; None where the policy has no retry.
        reason: The same in words.
        effects: What the failure does to others.
    """

    is_repeated: bool
    code: Reason | None
    reason: str
    effects: Effects = NO_EFFECTS


_NO_RETRY = FollowUp(is_repeated=False, code=None, reason="the policy has no retry")


class _Session:
    """A session that is open, for who asks that of a request."""

    closed = False


# Why an outcome is worth another attempt, or not.
_WORTH = {
    Reason.STATUS: "in retry.statuses",
    Reason.THROTTLED: "in retry.statuses",
    Reason.CODE: "in retry.codes",
    Reason.EXCEPTION: "covered by retry.exceptions",
    Reason.FATAL_CODE: "in retry.fatal_codes",
    Reason.PERMANENT: "connecting again cannot mend it",
}


@frozen
class Case:
    """A request under a policy.

    Attributes:
        policy: The policy of its service.
        url: Its URL.
        method: Its method.
        no_wait: Why there is no wait before another attempt, and so no such attempt; or None.
    """

    policy: Policy
    url: URL = field(converter=public_url)
    method: str
    no_wait: str | None = None

    # As a request has them.
    session = _Session()
    headers = CIMultiDict[str]()

    def is_raised(self, status: int) -> bool:
        """Return whether a response of a status is read, and raised as an error with a code."""
        errors = self.policy.errors
        if errors is None or self.is_handshake:
            return False
        return status >= 400 and status not in errors.ignore

    @property
    def is_handshake(self) -> bool:
        """True if it opens a WebSocket, of whose responses no errors are made."""
        return self.url.scheme in ("ws", "wss")

    def after_status(
        self, status: int, code: str | None = None, *, throttled: bool | None = None
    ) -> FollowUp:
        """Return what follows a response.

        Args:
            status: Its status.
            code: The code of the error; None for a response that has no body.
            throttled: Whether that code means "too many requests" in its format; by default the
                status tells.
        """
        retry = self.policy.retry
        by_rule = ""
        if not self.is_raised(status):
            # All that Retry knows of a response is its status.
            code, nothing = None, frozenset[str]()
            if retry is not None:
                retry = evolve(retry, codes=nothing, fatal_codes=nothing, exceptions=())
        elif code is None:
            code = self._code_by_rule(status)
            by_rule = f"by a rule it is {code}, "
        info = public_request_info(self.url, self.method)
        error = error_class(status)(info, status=status, code=code, throttled=throttled)
        return self._ask(retry, error, by_rule=by_rule, otherwise="not in retry.statuses")

    def after_error(self, error: Exception, *, never_sent: bool = False) -> FollowUp:
        """Return what follows an exception, of which nothing may have been sent."""
        retry = self.policy.retry
        found = self._ask(retry, error, never_sent=never_sent)
        if retry is None and is_stale(error) and self.method in IDEMPOTENT_METHODS:
            reason = f"aiohttp itself sends a {self.method} once more, at once"
            return FollowUp(True, Reason.STALE_CONNECTION, reason, found.effects)
        return found

    def after_stale_connection(self, error: Exception) -> FollowUp:
        """Return what follows if a pooled connection breaks that the server had closed."""
        return self._ask(self.policy.retry, error, stale=True)

    def _code_by_rule(self, status: int) -> str | None:
        """Return the code that the rules of the policy give to a bare status."""
        errors = self.policy.errors
        assert errors is not None, "it is raised"
        envelope = parse_error(
            status, {}, b"", parsers=errors.parsers, code_rules=errors.code_rules
        )
        return envelope.code

    def _ask(
        self,
        retry: RetryPolicy | None,
        error: Exception,
        *,
        never_sent: bool = False,
        stale: bool = False,
        by_rule: str = "",
        otherwise: str = "",
    ) -> FollowUp:
        outcome = Outcome.supposed(self, error, never_sent=never_sent, stale=stale)
        found = (
            _NO_RETRY
            if retry is None
            else self._decided(retry, outcome, by_rule=by_rule, otherwise=otherwise)
        )
        effects = effects_of(
            self.policy,
            outcome,
            is_repeated=found.is_repeated,
            at_once=found.code is Reason.STALE_CONNECTION,
        )
        return evolve(found, effects=effects)

    def _decided(
        self, retry: RetryPolicy, outcome: Outcome, *, by_rule: str, otherwise: str
    ) -> FollowUp:
        is_idempotent = self.method in IDEMPOTENT_METHODS & retry.methods
        facts = Facts(
            outcome=outcome,
            method=self.method,
            number=1,
            max_attempts=retry.max_attempts,
            keyed=retry.idempotency_header is not None and not is_idempotent,
        )
        decision = decide(retry, facts)
        because = _WORTH.get(decision.worth, otherwise)
        if decision.worth in (Reason.CODE, Reason.FATAL_CODE):
            because = by_rule + because
        if decision.resend:
            return FollowUp(True, decision.code, decision.leave)
        if decision.repeat and (self.no_wait is None or is_paced(self.policy, outcome)):
            return FollowUp(True, decision.code, _joined("; ", because, decision.leave))
        code, obstacle = decision.code, ""
        if decision.repeat:
            code, obstacle = Reason.BACKOFF_ENDED, self.no_wait or ""
        elif code is Reason.ATTEMPTS:
            obstacle = decision.words
        elif code is Reason.NOT_IDEMPOTENT:
            obstacle = f"the {self.method} may have been carried out"
        return FollowUp(False, code, _joined(", but ", because, obstacle))


def _joined(separator: str, *parts: str) -> str:
    return separator.join(filter(None, parts))
