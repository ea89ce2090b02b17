"""Hold the providers of OpenTelemetry that pipelines tell of their calls."""

from __future__ import annotations

from typing import Any

from resilient.telemetry.events import Event
from resilient.telemetry.levels import Kind

__all__ = ["Telemetry", "TelemetryWarning"]


class TelemetryWarning(UserWarning):
    """Something else makes spans of the same requests."""


class Telemetry:
    """The providers of OpenTelemetry, and the instruments made of them.

        telemetry = Telemetry(tracer_provider=tracers, meter_provider=meters)
        Pipeline(Policy(telemetry=TelemetryPolicy()), telemetry=telemetry)

    It belongs to no event loop and is shared by any number of pipelines. A pipeline whose policy
    has telemetry makes one of the global providers if it is given none.

    It is a listener as well: given to a middleware that stands in no `Pipeline(policy)`, it counts
    its refusals and transitions.

    Args:
        tracer_provider: Makes the tracer; by default OpenTelemetry's global one.
        meter_provider: Makes the instruments; by default OpenTelemetry's global one.

    Raises:
        ModuleNotFoundError: OpenTelemetry is not installed.
    """

    __slots__ = ("__weakref__", "instruments")

    # The kinds of events that are counted. Waits and turns are found at the end of a call.
    kinds: frozenset[Kind] = frozenset({"refusal", "transition"})

    def __init__(self, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        try:
            # An extra: who has no telemetry need not have it, and does not wait for it.
            from resilient.telemetry.instruments import Instruments
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "opentelemetry":
                raise
            raise ModuleNotFoundError(
                "telemetry needs OpenTelemetry's API: pip install 'resilient-aiohttp[otel]'",
                name=error.name,
            ) from None
        self.instruments = Instruments(tracer_provider, meter_provider)

    def __call__(self, event: Event) -> None:
        """Count a refusal or a transition."""
        self.instruments.count(event)
