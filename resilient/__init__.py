"""Composable aiohttp client middlewares that make calls to other people's APIs survive.

What a name stands for is imported when the name is first used. (And for pytest, which may find
the package imported before it loads its plugin: PYTEST_DONT_REWRITE.)
"""

from typing import TYPE_CHECKING

from resilient.lazy import lazy_names

if TYPE_CHECKING:
    from resilient.breaker import (
        BreakerPolicy as BreakerPolicy,
        Circuit as Circuit,
        CircuitBreaker as CircuitBreaker,
    )
    from resilient.call import (
        attempts_of as attempts_of,
        override as override,
    )
    from resilient.composition import (
        Pipeline as Pipeline,
        PipelineWarning as PipelineWarning,
        Policy as Policy,
    )
    from resilient.envelopes import (
        CodeRule as CodeRule,
        Envelope as Envelope,
        EnvelopeParser as EnvelopeParser,
        parse_error as parse_error,
    )
    from resilient.envelopes.middleware import NormalizeErrors as NormalizeErrors
    from resilient.envelopes.policy import ErrorPolicy as ErrorPolicy
    from resilient.errors import (
        APIError as APIError,
        AttemptTimeoutError as AttemptTimeoutError,
        AuthenticationError as AuthenticationError,
        BadGatewayError as BadGatewayError,
        BadRequestError as BadRequestError,
        CircuitOpenError as CircuitOpenError,
        ConfigError as ConfigError,
        ConflictError as ConflictError,
        ConnectionFailedError as ConnectionFailedError,
        DeadlineExceededError as DeadlineExceededError,
        GatewayTimeoutError as GatewayTimeoutError,
        InternalServerError as InternalServerError,
        NotAcceptableError as NotAcceptableError,
        NotFoundError as NotFoundError,
        PermissionDeniedError as PermissionDeniedError,
        RateLimitError as RateLimitError,
        ResilientError as ResilientError,
        ServerError as ServerError,
        ServiceUnavailableError as ServiceUnavailableError,
        UnprocessableEntityError as UnprocessableEntityError,
        ValidationError as ValidationError,
    )
    from resilient.events import (
        AttemptEvent as AttemptEvent,
        Event as Event,
        Listener as Listener,
        RefusalEvent as RefusalEvent,
        TransitionEvent as TransitionEvent,
        WaitEvent as WaitEvent,
    )
    from resilient.field_error import FieldError as FieldError
    from resilient.history import Attempt as Attempt
    from resilient.retry import (
        Backoff as Backoff,
        BudgetPolicy as BudgetPolicy,
        Retry as Retry,
        RetryBudget as RetryBudget,
        RetryPolicy as RetryPolicy,
    )
    from resilient.retry_after import (
        ResetHeader as ResetHeader,
        parse_retry_after as parse_retry_after,
    )
    from resilient.services import (
        Service as Service,
        Services as Services,
        load_services as load_services,
    )
    from resilient.session import (
        pipeline_of as pipeline_of,
        wrap as wrap,
    )
    from resilient.timeouts import (
        AttemptTimeout as AttemptTimeout,
        Deadline as Deadline,
    )

_HOMES = {
    "APIError": "resilient.errors",
    "Attempt": "resilient.history",
    "AttemptEvent": "resilient.events",
    "AttemptTimeout": "resilient.timeouts",
    "AttemptTimeoutError": "resilient.errors",
    "AuthenticationError": "resilient.errors",
    "Backoff": "resilient.retry",
    "BadGatewayError": "resilient.errors",
    "BadRequestError": "resilient.errors",
    "BreakerPolicy": "resilient.breaker",
    "BudgetPolicy": "resilient.retry",
    "Circuit": "resilient.breaker",
    "CircuitBreaker": "resilient.breaker",
    "CircuitOpenError": "resilient.errors",
    "CodeRule": "resilient.envelopes",
    "ConfigError": "resilient.errors",
    "ConflictError": "resilient.errors",
    "ConnectionFailedError": "resilient.errors",
    "Deadline": "resilient.timeouts",
    "DeadlineExceededError": "resilient.errors",
    "Envelope": "resilient.envelopes",
    "EnvelopeParser": "resilient.envelopes",
    "ErrorPolicy": "resilient.envelopes.policy",
    "Event": "resilient.events",
    "FieldError": "resilient.field_error",
    "GatewayTimeoutError": "resilient.errors",
    "InternalServerError": "resilient.errors",
    "Listener": "resilient.events",
    "NormalizeErrors": "resilient.envelopes.middleware",
    "NotAcceptableError": "resilient.errors",
    "NotFoundError": "resilient.errors",
    "PermissionDeniedError": "resilient.errors",
    "Pipeline": "resilient.composition",
    "PipelineWarning": "resilient.composition",
    "Policy": "resilient.composition",
    "RateLimitError": "resilient.errors",
    "RefusalEvent": "resilient.events",
    "ResetHeader": "resilient.retry_after",
    "ResilientError": "resilient.errors",
    "Retry": "resilient.retry",
    "RetryBudget": "resilient.retry",
    "RetryPolicy": "resilient.retry",
    "ServerError": "resilient.errors",
    "Service": "resilient.services",
    "ServiceUnavailableError": "resilient.errors",
    "Services": "resilient.services",
    "TransitionEvent": "resilient.events",
    "UnprocessableEntityError": "resilient.errors",
    "ValidationError": "resilient.errors",
    "WaitEvent": "resilient.events",
    "attempts_of": "resilient.call",
    "load_services": "resilient.services",
    "override": "resilient.call",
    "parse_error": "resilient.envelopes",
    "parse_retry_after": "resilient.retry_after",
    "pipeline_of": "resilient.session",
    "wrap": "resilient.session",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
