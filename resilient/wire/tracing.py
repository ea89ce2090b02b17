"""Trace configs of a session that OpenTelemetry's own instrumentation of aiohttp has put there.

It marks them. A copy of a session shares the list with its original, so that a copy which is to be
without them needs a list of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import ClientSession, TraceConfig

__all__ = ["is_instrumented", "without_instrumentation"]

_MARK = "_is_instrumented_by_opentelemetry"


def is_instrumented(session: ClientSession) -> bool:
    """Return whether OpenTelemetry's instrumentation makes spans of the calls of a session."""
    return any(getattr(each, _MARK, False) for each in session.trace_configs)


def without_instrumentation(configs: Iterable[TraceConfig]) -> list[TraceConfig]:
    """Return those of some trace configs that are not of that instrumentation."""
    return [each for each in configs if not getattr(each, _MARK, False)]
