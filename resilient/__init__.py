"""Composable aiohttp client middlewares that make calls to other people's APIs survive.

Each name is imported when it is first used. (And for pytest, which may find the package
imported before it loads its plugin: PYTEST_DONT_REWRITE.)
"""

from typing import TYPE_CHECKING

from resilient.support.lazy import lazy_names

# The second is for Nuitka: where it compiles, no bytecode is left to read the names from.
if TYPE_CHECKING or "__compiled__" in globals():
    from resilient.attempts import Attempt as Attempt
    from resilient.breaker import (
        BreakerPolicy as BreakerPolicy,
        Circuit as Circuit,
        CircuitBreaker as CircuitBreaker,
    )
    from resilient.bulkhead import (
        Aimd as Aimd,
        Bulkhead as Bulkhead,
        BulkheadPolicy as BulkheadPolicy,
    )
    from resilient.clock import Clock as Clock
    from resilient.core.call import attempts_of as attempts_of
    from resilient.core.override import override as override
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
        BulkheadFullError as BulkheadFullError,
        CircuitOpenError as CircuitOpenError,
        ConfigError as ConfigError,
        ConflictError as ConflictError,
        ConnectionFailedError as ConnectionFailedError,
        ContentTooLargeError as ContentTooLargeError,
        DeadlineExceededError as DeadlineExceededError,
        FieldError as FieldError,
        GatewayTimeoutError as GatewayTimeoutError,
        GoneError as GoneError,
        HTTPVersionNotSupportedError as HTTPVersionNotSupportedError,
        InsufficientStorageError as InsufficientStorageError,
        InternalServerError as InternalServerError,
        LockedError as LockedError,
        MethodNotAllowedError as MethodNotAllowedError,
        NotAcceptableError as NotAcceptableError,
        NotFoundError as NotFoundError,
        NotImplementedServerError as NotImplementedServerError,
        OriginError as OriginError,
        OriginTimeoutError as OriginTimeoutError,
        OverloadedError as OverloadedError,
        PaymentRequiredError as PaymentRequiredError,
        PermissionDeniedError as PermissionDeniedError,
        PreconditionFailedError as PreconditionFailedError,
        RateLimitError as RateLimitError,
        RefusedError as RefusedError,
        RequestTimeoutError as RequestTimeoutError,
        ResilientError as ResilientError,
        ServerError as ServerError,
        ServiceUnavailableError as ServiceUnavailableError,
        SessionClosedError as SessionClosedError,
        ThrottledError as ThrottledError,
        TooEarlyError as TooEarlyError,
        UnavailableForLegalReasonsError as UnavailableForLegalReasonsError,
        UnprocessableEntityError as UnprocessableEntityError,
        UnsupportedMediaTypeError as UnsupportedMediaTypeError,
        ValidationError as ValidationError,
    )
    from resilient.headers.retry_after import (
        ResetHeader as ResetHeader,
        parse_retry_after as parse_retry_after,
    )
    from resilient.pipeline.pipeline import (
        Pipeline as Pipeline,
        PipelineWarning as PipelineWarning,
    )
    from resilient.pipeline.policy import Policy as Policy
    from resilient.reasons import Reason as Reason
    from resilient.retry import (
        Backoff as Backoff,
        BudgetPolicy as BudgetPolicy,
        Retry as Retry,
        RetryBudget as RetryBudget,
        RetryPolicy as RetryPolicy,
    )
    from resilient.services import (
        Changes as Changes,
        Service as Service,
        Services as Services,
        load_services as load_services,
        watch_services as watch_services,
    )
    from resilient.session import (
        pipeline_of as pipeline_of,
        wrap as wrap,
    )
    from resilient.telemetry.calls import CallEvents as CallEvents
    from resilient.telemetry.events import (
        AttemptEvent as AttemptEvent,
        CallEvent as CallEvent,
        Event as Event,
        HoldEvent as HoldEvent,
        Listener as Listener,
        RefusalEvent as RefusalEvent,
        ReloadEvent as ReloadEvent,
        ThrottleEvent as ThrottleEvent,
        TransitionEvent as TransitionEvent,
        TurnEvent as TurnEvent,
        WaitEvent as WaitEvent,
        listens_to as listens_to,
    )
    from resilient.telemetry.middleware import (
        AttemptTelemetry as AttemptTelemetry,
        CallTelemetry as CallTelemetry,
    )
    from resilient.telemetry.policy import TelemetryPolicy as TelemetryPolicy
    from resilient.telemetry.telemetry import (
        Telemetry as Telemetry,
        TelemetryWarning as TelemetryWarning,
    )
    from resilient.throttle import (
        GateView as GateView,
        Throttle as Throttle,
        ThrottlePolicy as ThrottlePolicy,
    )
    from resilient.timeouts import (
        AttemptTimeout as AttemptTimeout,
        Deadline as Deadline,
    )
else:
    __getattr__, __dir__ = lazy_names(__name__)
