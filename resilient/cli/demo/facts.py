"""What the demo has counted. Whatever it prints comes from here."""

from __future__ import annotations

from attrs import frozen

from resilient.attempts import Attempt

__all__ = ["CallFacts", "Comparison", "DemoFacts", "ErrorFacts", "OutageFacts", "Side", "Spell"]


@frozen(kw_only=True)
class CallFacts:
    """One call, by the account of its response or its error.

    Attributes:
        method: Of the request.
        path: Of the request.
        keyed: Whether the caller sent an idempotency key.
        script: What the server was told to do, in words.
        attempts: What the library says was attempted.
        raised: The class of the exception, or None if a response was returned.
        stop_reason: Why no more was tried.
        requests: How many requests the server has counted.
        keys: How many different idempotency keys they carried.
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
        began: Seconds since the first call.
        state: Of the circuit.
        reason: What began it.
        server_is_down: Whether the server failed whatever reached it.
        requests: How many reached it, as it has counted them.
        succeeded: Calls that were answered.
        failed: Calls that reached the server and failed.
        refused: Calls that the circuit did not let through.
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
        """The calls that were made."""
        return self.succeeded + self.failed + self.refused


@frozen
class OutageFacts:
    """An outage, before, during and after."""

    spells: tuple[Spell, ...]


@frozen(kw_only=True)
class Side:
    """The same number of calls to the same mixture of faults, one way or the other.

    Attributes:
        calls: Calls made.
        failures: The error of each call that raised, or came back with an error status.
        requests: How many requests the server has counted.
        served: What it did with them: name and number.
        seconds: From the first call to the end of the last.
        slowest: How long the slowest call took.
    """

    calls: int
    failures: tuple[str, ...]
    requests: int
    served: tuple[tuple[str, int], ...]
    seconds: float
    slowest: float

    @property
    def failed(self) -> int:
        """Calls that failed."""
        return len(self.failures)

    @property
    def succeeded(self) -> int:
        """Calls that came back with what was asked for."""
        return self.calls - self.failed


@frozen
class Comparison:
    """With the pipeline and without it."""

    without: Side
    with_pipeline: Side


@frozen(kw_only=True)
class DemoFacts:
    """All of it."""

    calls: tuple[CallFacts, ...]
    errors: tuple[ErrorFacts, ...]
    outage: OutageFacts
    comparison: Comparison
