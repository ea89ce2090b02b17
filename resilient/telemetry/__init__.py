"""Tell of what happens: events, listeners and the logger; OpenTelemetry's spans and metrics.

Each name is imported when it is first used: whoever needs an event need not load middlewares.
"""

from typing import TYPE_CHECKING

from resilient.support.lazy import lazy_names

# The second is for Nuitka, as in `resilient`.
if TYPE_CHECKING or "__compiled__" in globals():
    from resilient.telemetry.middleware import (
        AttemptTelemetry as AttemptTelemetry,
        CallTelemetry as CallTelemetry,
    )
    from resilient.telemetry.policy import TelemetryPolicy as TelemetryPolicy
    from resilient.telemetry.telemetry import (
        Telemetry as Telemetry,
        TelemetryWarning as TelemetryWarning,
    )
else:
    __getattr__, __dir__ = lazy_names(__name__)
