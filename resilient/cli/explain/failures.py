"""Which failures of a request would be repeated: asked of the decision that Retry asks."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
from attrs import frozen
from yarl import URL

from resilient.composition import Policy
from resilient.envelopes.policy import ErrorPolicy
from resilient.errors import (
    AttemptTimeoutError,
    CircuitOpenError,
    error_class,
    public_request_info,
)
from resilient.outcome import IDEMPOTENT_METHODS
from resilient.redact import public_url
from resilient.retry import RetryPolicy
from resilient.retry.decision import Answer, Facts, decide

__all__ = ["Failure", "failures"]

# Those that people ask about, besides those of the policy.
_STATUSES = frozenset({400, 401, 403, 404, 406, 409, 422, 425, 429, 500, 501, 502, 503, 504})


@frozen
class Failure:
    """A way to fail, and whether it leads to another attempt."""

    what: str
    is_repeated: bool
    reason: str


def failures(policy: Policy, url: URL, method: str) -> tuple[Failure, ...]:
    """How a request may fail, and what follows from the first such failure."""
    retry = policy.retry
    if retry is None:
        return ()
    asked = _Asked(retry, public_url(url), method)
    rows = [
        *(asked.status(status) for status in sorted(_STATUSES | retry.statuses)),
        *(asked.code(code, status) for code, status in _codes(retry, policy.errors)),
        asked.transport(
            "no connection could be made", aiohttp.ClientConnectionError(), never_sent=True
        ),
        asked.transport(
            "the connection broke while the answer was awaited", aiohttp.ServerDisconnectedError()
        ),
    ]
    if policy.attempt_timeout is not None:
        rows.append(
            asked.transport(
                f"no answer within {policy.attempt_timeout:g} s",
                AttemptTimeoutError(policy.attempt_timeout),
            )
        )
    if policy.breaker is not None:
        rows.append(asked.transport("the circuit is open", CircuitOpenError("", None)))
    return tuple(_merged(rows))


def _codes(retry: RetryPolicy, errors: ErrorPolicy | None) -> Iterator[tuple[str, int | None]]:
    """The error codes that the policy speaks of, and their statuses where it says."""
    statuses = {rule.code: rule.status for rule in errors.code_rules} if errors else {}
    for code in dict.fromkeys((*statuses, *sorted(retry.codes), *sorted(retry.fatal_codes))):
        yield code, statuses.get(code)


@frozen
class _Asked:
    """Asks what follows from a first attempt."""

    retry: RetryPolicy
    url: URL
    method: str

    def status(self, status: int) -> Failure:
        failure = self._failure(status, None)
        listed = status in self.retry.statuses
        return self._answer(
            str(status), failure, "in retry.statuses" if listed else "not in retry.statuses"
        )

    def code(self, code: str, status: int | None) -> Failure:
        listed = next(
            (name for name in ("fatal_codes", "codes") if code in getattr(self.retry, name)), None
        )
        because = f"in retry.{listed}" if listed else f"by its status {status}"
        # Without a status of its own, one that decides nothing.
        error = self._failure(status or 418, code)
        what = f"code {code} with " + (f"status {status}" if status else "any other status")
        return self._answer(what, error, because)

    def transport(self, what: str, error: Exception, *, never_sent: bool = False) -> Failure:
        because = "it can only be refused again" if isinstance(error, CircuitOpenError) else ""
        return self._answer(what, error, because, never_sent=never_sent)

    def _failure(self, status: int, code: str | None) -> Exception:
        info = public_request_info(self.url, self.method)
        return error_class(status)(info, status=status, code=code)

    def _answer(
        self, what: str, error: Exception, because: str, *, never_sent: bool = False
    ) -> Failure:
        facts = Facts(
            outcome=error,
            method=self.method,
            number=1,
            max_attempts=self.retry.max_attempts,
            never_sent=never_sent,
            keyed=self._is_keyed,
        )
        answer = decide(self.retry, facts)
        reasons = (because, self._why(answer, facts))
        join = ", but " if answer.refused else "; "
        return Failure(what, answer.repeat, join.join(each for each in reasons if each))

    @property
    def _is_keyed(self) -> bool:
        needs_key = self.method not in IDEMPOTENT_METHODS & self.retry.methods
        return self.retry.idempotency_header is not None and needs_key

    def _why(self, answer: Answer, facts: Facts) -> str:
        """Why it may be repeated, or may not, though it is worth it."""
        if facts.max_attempts == 1:
            return "no attempt is left of 1"
        if answer.refused:
            return f"the {self.method} may have been carried out"
        if not answer.repeat:
            return ""
        if facts.never_sent:
            return "nothing was sent"
        if facts.method in self.retry.methods:
            return f"a {self.method} may be repeated"
        if facts.keyed:
            return f"{self.retry.idempotency_header} lets the server tell a repetition"
        return "the server did not carry it out"


def _merged(rows: list[Failure]) -> Iterator[Failure]:
    """Rows that say the same, as one."""
    merged: dict[tuple[bool, str, bool], list[str]] = {}
    for each in rows:
        key = (each.is_repeated, each.reason, each.what.isdecimal())
        merged.setdefault(key, []).append(each.what)
    for (is_repeated, reason, _), names in merged.items():
        yield Failure(", ".join(names), is_repeated, reason)
