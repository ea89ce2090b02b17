"""Say what decides about a request besides the way in which it fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiohttp import ServerDisconnectedError

from resilient.cli.explain.case import Case
from resilient.cli.explain.failures import Failure
from resilient.cli.explain.times import Times
from resilient.cli.plain import number
from resilient.core.keys import key_text
from resilient.reasons import Reason
from resilient.retry import RetryPolicy

__all__ = ["notes"]

# As one fails that the server had closed.
_STALE: Final = ServerDisconnectedError()

# What aiohttp limits a call to if nobody says anything else, in seconds.
_SESSION_TOTAL: Final = 300.0


def notes(case: Case, failures: tuple[Failure, ...], times: Times) -> Iterator[str]:
    """Yield a line for each thing that decides besides the failure."""
    policy = case.policy
    if policy.retry is not None and policy.retry.max_attempts > 1:
        yield from _about_retry(policy.retry, failures, times)
    if policy.retry is not None and case.after_stale_connection(_STALE).is_repeated:
        yield (
            "the first request that a stale pooled connection swallows is sent again at once, "
            "which is no attempt"
        )
    if case.is_handshake:
        yield "the answer to a WebSocket's handshake is handed over, whatever its status"
    elif policy.errors is not None and policy.errors.ignore:
        ignored = ", ".join(map(str, sorted(policy.errors.ignore)))
        yield f"{ignored}: handed over as responses, unread; other errors are raised"
    yield "a redirect is another hop, with attempts of its own, by the policy of its own service"
    if times.worst > _SESSION_TOTAL:
        yield (
            "the session's ClientTimeout may end it sooner: after "
            f"{number(_SESSION_TOTAL)} s in all, if nobody changed it"
        )


def _about_retry(retry: RetryPolicy, failures: tuple[Failure, ...], times: Times) -> Iterator[str]:
    if retry.judge is not None:
        yield "retry.judge is asked first: what it says counts, unless it says None"
    if retry.heed_should_retry:
        yield (
            "x-should-retry, true or false, in the server's answer counts before the table; it "
            "makes no request repeatable that may have been carried out"
        )
    yield (
        f"Retry-After is obeyed up to {number(retry.max_retry_after)} s; a wait that is longer, "
        "or does not fit the time left, is not begun: the error comes out at once"
    )
    if times.waits is not None and times.waits.ends is not None:
        yield f"{times.waits.ends}: nothing is repeated after that"
    if retry.budget is not None:
        budget = retry.budget
        yield (
            f"a budget for each {key_text(budget.key)}: {number(budget.capacity)} retries that "
            f"fail, then one for every {number(1 / budget.ratio)} attempts that succeed, or "
            f"{number(budget.min_per_second)} a second; retries that succeed cost nothing"
        )
    if any(each.why is Reason.NOT_IDEMPOTENT for each in failures):
        yield (
            "a request with an Idempotency-Key of its own may be carried out twice, and so may "
            "one under override(idempotent=True)"
        )
    yield "a body that can be read only once is not sent again"
