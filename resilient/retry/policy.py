"""Configure what is tried again, how often, and after how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import ClientRequest, ClientResponse
from attrs import field, frozen

from resilient.core.outcome import IDEMPOTENT_METHODS
from resilient.core.statuses import RETRY_STATUSES
from resilient.errors import ConfigError
from resilient.retry.budget import BudgetPolicy
from resilient.retry.schedule import Backoff
from resilient.support.validation import (
    Seconds,
    as_set,
    as_statuses,
    as_tuple,
    at_least,
    check,
    each,
    instance,
    optional,
    plain_function,
    statuses,
)

__all__ = ["Judge", "RetryPolicy"]

Judge = Callable[[ClientRequest, ClientResponse | Exception], bool | None]


def _methods(value: Iterable[str]) -> frozenset[str]:
    methods: Any = as_set(value)
    if not isinstance(methods, frozenset):
        return methods  # type: ignore[no-any-return]  # for the validator to name
    return frozenset(each.upper() if isinstance(each, str) else each for each in methods)


def _classes(value: type[Exception] | Iterable[type[Exception]]) -> tuple[type[Exception], ...]:
    return (value,) if isinstance(value, type) else as_tuple(value)


@frozen(kw_only=True)
class RetryPolicy:
    """The configuration of `Retry`. Durations are seconds.

    Attributes:
        max_attempts: Calls of the inner handler per hop, the first included; by default 3.
        statuses: Those that are worth another attempt, numbers or ranges such as "500-504"; by
            default 408, 425, 429, and every 5xx but 501, 505 to 508, 510 and 511, which no wait
            mends. An error with a code that means the same (`ErrorPolicy.throttling_codes`)
            counts as 429.
        methods: Those that may be repeated even if the request may have been carried out; by
            default the idempotent ones of RFC 9110: DELETE, GET, HEAD, OPTIONS, PUT, TRACE.
            After a status of 429 or 425, and when nothing was sent, any method may.
        exceptions: Exceptions to repeat besides those of the transport; by default none.
        codes: Error codes (of a normalised error) to repeat, whatever the status; by default
            none.
        fatal_codes: Error codes not to repeat, whatever the status; by default none.
        backoff: The waits; by default those of `Backoff()`.
        max_retry_after: The longest that a server may ask to wait; asked for more, the call
            fails at once with the server's own error. By default 60.
        budget: How many retries may fail, for each destination; by default `BudgetPolicy()`.
            None for no such limit.
        judge: Called with the request and its response or exception; True repeats, False does
            not, None leaves it to the rest of the policy. By default None.
        heed_should_retry: True to let the server's `x-should-retry: true | false`, or Stripe's
            header of that kind, say what is worth another attempt; by default True. It makes no
            request repeatable that may have been carried out.
        idempotency_header: Header in which to send a key, the same for every attempt of a
            call, so that the server can tell a repetition: "Idempotency-Key" as a rule. Sent
            with requests that may not be repeated without: their method is not idempotent,
            or not among `methods`. By default None, for none.
        read_body_up_to: Bytes. A body whose declared length is no more than that is read within
            the attempt, so that one which is cut short or stalls is repeated too. By default
            None: bodies are left to the caller. The bytes are counted as they come out of a
            decoder: of a body that was declared shorter and inflates to more, the rest is left
            to its reader. Before 3.14 aiohttp inflates all that arrives before anybody reads,
            so that there memory is bounded only by what the server sends.
    """

    max_attempts: int = field(default=3, validator=at_least(1))
    statuses: frozenset[int] = field(
        default=RETRY_STATUSES, converter=as_statuses, validator=statuses(200)
    )
    methods: frozenset[str] = field(
        default=IDEMPOTENT_METHODS, converter=_methods, validator=each(str, "a set of methods")
    )
    exceptions: tuple[type[Exception], ...] = field(
        default=(),
        converter=_classes,
        validator=check(
            "exception classes (of Exception: cancellation is never repeated)",
            lambda value: (
                isinstance(value, tuple)
                and all(isinstance(kind, type) and issubclass(kind, Exception) for kind in value)
            ),
        ),
    )
    codes: frozenset[str] = field(
        default=frozenset(), converter=as_set, validator=each(str, "a set of error codes")
    )
    fatal_codes: frozenset[str] = field(
        default=frozenset(), converter=as_set, validator=each(str, "a set of error codes")
    )
    backoff: Backoff = field(factory=Backoff, validator=instance(Backoff, "a Backoff"))
    max_retry_after: Seconds = field(default=60.0, validator=at_least(0.0, "seconds"))
    budget: BudgetPolicy | None = field(
        factory=BudgetPolicy, validator=optional(instance(BudgetPolicy, "a BudgetPolicy"))
    )
    judge: Judge | None = field(
        default=None,
        validator=optional(plain_function("of a request and its outcome")),
    )
    heed_should_retry: bool = field(default=True, validator=instance(bool, "True or False"))
    idempotency_header: str | None = field(
        default=None,
        validator=optional(
            check(
                "the name of a header",
                lambda value: (
                    isinstance(value, str)
                    and value != ""
                    and value.isascii()
                    and value.replace("-", "").replace("_", "").isalnum()
                ),
            )
        ),
    )
    read_body_up_to: int | None = field(default=None, validator=optional(at_least(0, "bytes")))

    def __attrs_post_init__(self) -> None:
        if both := self.codes & self.fatal_codes:
            raise ConfigError.of("RetryPolicy.fatal_codes", sorted(both), "apart from codes")
