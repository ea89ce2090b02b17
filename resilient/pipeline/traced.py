"""Tell whether a pipeline makes spans of attempts."""

from __future__ import annotations

from collections.abc import Iterable

from resilient.pipeline.branches import Branches
from resilient.telemetry.middleware import AttemptTelemetry

__all__ = ["is_traced"]


def is_traced(middlewares: Iterable[object]) -> bool:
    """Return whether attempts get spans on any of the ways that a request may go."""
    return any(
        any(map(is_traced, each.alternatives()))
        if isinstance(each, Branches)
        else isinstance(each, AttemptTelemetry) and each.policy.attempt_spans
        for each in middlewares
    )
