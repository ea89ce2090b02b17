"""Spans and metrics of calls and of their attempts, as middlewares.

A call has an INTERNAL span, for what has no other place: a refusal, the waits, the reason why no
more was tried. Each attempt has a CLIENT span in it, and its request carries the context of that
one, so that each request on the wire has a parent of its own.

The span of an attempt stands inside the guards, since what they refuse is no request; and outside
normalisation, so that a time-out comes out typed, and the reading of an error's body counts. It is
current meanwhile, so that what middlewares inside do is in it. It ends when the response is handed
over. The span of a call stands outside its deadline.

A sampler is asked once a call: where it leaves that out, attempts have no spans, and their requests
carry the context of the call, which says so.

Nothing of OpenTelemetry is imported here: the tables of the standard order name these classes.
"""

from __future__ import annotations

import warnings
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, NamedTuple
from weakref import WeakSet, ref

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession, HttpVersion

from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.outcome import Outcome
from resilient.core.watch import CallWatch, Watched
from resilient.errors import DeadlineExceededError
from resilient.reasons import Reason
from resilient.support.validation import instance, validated
from resilient.telemetry.facts import (
    METHODS,
    attempt_span_name,
    end_of_attempt,
    is_cancellation,
    shown_url,
)
from resilient.telemetry.policy import TelemetryPolicy
from resilient.telemetry.telemetry import Telemetry, TelemetryWarning
from resilient.telemetry.templates import Templates
from resilient.wire.requests import session_ran_out
from resilient.wire.tracing import is_instrumented

__all__ = ["AttemptTelemetry", "CallTelemetry", "QuickTelemetry", "Told"]

_STANDARD: Final = TelemetryPolicy()

_ATTEMPTS: Final = "resilient.call.attempts"

_PROTOCOLS: Final = {HttpVersion(1, 0): "1.0", HttpVersion(1, 1): "1.1"}


def _checked(owner: object, telemetry: Any, service: Any, policy: Any) -> None:
    validated(owner, "telemetry", telemetry, instance(Telemetry, "a Telemetry"))
    validated(owner, "service", service, instance(str, "a name"))
    validated(owner, "policy", policy, instance(TelemetryPolicy, "a TelemetryPolicy"))


class _Traced(Watched):
    """A call that is followed, with its span if it has one."""

    span: Any = None
    context: Any = None


class CallTelemetry(CallWatch):
    """Makes a span of each call, and counts calls, retries, waits and refusals.

        telemetry = Telemetry()
        Pipeline.of(
            CallTelemetry(telemetry, "mavio"), Retry(), AttemptTelemetry(telemetry, "mavio")
        )

    Under `wrap` a call spans its redirects; elsewhere each hop is a call.

    Args:
        telemetry: The instruments. Of several pipelines in the way of one call that share them,
            the outermost counts it.
        service: The name of the service, in the name of the span and as an attribute.
        policy: Which of it is made.
        clock: The source of time; by default the event loop's.

    Raises:
        ConfigError: A value of the wrong type.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = (
        "_left_out",
        "_made",
        "_name",
        "_of",
        "_otel",
        "_recorded",
        "_start",
        "policy",
        "service",
        "telemetry",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        service: str = "default",
        policy: TelemetryPolicy = _STANDARD,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        _checked(self, telemetry, service, policy)
        super().__init__(telemetry, clock)
        self.telemetry, self.service, self.policy = telemetry, service, policy
        self._otel = telemetry.instruments
        self._name = f"call {service}"
        self._of = {"resilient.service": service}
        # One attempt, as most calls have. If it comes otherwise that is mended at the end, which
        # takes four times as long.
        self._start = {**self._of, _ATTEMPTS: 1}
        self._recorded, self._left_out = (telemetry, True), (telemetry, False)
        # Attributes of a call's duration, by method and error.
        self._made: dict[tuple[str, str | None], dict[str, str]] = {}

    def describe(self) -> str:
        """Return its settings in words."""
        made = ("a span for each call", self.policy.call_spans), ("metrics", self.policy.metrics)
        words = " and ".join(what for what, is_made in made if is_made)
        return f"{words or 'nothing'}, for {self.service}"

    def begin(self, call: Call, request: ClientRequest) -> _Traced:
        """Begin the span of a call."""
        traced = _Traced(call, request, self.began(call))
        if self.policy.call_spans:
            told = None if call.begun is None else call.begun.told
            begun = self.start() if told is None else told.call
            if begun is not None:
                traced.span, traced.context = begun
                owner = call if call.span is None else call.span
                is_recorded = traced.span.is_recording()
                owner.traced = self._recorded if is_recorded else self._left_out
        return traced

    def enter(self, watched: _Traced) -> Any:
        """Make the span of a call the current one."""
        return None if watched.context is None else self._otel.attach(watched.context)

    def leave(self, entered: Any) -> None:
        """Make the span before it current again."""
        if entered is not None:
            self._otel.detach(entered)

    def start(self) -> Any:
        """Begin a span; None if that failed."""
        return self._otel.start(self._name, self._start, is_call=True)

    def end_well(self, begun: Any, request: ClientRequest, seconds: float) -> None:
        """End the span of a call that has simply gone well, with one attempt, and record it.

        Args:
            begun: What `start` returned; None if it was not asked.
            request: Its request.
            seconds: How long it took.
        """
        otel = self._otel
        span, of = begun or (None, None)
        if self.policy.metrics:
            otel.record(otel.calls, seconds, self._attributes(request.method, None), of)
        if span is not None:
            otel.end(span, {}, failed=False)

    def end(self, watched: _Traced, error: BaseException | None) -> None:
        """End the span of a call, and record what became of it."""
        otel = self._otel
        error_type: str | None = None
        if error is not None:
            if watched.ran_out:
                error_type = "deadline"
            elif not is_cancellation(error):
                error_type = otel.error_types.of(error)
        elif watched.status is not None and watched.status >= 400:
            error_type = str(watched.status)
        stop = watched.stop_code(error)
        if self.policy.metrics:
            self._record(watched, error, error_type)
        span = watched.span
        if span is None:
            return
        attributes: dict[str, Any] = {}
        if span.is_recording():
            if watched.sent != 1:
                attributes[_ATTEMPTS] = watched.sent
            if watched.waited:
                attributes["resilient.call.wait"] = watched.waited
            for guard, seconds in watched.held.items():
                attributes[f"resilient.{guard.name}.wait"] = seconds
            if error_type is not None:
                attributes["error.type"] = error_type
                if stop is not None:
                    attributes["resilient.call.stop_reason"] = stop.value
        otel.end(span, attributes, failed=error_type is not None)

    def _record(
        self, watched: _Traced, error: BaseException | None, error_type: str | None
    ) -> None:
        otel, service = self._otel, self._of
        attributes = self._attributes(watched.method, error_type)
        of = watched.context
        otel.record(otel.calls, self.time() - watched.started, attributes, of)
        if watched.retries:
            otel.record(otel.retries, watched.retries, service, of)
        if watched.waited:
            otel.record(otel.delays, watched.waited, service, of)
        for guard, seconds in watched.held.items():
            histogram = otel.waits.get(guard.name)
            if histogram is not None and seconds:
                otel.record(histogram, seconds, service, of)
        if isinstance(error, DeadlineExceededError) and watched.code is Reason.DEADLINE:
            # Nobody else tells of it.
            otel.count_refusal(self.service, "deadline", Reason.DEADLINE.value)

    def _attributes(self, method: str, error_type: str | None) -> dict[str, str]:
        """Return the attributes of a call's duration."""
        method = method if method in METHODS else "_OTHER"
        attributes = self._made.get((method, error_type))
        if attributes is None:
            attributes = {**self._of, "http.request.method": method}
            if error_type is not None:
                attributes["error.type"] = error_type
            self._made[method, error_type] = attributes
        return attributes


# The server, the template, the span, its context, and what takes it out of that; or None.
_Begun = tuple[Any, str | None, Any, Any, Any]


def _protocol(response: Any) -> str | None:
    """Return the version of HTTP of a response, if it is one that there is."""
    try:
        return _PROTOCOLS.get(response.version)
    except (AttributeError, TypeError):
        # There is none, or it is a double of somebody else's.
        return None


class AttemptTelemetry(LoopBound):
    """Makes a span of each attempt, has its request carry that, and measures how long it took.

    Args:
        telemetry: The instruments.
        service: The name of the service.
        policy: Which of it is made, and the templates of the service.
        clock: The source of time; by default the event loop's.

    Warns:
        TelemetryWarning: OpenTelemetry's own instrumentation of aiohttp makes spans of the same
            requests; once for each session. (`wrap` takes it off the session that it returns.)

    Raises:
        ConfigError: A value of the wrong type.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_last", "_otel", "_seen", "_templates", "policy", "service", "telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        service: str = "default",
        policy: TelemetryPolicy = _STANDARD,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        _checked(self, telemetry, service, policy)
        super().__init__(clock)
        self.telemetry, self.service, self.policy = telemetry, service, policy
        self._otel = telemetry.instruments
        self._templates = Templates(policy.templates)
        # The sessions that were looked at, and the last of them.
        self._seen: WeakSet[ClientSession] = WeakSet()
        self._last: Callable[[], ClientSession | None] = lambda: None

    def describe(self) -> str:
        """Return its settings in words."""
        policy = self.policy
        made = (
            ("a span for each attempt", policy.attempt_spans),
            ("traceparent", policy.propagate),
            ("metrics", policy.metrics),
        )
        words = ", ".join(what for what, is_made in made if is_made)
        count = len(policy.templates)
        templates = f"; {count} template{'s' * (count != 1)} of paths" if count else ""
        return f"{words or 'nothing'}{templates}"

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run an attempt within a span of its own."""
        return run_attempt(request, handler, self, None, None, None, observer=self)

    def begin_first(self, request: ClientRequest, within: Any) -> _Begun:
        """Begin the span of the first attempt of a call that has not been made.

        Args:
            request: The request.
            within: The span of the call and its context, or None.
        """
        otel, policy = self._otel, self.policy
        server = otel.server(request, policy.max_servers)
        template = self._templates.find(request.url.raw_path) if policy.templates else None
        span = None
        is_recorded, of = within is not None and within[0].is_recording(), within and within[1]
        if policy.attempt_spans and (within is None or is_recorded):
            begun = self._start(None, request, server, template, 1, of, is_recorded=is_recorded)
            if begun is not None:
                span, of = begun
        if policy.propagate:
            otel.inject(request.headers, of)
        return server, template, span, of, None

    def look_at(self, session: ClientSession) -> None:
        """Warn of an instrumentation that makes spans of the same requests, once a session."""
        if self.policy.attempt_spans and self._last() is not session:
            self._look_at(session)

    # -- as an observer

    def begin(self, call: Call, request: ClientRequest) -> _Begun:
        """Begin the span of an attempt, and let its request carry that."""
        otel, policy = self._otel, self.policy
        owner = call if call.span is None else call.span
        owner.sent = sent = owner.sent + 1
        if call.begun is not None and call.begun.told is not None:
            # It has been sent already.
            return call.begun.told.attempt  # type: ignore[no-any-return]  # of ours
        server = otel.server(request, policy.max_servers)
        template = call.override.url_template
        if template is None and policy.templates:
            template = self._templates.find(request.url.raw_path)
        span = of = entered = None
        traced = owner.traced
        if traced is None or traced[0] is not self.telemetry:
            # The parent decides, if there is one; here that is somebody else's span.
            traced = None
        if policy.attempt_spans and (traced is None or traced[1]):
            if self._last() is not request.session:
                self._look_at(request.session)
            begun = self._start(
                call, request, server, template, sent, is_recorded=traced is not None
            )
            if begun is not None:
                span, of = begun
                entered = otel.attach(of)
        if policy.propagate:
            otel.inject(request.headers, of)
        return server, template, span, of, entered

    def end(
        self,
        begun: _Begun,
        call: Call | None,
        request: ClientRequest,
        result: ClientResponse | Outcome,
        seconds: float,
    ) -> None:
        """End the span of an attempt, and record how long it took."""
        otel = self._otel
        server, template, span, of, entered = begun
        status = result.status
        protocol = error_type = None
        if isinstance(result, Outcome):
            protocol = _protocol(result.response)
            error_type = self._error_type(result, request)
        else:
            protocol = _protocol(result)
            if result.status >= 400:
                error_type = str(status)
        if self.policy.metrics:
            # A template of `override` may be any text.
            known = template if template in self.policy.templates else None
            attributes = server.metric(known, status, error_type, protocol)
            otel.record(otel.attempts, seconds, attributes, of)
        if span is not None:
            is_kept = span.is_recording()
            attributes = end_of_attempt(status, protocol, error_type) if is_kept else {}
            otel.end(span, attributes, failed=error_type is not None)
        if entered is not None:
            otel.detach(entered)

    def _error_type(self, outcome: Outcome, request: ClientRequest) -> str | None:
        """Return the type of an error; None if the caller has cancelled the attempt."""
        error = outcome.error
        assert error is not None, "an exception is raised"
        is_limit = isinstance(error, CancelledError) or type(error) is TimeoutError
        if is_limit and (outcome.overdue or session_ran_out(request)):
            return "deadline"
        if is_cancellation(error):
            return None
        status = outcome.status
        if status is not None and status >= 400:
            return str(status)
        if outcome.malformed is not None:
            # aiohttp has a status of its own for what is no HTTP.
            return "connection"
        return self._otel.error_types.of(error)

    def _start(
        self,
        call: Call | None,
        request: ClientRequest,
        server: Any,
        template: str | None,
        sent: int,
        within: Any = None,
        *,
        is_recorded: bool,
    ) -> Any:
        otel = self._otel
        name = attempt_span_name(request.method, template)
        if is_recorded or otel.is_recorded():
            attributes = {**server.start, **self._attributes(call, request, template, sent)}
            return otel.start(name, attributes, within)
        # As a rule nobody will look at it; a sampler that decides otherwise gets the rest late.
        begun = otel.start(name, server.start, within)
        if begun is not None and begun[0].is_recording():
            begun[0].set_attributes(self._attributes(call, request, template, sent))
        return begun

    def _attributes(
        self, call: Call | None, request: ClientRequest, template: str | None, sent: int
    ) -> dict[str, Any]:
        made: dict[str, Any] = {
            "url.full": shown_url(request.url, show_query=self.policy.show_query)
        }
        if request.method not in METHODS:
            made["http.request.method_original"] = request.method
        if template is not None:
            made["url.template"] = template
        if call is None:
            return made
        if sent > 1:
            made["http.request.resend_count"] = sent - 1
        if call.waits is not None:
            wait = call.waits.get(len(call.records) - 1)
            if wait is not None:
                made["resilient.attempt.reason"] = wait.code.value
                if wait.seconds:
                    made["resilient.attempt.wait"] = wait.seconds
        if call.holds:
            made["resilient.attempt.queued"] = sum(until - began for began, until in call.holds)
        return made

    def _look_at(self, session: ClientSession) -> None:
        """Warn of an instrumentation that makes spans of the same requests."""
        self._last = ref(session)
        if session in self._seen:
            return
        self._seen.add(session)
        if is_instrumented(session):
            warnings.warn(
                "OpenTelemetry's instrumentation of aiohttp makes one more span around all "
                "attempts of a call. Take it off this session: "
                "AioHttpClientInstrumentor.uninstrument_session(session); or use the session that "
                "resilient.wrap(session, ...) returns, which is without it",
                TelemetryWarning,
                stacklevel=2,
            )


class Told(NamedTuple):
    """The spans of a call and of its first attempt, begun before there is a call.

    Attributes:
        call: The span of the call and its context; None if it has none.
        attempt: What `AttemptTelemetry.begin_first` returned; None without that part.
        entered: What takes them out of the current context; None if they are not in it.
    """

    call: Any
    attempt: Any
    entered: Any


class QuickTelemetry:
    """The two parts of telemetry around calls that take the quick way of a pipeline.

    If a call does not simply go well, the parts themselves go on with what was begun here.

    Args:
        call: The part for calls, or None.
        attempt: That for attempts, or None.
    """

    __slots__ = ("_attempt", "_call", "_otel", "_spans")

    def __init__(self, call: CallTelemetry | None, attempt: AttemptTelemetry | None) -> None:
        self._call, self._attempt = call, attempt
        self._spans = call is not None and call.policy.call_spans
        part = call or attempt
        assert part is not None, "there is one of the two"
        self._otel = part.telemetry.instruments

    @property
    def scopes(self) -> tuple[Hashable, ...]:
        """The scopes of those who watch such a call."""
        return () if self._call is None else (self._call.telemetry,)

    def begin(self, request: ClientRequest) -> Told:
        """Begin the spans, and make the inner one current."""
        call, attempt = self._call, self._attempt
        if attempt is not None:
            attempt.look_at(request.session)
        within = call.start() if self._spans and call is not None else None
        of = within and within[1]
        begun = None
        if attempt is not None:
            begun = attempt.begin_first(request, within)
            of = begun[3]
        return Told(within, begun, None if of is None else self._otel.attach(of))

    def leave(self, told: Told) -> None:
        """Make the span before current again: others go on with these."""
        if told.entered is not None:
            self._otel.detach(told.entered)

    def end_well(
        self, told: Told, request: ClientRequest, response: ClientResponse, seconds: float
    ) -> None:
        """End the spans of a call that has simply gone well."""
        call, attempt = self._call, self._attempt
        if attempt is not None:
            attempt.end(told.attempt, None, request, response, seconds)
        if call is not None:
            call.end_well(told.call, request, seconds)
        self.leave(told)
