"""Hold what the demo has counted. Everything that it prints comes from here."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from resilient.attempts import Attempt

__all__ = [
    "CallFacts",
    "Comparison",
    "DemoFacts",
    "ErrorFacts",
    "MetricFacts",
    "OutageFacts",
    "Side",
    "SpanFacts",
    "Spell",
    "TelemetryFacts",
]


@frozen(kw_only=True)
class CallFacts:
    """One call, by the account of its response or its error.

    Attributes:
        method: Of the request.
        path: Of the request.
        keyed: Whether the caller sent an idempotency key.
        script: The faults that the server was told to play, in words.
        attempts: The attempts, by the library's account.
        raised: The class of the exception, or None if a response was returned.
        stop_reason: The reason why no more was tried, or None.
        requests: The number of requests that the server has counted.
        keys: The number of different idempotency keys that they carried.
    """

    method: str
    path: str
    keyed: bool
    script: str
    attempts: tuple[Attempt, ...]
    raised: str | None
    stop_reason: str | None
    requests: int
    keys: int


@frozen(kw_only=True)
class ErrorFacts:
    """A typed error and its fields."""

    kind: str
    status: int
    code: str | None
    message: str
    request_id: str | None
    field_errors: tuple[tuple[str, str], ...]
    retry_after: float | None


@frozen(kw_only=True)
class Spell:
    """A time in which neither the circuit nor the server changed.

    Attributes:
        began: Its beginning, in seconds since the first call.
        state: The state of the circuit.
        reason: The reason why it began.
        server_is_down: True if the server failed every request.
        requests: The number of requests that left for the server in it.
        succeeded: The number of calls begun in it that were answered, sooner or later.
        failed: The number of those that ended in the server's error.
        refused: The number of those that the circuit did not let through.
    """

    began: float
    state: str
    reason: str
    server_is_down: bool
    requests: int
    succeeded: int
    failed: int
    refused: int

    @property
    def calls(self) -> int:
        """The number of calls that were begun."""
        return self.succeeded + self.failed + self.refused


@frozen(kw_only=True)
class Side:
    """The same calls to a server that does the same, one way or the other.

    Attributes:
        calls: The number of calls.
        failures: The error of each call that raised, or came back with an error status.
        requests: The number of requests that the server has counted.
        served: The server's answers: the name and the number of each kind.
        seconds: Seconds from the first call to the end of the last.
        slowest: Seconds that the slowest call took.
    """

    calls: int
    failures: tuple[str, ...]
    requests: int
    served: tuple[tuple[str, int], ...]
    seconds: float
    slowest: float

    @property
    def failed(self) -> int:
        """The number of calls that failed."""
        return len(self.failures)

    @property
    def succeeded(self) -> int:
        """The number of calls that came back with what was asked for."""
        return self.calls - self.failed


@frozen
class Comparison:
    """The same calls by aiohttp alone and with the pipeline."""

    without: Side
    with_pipeline: Side


@frozen
class OutageFacts:
    """The spells of an outage under the pipeline: before, during and after it; and both sides."""

    spells: tuple[Spell, ...]
    comparison: Comparison


@frozen(kw_only=True)
class SpanFacts:
    """A span, and those in it.

    Attributes:
        name: Its name.
        kind: Its kind, such as "CLIENT".
        began: Its beginning, in seconds since that of the first.
        seconds: How long it took.
        failed: True if its status is an error.
        attributes: Its attributes.
        inside: The spans in it, in the order in which they began.
    """

    name: str
    kind: str
    began: float
    seconds: float
    failed: bool
    attributes: Mapping[str, object]
    inside: tuple[SpanFacts, ...]


@frozen
class MetricFacts:
    """A series of a metric, and its value in words."""

    name: str
    attributes: Mapping[str, object]
    value: str


@frozen
class TelemetryFacts:
    """The spans of one call as a tree, and the metrics that moved."""

    call: SpanFacts
    metrics: tuple[MetricFacts, ...]


@frozen(kw_only=True)
class DemoFacts:
    """Everything that the demo has counted."""

    calls: tuple[CallFacts, ...]
    errors: tuple[ErrorFacts, ...]
    outage: OutageFacts
    crowd: Comparison
    mixture: Comparison
    telemetry: TelemetryFacts | None = None
