"""Reason codes: why something was done or not, for a program; words for people stand beside them.

Retry gives them to waits and refusals, errors carry one as `stop_code`, events as `code`.
Text with numbers in it is good to read and useless to count, so nobody searches the words.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Reason"]


class Reason(Enum):
    """The reason why a call was repeated, held, refused, or the state of a guard changed."""

    # Another attempt is made because of
    STATUS = "status"  # a status of the policy
    CODE = "code"  # an error code of the policy
    EXCEPTION = "exception"  # an exception of the policy
    THROTTLED = "throttled"  # a 429, or a code that means the same
    TRANSPORT = "transport"  # a connection that failed, or carried no HTTP
    STALE_CONNECTION = "stale_connection"  # a pooled connection that the server had closed
    TIMEOUT = "timeout"  # an attempt that took too long
    JUDGE = "judge"  # the user's hook
    SERVER_HINT = "server_hint"  # x-should-retry

    # No other attempt is made because
    NOT_RETRYABLE = "not_retryable"  # the outcome is not worth one
    FATAL_CODE = "fatal_code"  # an error code of the policy says so
    PERMANENT = "permanent"  # connecting again cannot help
    ATTEMPTS = "attempts"  # all attempts were made
    DEADLINE = "deadline"  # the call's time is over, or a wait does not fit it
    SESSION_TIMEOUT = "session_timeout"  # aiohttp's own total timeout ran out
    SESSION_CLOSED = "session_closed"  # the session was closed
    RETRY_AFTER_TOO_LONG = "retry_after_too_long"  # the server asks to wait for too long
    BUDGET = "budget"  # the retry budget is spent
    BODY = "body"  # the body cannot be sent again
    NOT_IDEMPOTENT = "not_idempotent"  # the request may have been carried out
    BACKOFF_ENDED = "backoff_ended"  # the wait generator gives no more waits
    CIRCUIT_OPEN = "circuit_open"  # a circuit breaker refuses
    CIRCUIT_ISOLATED = "circuit_isolated"  # a circuit was isolated by hand
    GATE_CLOSED = "gate_closed"  # a gate stays closed for too long
    MAX_WAIT = "max_wait"  # too many wait at a gate or a bulkhead
    QUEUE_FULL = "queue_full"  # max_waiting calls wait already
    BULKHEAD_FULL = "bulkhead_full"  # too many calls are under way

    # A guard holds an attempt back because of
    VERDICT = "verdict"  # a probe, whose verdict is awaited
    RECOVERY = "recovery"  # the pace at which traffic is let back in
    GATE = "gate"  # a gate that a 429 closed, or its pace
    LIMIT = "limit"  # a declared limit
    PLACE = "place"  # a bulkhead's limit

    # A gate changed because of
    REFUSED = "refused"  # a 429, or a code that means the same
    USED_UP = "used_up"  # a header that says that nothing remains
    WIDENED = "widened"  # so many classes were refused that it holds the whole key
    QUIET = "quiet"  # nobody has waited for some time
    UNRELATED = "unrelated"  # refusals come at any rate, so that it holds nobody

    # A circuit changed its state because of
    FAILURES = "failures"  # too many failures
    CONSECUTIVE = "consecutive"  # too many failures in a row
    SLOW_CALLS = "slow_calls"  # too many slow calls
    PROBE_FAILED = "probe_failed"
    PROBE_SLOW = "probe_slow"
    PRESUMED_WELL = "presumed_well"  # a probe has not failed in the time that failures took
    TIME_UP = "time_up"  # it was open for as long as it had to be
    PROBES_SUCCEEDED = "probes_succeeded"  # a probe, or enough attempts after it, went well
    BY_HAND = "by_hand"  # isolate() or reset()
