"""The tracer, the instruments, and what is kept so that telling them is cheap.

This is the only module that imports OpenTelemetry; who has no telemetry does not import it.

Rules, each with its reason:

- **What raises is said once, and the call goes on.** A sampler, a processor or an instrument is
  somebody else's code, run within the calls of a third.
- **Attributes of metrics have few values.** The SDK keeps a series for each combination for good,
  and has no limit of its own. So there are at most `max_servers` addresses, the templates and the
  reasons are lists, and no origin, key or path is an attribute.
- **Attributes that are alike are made once** and never changed. (Shared ones that were changed
  have put the status of one request on the metric of the next, elsewhere.)
- **Readers collect on a thread of theirs**: what they look at is counted from a copy of a list, and
  nothing is advanced by looking.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextvars import Token
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol

from aiohttp import ClientRequest
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from yarl import URL

from resilient.errors import ConfigError
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.events import Event, RefusalEvent, TransitionEvent
from resilient.telemetry.facts import METHODS, ErrorTypes, end_of_attempt

__all__ = ["Instruments", "Server"]

_SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"

# Of the conventions for `http.client.request.duration`; a call with its waits takes longer.
_ATTEMPT_SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0),
)
_CALL_SECONDS: Final = (*_ATTEMPT_SECONDS, 25.0, 50.0, 100.0)
_COUNTS: Final = (1.0, 2.0, 3.0, 4.0, 5.0)

_ERROR: Final = Status(StatusCode.ERROR)

# Combinations of status, error and template that are kept for one method of one server.
_MOST_KEPT: Final = 200

Attributes = Mapping[str, Any]


class Watchable(Protocol):
    """A guard, as far as it is looked at when metrics are collected."""

    @property
    def name(self) -> str:
        """The kind of guard."""

    @property
    def room(self) -> Any:
        """Counts those who wait."""

    def tally(self) -> Mapping[str, int]:
        """Count what it keeps; another thread may ask."""


class Server:
    """The attributes for requests of one method to one origin.

    Attributes:
        start: Those that a span begins with, without its URL.
    """

    __slots__ = ("_metric", "_metrics", "start")

    def __init__(self, url: URL, method: str, *, is_counted: bool) -> None:
        address = url.raw_host or ""
        self.start: dict[str, Any] = {
            "http.request.method": method,
            "server.address": address,
        }
        if url.port is not None:
            self.start["server.port"] = url.port
        self._metric = dict(self.start)
        if not is_counted:
            self._metric = {**self._metric, "server.address": "_OTHER"}
            self._metric.pop("server.port", None)
        self._metrics: dict[tuple[Any, ...], Attributes] = {}

    def metric(
        self, template: str | None, status: int | None, error: str | None, protocol: str | None
    ) -> Attributes:
        """Return the attributes of the metric for an attempt that ended like this."""
        key = template, status, error, protocol
        found = self._metrics.get(key)
        if found is None:
            made = dict(self._metric)
            if template is not None:
                made["url.template"] = template
            made |= end_of_attempt(status, protocol, error)
            if len(self._metrics) >= _MOST_KEPT:
                self._metrics.clear()
            found = self._metrics[key] = made
        return found


class Observed:
    """Guards that are counted when metrics are collected; it keeps none of them alive."""

    def __init__(self) -> None:
        self._guards: dict[int, tuple[str | None, weakref.ref[Any]]] = {}

    def add(self, service: str | None, guard: Watchable) -> None:
        """Count a guard under the name of a service; one that several share under none."""
        key, guards = id(guard), self._guards
        found = guards.get(key)
        if found is not None and found[1]() is guard:
            if found[0] != service:
                guards[key] = None, found[1]
            return
        guards[key] = service, weakref.ref(guard, lambda _: guards.pop(key, None))

    def _each(self, name: str | None) -> Iterator[tuple[str | None, Any]]:
        # A copy: pipelines are made and forgotten while a reader's thread is here.
        for service, reference in list(self._guards.values()):
            guard = reference()
            if guard is not None and name in (None, guard.name):
                yield service, guard

    def circuits(self, _: CallbackOptions) -> Iterable[Observation]:
        """Count the circuits in each state."""
        counts: Counter[tuple[str | None, str]] = Counter()
        for service, guard in self._each("breaker"):
            for state, count in guard.tally().items():
                counts[service, state] += count
        for (service, state), count in counts.items():
            yield Observation(count, {**_of(service), "resilient.breaker.state": state})

    def waiting(self, _: CallbackOptions) -> Iterable[Observation]:
        """Count the calls that wait at guards; guards of a pipeline share a room."""
        rooms = {id(guard.room): (service, guard.room) for service, guard in self._each(None)}
        counts: Counter[str | None] = Counter()
        for service, room in rooms.values():
            counts[service] += room.taken
        return [Observation(count, _of(service)) for service, count in counts.items()]

    def gates(self, _: CallbackOptions) -> Iterable[Observation]:
        """Count the gates that are in force."""
        return self._count("throttle", "gates")

    def permits(self, _: CallbackOptions) -> Iterable[Observation]:
        """Count the attempts under way in bulkheads."""
        return self._count("bulkhead", "permits")

    def limits(self, _: CallbackOptions) -> Iterable[Observation]:
        """Count the attempts that may be under way, where any are."""
        return self._count("bulkhead", "limit")

    def _count(self, name: str, what: str) -> list[Observation]:
        counts: Counter[str | None] = Counter()
        for service, guard in self._each(name):
            counts[service] += guard.tally()[what]
        return [Observation(count, _of(service)) for service, count in counts.items()]


def _of(service: str | None) -> dict[str, Any]:
    return {} if not service else {"resilient.service": service}


# An instrument that is made again is the first one, callbacks included. So what is looked at is
# kept by provider; it keeps neither that nor a guard alive.
_observed: Final[weakref.WeakKeyDictionary[Any, Observed]] = weakref.WeakKeyDictionary()
_globally_observed: Final = Observed()


def _observed_by(provider: Any) -> Observed:
    if provider is None or provider is metrics.get_meter_provider():
        return _globally_observed
    try:
        return _observed.setdefault(provider, Observed())
    except TypeError:  # it has no weak references
        return Observed()


def _version() -> str:
    try:
        return version("resilient-aiohttp")
    except PackageNotFoundError:
        return ""


class Instruments:
    """The tracer and the instruments of one pair of providers.

    Args:
        tracer_provider: Makes the tracer; None for the global one.
        meter_provider: Makes the instruments; None for the global one.

    Attributes:
        error_types: Finds the `error.type` of exceptions.
        attempts: Seconds that attempts take.
        calls: Seconds that calls take.
        retries: How many retries calls need that need any.
        delays: Seconds that calls wait between attempts, if they do.
        waits: Seconds that calls wait at guards, if they do, by the name of the guard.
        observed: The guards that are looked at.

    Raises:
        ConfigError: Something that is no provider.
    """

    def __init__(self, tracer_provider: Any, meter_provider: Any) -> None:
        for name, given, method in (
            ("tracer_provider", tracer_provider, "get_tracer"),
            ("meter_provider", meter_provider, "get_meter"),
        ):
            if given is not None and not callable(getattr(given, method, None)):
                raise ConfigError.of(f"Telemetry.{name}", given, f"None or has {method}")
        scope = "resilient", _version()
        self._tracer = trace.get_tracer(*scope, tracer_provider, _SCHEMA)
        self._emitter = Emitter()
        self._servers: dict[tuple[str, str, str], Server] = {}
        self._addresses: set[tuple[str, str]] = set()
        self.error_types = ErrorTypes()
        self.observed = observed = _observed_by(meter_provider)
        meter = metrics.get_meter(*scope, meter_provider, _SCHEMA)

        def histogram(name: str, unit: str, words: str, buckets: tuple[float, ...]) -> Any:
            return meter.create_histogram(
                name, unit, words, explicit_bucket_boundaries_advisory=buckets
            )

        self.attempts = histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            _ATTEMPT_SECONDS,
        )
        self.calls = histogram(
            "resilient.call.duration",
            "s",
            "Duration of calls, with all of their attempts and waits.",
            _CALL_SECONDS,
        )
        self.retries = histogram(
            "resilient.call.retries",
            "{retry}",
            "Retries of calls that needed any.",
            _COUNTS,
        )
        self.delays = histogram(
            "resilient.call.retry_delay",
            "s",
            "Time that calls waited between attempts, if they did.",
            _CALL_SECONDS,
        )
        self.waits: dict[str, Any] = {
            guard: histogram(
                f"resilient.{guard}.wait.duration",
                "s",
                f"Time that calls waited at the {guard}, if they did.",
                _CALL_SECONDS,
            )
            for guard in ("throttle", "breaker", "bulkhead")
        }
        self._refusals = meter.create_counter(
            "resilient.refusals", "{refusal}", "Calls and attempts that were refused."
        )
        self._transitions = meter.create_counter(
            "resilient.breaker.transitions", "{transition}", "Changes of state of circuits."
        )
        for name, unit, words, callback in (
            ("breaker.circuits", "{circuit}", "Circuits in each state.", observed.circuits),
            ("throttle.gates", "{gate}", "Gates that are in force.", observed.gates),
            ("bulkhead.permits", "{permit}", "Attempts that have a place.", observed.permits),
            ("bulkhead.limit", "{permit}", "Places where any is taken.", observed.limits),
            ("waiting", "{call}", "Calls that wait at guards.", observed.waiting),
        ):
            meter.create_observable_up_down_counter(f"resilient.{name}", [callback], unit, words)

    def complain(self, role: str, hook: object, error: Exception) -> None:
        """Log what a part of OpenTelemetry's raised; once for each."""
        self._emitter.complain(role, hook, error)

    # -- metrics

    def server(self, request: ClientRequest, most: int) -> Server:
        """Return what is kept for the method and the origin of a request.

        Args:
            request: The request.
            most: How many addresses metrics may have.
        """
        url = request.url
        method = request.method if request.method in METHODS else "_OTHER"
        scheme, host = url.scheme, url.host_port_subcomponent or ""
        found = self._servers.get((method, scheme, host))
        if found is not None:
            return found
        is_counted = (scheme, host) in self._addresses or len(self._addresses) < most
        made = Server(url, method, is_counted=is_counted)
        if is_counted:
            self._addresses.add((scheme, host))
            self._servers[method, scheme, host] = made
        return made

    def record(
        self, instrument: Any, value: float, attributes: Attributes, of: Context | None = None
    ) -> None:
        """Record a value.

        Args:
            instrument: Where.
            value: The value.
            attributes: Its attributes.
            of: The context of an example of it; None for the current one.
        """
        try:
            instrument.record(value, attributes, of)
        except Exception as error:
            self.complain("instrument", instrument, error)

    def count(self, event: Event) -> None:
        """Count a refusal or a transition."""
        if isinstance(event, RefusalEvent):
            self.count_refusal(event.name, event.by, event.code.value)
        elif isinstance(event, TransitionEvent):
            self._add(
                self._transitions,
                {
                    **_of(event.name),
                    "resilient.breaker.state": event.after,
                    "resilient.reason": event.code.value,
                },
            )

    def count_refusal(self, service: str, by: str, code: str) -> None:
        """Count a refusal."""
        attributes = {**_of(service), "resilient.refused_by": by, "resilient.reason": code}
        self._add(self._refusals, attributes)

    def _add(self, counter: Any, attributes: Attributes) -> None:
        try:
            counter.add(1, attributes)
        except Exception as error:
            self.complain("instrument", counter, error)

    # -- spans

    def start(
        self,
        name: str,
        attributes: Attributes,
        within: Context | None = None,
        *,
        is_call: bool = False,
    ) -> tuple[Span, Context] | None:
        """Begin a span; None if that failed.

        Args:
            name: Its name.
            attributes: Those that it begins with.
            within: The context that it begins in; None for the current one.
            is_call: Whether it is that of a call.

        Returns:
            The span, and the context in which it is current.
        """
        kind = SpanKind.INTERNAL if is_call else SpanKind.CLIENT
        try:
            span = self._tracer.start_span(name, within, kind, attributes)
            return span, trace.set_span_in_context(span, within)
        except Exception as error:
            self.complain("tracer", self._tracer, error)
            return None

    def end(self, span: Span, attributes: Attributes, *, failed: bool) -> None:
        """End a span.

        Args:
            span: The span.
            attributes: Those that it ends with.
            failed: Whether its status is an error.
        """
        try:
            if attributes:
                span.set_attributes(attributes)
            if failed:
                span.set_status(_ERROR)
        except Exception as error:
            self.complain("span", type(span), error)
        try:
            span.end()
        except Exception as error:
            self.complain("span processor", type(span), error)

    @staticmethod
    def attach(of: Context) -> Any:
        """Make a context the current one; return a token for `detach`."""
        return context.attach(of)

    @staticmethod
    def detach(token: Any) -> None:
        """Make the context before it current again.

        A coroutine that is thrown away is closed in another task, where there is nothing to undo.
        (OpenTelemetry would log an error.)
        """
        if not isinstance(token, Token):
            context.detach(token)
            return
        try:  # noqa: SIM105 (every call pays for it)
            token.var.reset(token)
        except ValueError:
            pass

    @staticmethod
    def is_recorded() -> bool:
        """Return whether spans that begin now are recorded, as far as their parent decides it."""
        parent = trace.get_current_span().get_span_context()
        return not parent.is_valid or parent.trace_flags.sampled

    def inject(self, headers: Any, of: Context | None) -> None:
        """Put a context into the headers of a request, in place of what they have.

        Args:
            headers: The headers.
            of: The context; None for the current one.
        """
        try:
            propagate.inject(headers, of)
        except Exception as error:
            self.complain("propagator", propagate.get_global_textmap(), error)
