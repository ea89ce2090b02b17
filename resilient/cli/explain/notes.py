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
from resilient.telemetry.facts import attempt_span_name
from resilient.telemetry.templates import Templates
from resilient.throttle.destination import WIDENS_AT, part_of

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
    yield from _about_guards(case)
    if case.is_handshake:
        yield "the answer to a WebSocket's handshake is handed over, whatever its status"
    elif policy.errors is not None and policy.errors.ignore:
        ignored = ", ".join(map(str, sorted(policy.errors.ignore)))
        yield f"{ignored}: handed over as responses, unread; other errors are raised"
    if policy.telemetry is not None and policy.telemetry.attempt_spans:
        template = Templates(policy.telemetry.templates).find(case.url.raw_path)
        name = attempt_span_name(case.method, template)
        within = f', in one named "call {policy.name}"' if policy.telemetry.call_spans else ""
        yield f'each attempt has a span named "{name}"{within}'
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
        yield (
            "charged to the budget is a retry that fails; one that succeeds, is answered 429, or "
            "waits for a gate or an open circuit is free. If nothing is left (it grows by "
            f"{number(retry.budget.min_per_second)} a second at least), the failure comes out"
        )
    if any(each.why is Reason.NOT_IDEMPOTENT for each in failures):
        yield (
            "a request with an Idempotency-Key of its own may be carried out twice, and so may "
            "one under override(idempotent=True)"
        )
    yield "a body that can be read only once is not sent again"


def _about_guards(case: Case) -> Iterator[str]:
    throttle, breaker = case.policy.throttle, case.policy.breaker
    if throttle is not None and throttle.learn:
        key = key_text(throttle.key)
        part = f"every call to the same {key}"
        wider = ""
        if throttle.classes:
            part = f"every {part_of(case).name} at the same {key} with the same Authorization"  # type: ignore[arg-type]  # it has what is asked for
            wider = (
                f"; once {WIDENS_AT} such parts were refused, all calls with that Authorization "
                "are held"
            )
        yield (
            f"a 429 closes a gate for {part}: they wait in order until the time that the server "
            f"asks for is over, and then go on at a rate that is learnt{wider}. Who would be held "
            "for longer than it may (max_wait, max_retry_after, its deadline) is refused at once"
        )
    if breaker is not None and breaker.observe:
        yield "the circuit breaker only observes: it holds and refuses nobody"
    elif breaker is not None:
        waits = (
            f"callers wait for up to {number(breaker.patience)} s for a probe to succeed (once the "
            f"outage is {number(breaker.patience_horizon)} s old they do not) and others are"
            if breaker.patience
            else "callers are"
        )
        yield (
            f"once the circuit is open nothing is sent but probes: {waits} refused at once; then "
            "traffic is let back in at a pace"
        )
    if case.policy.retry is not None and case.policy.retry.max_attempts > 1:
        guarded = [throttle, breaker, case.policy.bulkhead]
        if any(each is not None for each in guarded):
            yield (
                "if a second or later attempt is refused, the server's own error comes out, with "
                "the refusal as its stop_reason"
            )
