"""What follows from a failed first attempt: asked of the decision that Retry asks."""

from __future__ import annotations

from attrs import evolve, field, frozen
from yarl import URL

from resilient.core.outcome import IDEMPOTENT_METHODS, is_permanent, is_stale
from resilient.envelopes.chain import parse_error
from resilient.errors import error_class, public_request_info
from resilient.pipeline.policy import Policy
from resilient.retry import RetryPolicy
from resilient.retry.decision import Facts, decide
from resilient.support.redact import public_url

__all__ = ["Hop", "Verdict"]


@frozen
class Verdict:
    """Whether a failure leads to another attempt, and why or why not."""

    is_repeated: bool
    reason: str


_NO_RETRY = Verdict(is_repeated=False, reason="the policy has no retry")


@frozen
class Hop:
    """A request under a policy.

    Attributes:
        policy: The policy of its service.
        url: Where it goes.
        method: Its method.
        no_wait: Why there is no wait before another attempt, and so no such attempt; or None.
    """

    policy: Policy
    url: URL = field(converter=public_url)
    method: str
    no_wait: str | None = None

    def is_raised(self, status: int) -> bool:
        """Whether a response of a status is read, and raised as an error with a code."""
        errors = self.policy.errors
        if errors is None or self.is_handshake:
            return False
        return status >= 400 and status not in errors.ignore

    @property
    def is_handshake(self) -> bool:
        """Whether it opens a WebSocket, of whose responses nothing is made."""
        return self.url.scheme in ("ws", "wss")

    def after_status(self, status: int, code: str | None = None) -> Verdict:
        """What follows from a response; without a code, from one that has no body."""
        retry = self.policy.retry
        if retry is None:
            return _NO_RETRY
        by_rule = ""
        if not self.is_raised(status):
            # All that Retry knows of a response is its status.
            code, nothing = None, frozenset[str]()
            retry = evolve(retry, codes=nothing, fatal_codes=nothing, exceptions=())
        elif code is None:
            code = self._code_by_rule(status)
            by_rule = f"by a rule it is {code}, "
        info = public_request_info(self.url, self.method)
        error = error_class(status)(info, status=status, code=code)
        if code in retry.fatal_codes:
            because = f"{by_rule}in retry.fatal_codes"
        elif status in retry.statuses:
            because = "in retry.statuses"
        elif code in retry.codes:
            because = f"{by_rule}in retry.codes"
        elif isinstance(error, retry.exceptions):
            because = "covered by retry.exceptions"
        else:
            because = "not in retry.statuses"
        return self._ask(retry, error, because)

    def after_error(self, error: Exception, *, never_sent: bool = False) -> Verdict:
        """What follows from an exception, of which nothing may have been sent."""
        retry = self.policy.retry
        if retry is None:
            if is_stale(error) and self.method in IDEMPOTENT_METHODS:
                return Verdict(True, f"aiohttp itself sends a {self.method} once more, at once")
            return _NO_RETRY
        because = ""
        if isinstance(error, retry.exceptions):
            because = "covered by retry.exceptions"
        elif is_permanent(error):
            because = "connecting again cannot mend it"
        return self._ask(retry, error, because, never_sent=never_sent)

    def _code_by_rule(self, status: int) -> str | None:
        """The code that the rules of the policy give to a bare status."""
        errors = self.policy.errors
        assert errors is not None, "it is raised"
        said = parse_error(status, {}, b"", parsers=errors.parsers, code_rules=errors.code_rules)
        return said.code

    def _ask(
        self, retry: RetryPolicy, error: Exception, because: str, *, never_sent: bool = False
    ) -> Verdict:
        is_idempotent = self.method in IDEMPOTENT_METHODS & retry.methods
        facts = Facts(
            outcome=error,
            method=self.method,
            number=1,
            max_attempts=retry.max_attempts,
            never_sent=never_sent,
            keyed=retry.idempotency_header is not None and not is_idempotent,
        )
        answer = decide(retry, facts)
        if answer.repeat and self.no_wait is None:
            return Verdict(True, "; ".join(filter(None, (because, _leave(retry, facts)))))
        obstacle: str | None = None
        if answer.repeat:
            obstacle = self.no_wait
        elif answer.refused and retry.max_attempts == 1:
            obstacle = "no attempt is left of 1"
        elif answer.refused:
            obstacle = f"the {self.method} may have been carried out"
        return Verdict(False, ", but ".join(filter(None, (because, obstacle))))


def _leave(retry: RetryPolicy, facts: Facts) -> str:
    """Why it may be carried out again."""
    if facts.never_sent:
        return "nothing was sent"
    if facts.method in retry.methods:
        return f"{facts.method} is in retry.methods"
    if facts.keyed:
        return f"{retry.idempotency_header} lets the server tell a repetition"
    return "the server did not carry it out"
