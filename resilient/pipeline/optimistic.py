"""The quick way through a standard pipeline, for calls that simply go well.

Nearly every call goes well, and each of them would pay for what the others need. So the first
attempt of a hop is optimistic: it begins with an entry among those under way and nothing else,
and if an answer below 300 comes while its destination is still quiet, it is done. Anything else
goes on in the general way, through the middlewares themselves, which meet the outcome as if the
attempt had just been made: its times, its permits and its limits are those that it began with.
So behaviour is written there and nowhere else, and this is a shortcut to the same end.

It is for a pipeline of the standard parts in the standard order, with one clock, each of them as
it has to be (`_is_quick`): nobody is told of attempts, no guard wants to see each of them, no
body of a success is read, and no idempotency key is sent. (Spans and metrics are made here too;
the parts of telemetry take those over that were begun.) It takes a request

- whose origin is quiet: then there is a spell in the index (`core.quiet`), which is the check of
  all guards;
- that stands alone: nothing is overridden for it, it is made in no other call, it is no later hop
  of a call under `wrap`, and no attempt is under way in its task;
- that is sent for the first time, without a body or with one of bytes, text or JSON;
- while the pool has a place, or else the time of the attempt would begin later.

An origin gets its spell when a call asks for it, if all guards find nothing wrong there. (Of a new
one the throttle has something to learn from a call in the general way.) A circuit that is open is
asked before anything else, for its refusals are as many as the calls (`UnderWay.ask`).

What can happen to an attempt on the way, and where that is handled:

    it fails, is cancelled, or its answer is 300 or more    `UnderWay.go_on`, with what came of it
    its time runs out                                       `UnderWay._fire`: the limits get timers
                                                            of their own, which cancel it, or not
    a middleware of ours further in meets its request       `UnderWay.open`: they share a call
    a middleware makes a request of its own meanwhile       the same: that has a call further out
    the spell ends                                          the guards are told how it ended
"""

from __future__ import annotations

import logging
import math
from asyncio import current_task, get_running_loop
from collections.abc import Awaitable, Iterable
from logging import DEBUG
from typing import Any, Final, TypeVar

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    payload,
)
from yarl import URL

from resilient.breaker.machine import Machine
from resilient.breaker.middleware import CircuitBreaker
from resilient.clock import LoopBound, TimerHandle
from resilient.core.begun import Begun, Entry, Opened, under_way
from resilient.core.call import Call, current, detach, hop_spans, is_spanned, make_call
from resilient.core.guard import Guard, GuardChain, Refusal, as_one
from resilient.core.override import NO_OVERRIDE, scope
from resilient.core.quiet import OVER, Spell
from resilient.envelopes.middleware import NormalizeErrors
from resilient.pipeline.standard import STANDARD
from resilient.retry.middleware import Retry
from resilient.support.timers import Task, weakly
from resilient.telemetry.middleware import (
    AttemptTelemetry,
    CallTelemetry,
    QuickTelemetry,
    Told,
)
from resilient.throttle.middleware import Throttle
from resilient.timeouts import AttemptTimeout, Deadline
from resilient.wire.connections import is_full, look_at_pool
from resilient.wire.requests import Sendings

__all__ = ["optimistic"]

_K = TypeVar("_K")

# Statuses from here on go the general way: redirects too, whose next hop has to find its call.
_UNUSUAL: Final = 300

# Origins in the index at most, if no guard bounds them.
_MOST: Final = 1024

# Bodies that are the same each time, and nobody else reads.
_PLAIN_BODIES: Final = frozenset(
    {
        payload.BytesPayload,
        payload.StringPayload,
        payload.JsonPayload,
        getattr(payload, "JsonBytesPayload", payload.JsonPayload),  # since 3.14
    }
)

# What the logger remembers of its levels, which is quicker to ask than it is. Where that cannot
# be seen it is asked.
_KNOWN_LEVELS: Final[dict[int, bool]] = getattr(logging.getLogger("resilient"), "_cache", {})

# The attributes of aiohttp and yarl that are read here and not published.
_IS_READABLE: Final = all(
    hasattr(ClientRequest, name) for name in ("_body", "_continue", "response", "session")
) and {"_scheme", "_netloc"} <= set(getattr(URL, "__slots__", ()))


def optimistic(
    middlewares: Iterable[ClientMiddlewareType], general: ClientMiddlewareType
) -> ClientMiddlewareType | None:
    """Return the quick way through a pipeline; None if it has to be the general one each time.

    Args:
        middlewares: Those of the pipeline, outermost first.
        general: Runs a request through all of them.
    """
    parts = list(middlewares)
    return _quick_way(UnderWay(parts, general)) if _IS_READABLE and _is_quick(parts) else None


def _is_quick(parts: list[Any]) -> bool:
    """Return whether the parts are those of a standard pipeline, and have nothing to do."""
    places = {part.kind: place for place, part in enumerate(STANDARD)}
    # Not of a subclass, which may run in another way.
    order = [places.get(type(part), -1) for part in parts]
    if not parts or -1 in order or order != sorted(set(order)):
        return False
    if any(part.clock is not parts[0].clock for part in parts):
        return False
    return all(map(_has_nothing_to_do, parts))


def _has_nothing_to_do(part: Any) -> bool:
    """Return whether a part has nothing to do with an attempt that simply goes well."""
    match part:
        case Retry(policy=policy):
            return (
                policy.judge is None
                and policy.read_body_up_to is None
                and policy.idempotency_header is None
                and min(policy.statuses, default=_UNUSUAL) >= _UNUSUAL
                and not part.emitter.has_listeners("attempt")
            )
        case Throttle():
            return not part.reads_headers
        case CircuitBreaker(policy=policy):
            return min(policy.statuses, default=_UNUSUAL) >= _UNUSUAL
        case NormalizeErrors(policy=policy):
            return not policy.success_parsers
        case Deadline() | AttemptTimeout() | CallTelemetry() | AttemptTelemetry():
            return True
    return False


def _first(parts: Iterable[object], kind: type[_K]) -> _K | None:
    return next((part for part in parts if isinstance(part, kind)), None)


class UnderWay(LoopBound):
    """The attempts of one pipeline that are under way, with one timer for the limits of all.

    Args:
        parts: The middlewares of the pipeline.
        general: Runs a request through all of them.

    Attributes:
        general: As given.
        entries: The attempts under way in the loop, also those of other pipelines.
        index: The spells by the origins without their schemes; of two the latest is here.
        guards: Those among the parts.
        breaker: That among the parts, or None.
        retry: That among the parts, or None.
        telemetry: Makes spans and metrics; None if nobody wants that.
        timer: The armed timer; None if there is none, and none is needed.
    """

    __slots__ = (
        "_deadline",
        "_guard",
        "_parts",
        "_seconds",
        "_timeout",
        "breaker",
        "entries",
        "general",
        "guards",
        "index",
        "retry",
        "telemetry",
        "timer",
    )

    def __init__(self, parts: list[Any], general: ClientMiddlewareType) -> None:
        super().__init__(parts[0].clock)
        self.general = general
        self.index: dict[str, Spell] = {}
        self.guards = tuple(part for part in parts if isinstance(part, Guard))
        self._guard: Any = as_one(self.guards)
        self.retry = _first(parts, Retry)
        self.breaker = _first(parts, CircuitBreaker)
        watch, observer = _first(parts, CallTelemetry), _first(parts, AttemptTelemetry)
        is_told = watch is not None or observer is not None
        self.telemetry = QuickTelemetry(watch, observer) if is_told else None
        self._parts = parts
        self._deadline, self._timeout = _first(parts, Deadline), _first(parts, AttemptTimeout)
        limits = [each.seconds for each in (self._deadline, self._timeout) if each is not None]
        # The limit that comes first is looked at first.
        self._seconds = min(limits, default=math.inf)
        self.entries: dict[Task, Entry] = {}
        # Without limits there is nothing to arm.
        self.timer: TimerHandle | bool | None = None if limits else True

    def __del__(self) -> None:
        """Leave no timer behind, which the loop would keep, nor spells that guards still count."""
        for spell in list(getattr(self, "index", {}).values()):
            spell.end()
        timer = getattr(self, "timer", None)
        if timer is not None and timer is not True:
            timer.cancel()

    # -- the event loop

    def claim(self) -> None:
        """Take the running loop for the pipeline and all of its parts."""
        running = get_running_loop()
        for part in self._parts:
            if part.loop is not running:
                part.claim()
        super().claim()
        self.entries = under_way(running)
        if self.timer is not True:
            self.timer = None

    def loop_changed(self, now: float | None) -> None:
        """Begin anew: what was under way is gone with the old loop."""
        for spell in list(self.index.values()):
            spell.end()

    # -- limits of time

    def arm(self, started: float) -> None:
        """Arm the timer for an attempt that began then, which is the oldest."""
        self.timer = self.clock.call_at(started + self._seconds, weakly(self._fire))

    def _fire(self) -> None:
        """Give those attempts timers of their own whose time may have come."""
        self.timer = None
        now = self.time()
        oldest = math.inf
        due = []
        for task, entry in self.entries.items():
            if entry[0] is self and not (len(entry) == _OPENED and entry[-1].is_limited):
                if entry[2] + self._seconds <= now:
                    due.append(task)
                else:
                    oldest = min(oldest, entry[2])
        for task in due:
            self._limit(task, now)
        if oldest < math.inf:
            self.arm(oldest)

    def _limit(self, task: Task, now: float) -> None:
        """Set the limits of an attempt as the middlewares would have: they are due, or to come."""
        call = self.open(task)
        _, request, started, _, _, cancelling, opened = self.entries[task]
        opened.is_limited = True
        if self._deadline is not None:
            opened.deadline = self._deadline.limit(call, started, task, cancelling)
            opened.deadline.expire_if_due(now)
        if self._timeout is not None:
            opened.limit = self._timeout.limit(call, request, started, task, cancelling)
            opened.limit.expire_if_due(now)

    # -- calls of attempts that began without one

    def open(self, task: Task) -> Call:
        """Return the call of the attempt in a task; open it if nobody has."""
        entry = self.entries[task]
        if len(entry) < _OPENED:
            entry = self.entries[task] = self.opened(entry)
        return entry[-1].call  # type: ignore[no-any-return]  # as it was opened

    def opened(self, entry: Entry) -> Entry:
        """Return an entry with a call, as the middlewares would have begun it."""
        _, request, started, *_ = entry
        # Nothing was overridden when it began, whatever is now, in a middleware further in.
        call = make_call(request, NO_OVERRIDE, self.time() - started)
        if self.retry is not None:
            call.before = None
        if self._deadline is not None:
            self._deadline.note(call, started)
        if self._timeout is not None:
            self._timeout.note(call, started)
        if self.telemetry is not None:
            call.watched_by = self.telemetry.scopes
        return (*entry, Opened(call))

    def begun(self, entry: Entry) -> Begun:
        """Return what the middlewares have to know of an attempt that was opened."""
        _, _, started, spell, number, _, opened = entry
        guards = zip(self.guards, spell.kept, strict=True)
        permits = [guard.permit(kept, number, started, opened.call) for guard, kept in guards]
        permit = permits if isinstance(self._guard, GuardChain) else next(iter(permits), None)
        return Begun(started, permit, opened.deadline, opened.limit)

    async def go_on(
        self,
        request: ClientRequest,
        handler: ClientHandlerType,
        entry: Entry,
        result: ClientResponse | BaseException | None,
        told: Told | None = None,
    ) -> ClientResponse:
        """Go on in the general way with what came of an attempt.

        Args:
            request: The request.
            handler: Sends it, for the attempts to come.
            entry: The attempt.
            result: Its response or exception.
            told: The spans that were begun for it, or None.
        """
        if len(entry) < _OPENED:
            entry = self.opened(entry)
        call: Call = entry[-1].call
        call.lent = False
        call.begun = self.begun(entry)
        if told is not None and self.telemetry is not None:
            self.telemetry.leave(told)
            call.begun = call.begun._replace(told=told)
            call.watched_by = ()
        came = [result]
        # What is raised refers to this frame.
        entry, result, told = (), None, None

        async def replay(request: ClientRequest) -> ClientResponse:
            if not came:
                return await handler(request)
            call.begun = None
            found = came.pop()
            if isinstance(found, BaseException):
                try:
                    raise found
                finally:
                    del found
            assert found is not None, "it is one of the two"
            return found

        return await self._within(call, request, replay)

    def give_up(
        self, request: ClientRequest, entry: Entry, left: GeneratorExit, told: Told | None
    ) -> None:
        """Go on with an attempt whose coroutine is thrown away: nothing can be awaited."""
        going = self.go_on(request, _never, entry, left, told)
        try:
            going.send(None)
        except BaseException:  # noqa: S110 (as a rule the one that it was given)
            pass
        finally:
            going.close()

    # -- circuits that are open

    def ask(self, request: ClientRequest, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
        """Ask the guards first; go on in the general way with what they say, if none refuses.

        Raises:
            ResilientError: A guard refused.
        """
        started = self.time()
        call = make_call(request, NO_OVERRIDE)
        if self._deadline is not None:
            self._deadline.note(call, started)
        decision = self._guard.enter(call, request, started, None)
        if decision.__class__ is Refusal:
            raise decision.error
        call.deadline = call.allowed = None
        call.decision = decision
        return self._within(call, request, handler)

    async def _within(
        self, call: Call, request: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        token = current.set(call)
        try:
            return await self.general(request, handler)
        finally:
            detach(call, token)

    # -- quiet destinations

    def begin_spell(self, request: Any) -> Spell | None:
        """Begin the spell of an origin, if all guards find nothing wrong there; else None."""
        kept = [guard.quiet(request) for guard in self.guards]
        found = tuple(each for each in kept if each is not None)
        if len(found) < len(kept) or self.loop is not get_running_loop():
            # (A session outside of its loop: the general way says what is wrong.)
            return None
        if len(self.index) >= _MOST:
            next(iter(self.index.values())).end()
        look_at_pool(request)
        numbers = _first(found, Machine) or _Numbers()
        return Spell(request.url._netloc, self, found, numbers, request.url._scheme)


# The length of an entry with a call.
_OPENED: Final = 7


async def _never(request: ClientRequest) -> ClientResponse:
    raise AssertionError("an attempt that is given up is the last")


class _Numbers:
    """Numbers attempts where no guard does."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = 0


class _AllMethods:
    """Contains every method: without retry nobody asks whether one was carried out."""

    def __contains__(self, method: object) -> bool:
        return True


# A budget that lacks nothing.
_NOTHING: Final[tuple[()]] = ()


def _is_plain(request: Any) -> bool:
    """Return whether a body is there that can simply be sent."""
    body = request._body
    return type(body) in _PLAIN_BODIES and not body.consumed and request._continue is None


def _quick_way(way: UnderWay) -> ClientMiddlewareType:
    """Return the function that runs requests; what it reads often are variables of this one."""
    general, retry, breaker, index = way.general, way.retry, way.breaker, way.index
    find_spell, find_call, find_override = index.get, current.get, scope.get
    find_level = _KNOWN_LEVELS.get
    methods: Any = _AllMethods() if retry is None else retry.policy.methods
    owing: Any
    earned: Any
    is_told: Any
    owing, earned, is_told, counts = _NOTHING, None, None, retry is not None
    telemetry = way.telemetry
    if telemetry is not None:
        # A call that is refused is told of too.
        breaker = None
    if retry is not None:
        owing, earned, is_told = retry.owing, retry.earned, retry.emitter.wants
    spans = hop_spans
    loop: Any = None
    entries: dict[Any, Entry] = {}
    time: Any = None

    def run(request: Any, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
        nonlocal loop, entries, time
        if request.loop is not loop:
            way.claim()
            loop, entries, time = way.loop, way.entries, way.time
        url = request.url
        spell = find_spell(url._netloc)
        if spell is None or spell.scheme != url._scheme:
            if breaker is not None and breaker.may_refuse(request):
                return ask(request, handler)
            spell = way.begin_spell(request)
            if spell is None:
                return general(request, handler)
        return attempt(request, handler, spell)

    async def ask(request: Any, handler: ClientHandlerType) -> ClientResponse:
        if (
            find_override() is not NO_OVERRIDE
            or ((outer := find_call()) is not None and not outer.is_over)
            or current_task() in entries
            or (request._body is not None and not _is_plain(request))
            or (spans and is_spanned(request))
        ):
            return await general(request, handler)
        return await way.ask(request, handler)

    async def attempt(request: Any, handler: ClientHandlerType, spell: Any) -> ClientResponse:
        task: Any = current_task()
        try:
            if (
                spell.edge == OVER
                or find_override() is not NO_OVERRIDE
                or ((outer := find_call()) is not None and not outer.is_over)
                or task in entries
                or request.response is not None
                or (request._body is not None and not _is_plain(request))
                # As `is_full` and `is_spanned` have it.
                or len((pool := request._session._resilient_pool).taken) >= pool.places
                or (pool.is_by_host and is_full(request))
                or (spans and is_spanned(request))
            ):
                spell = None  # it takes the general way
        except AttributeError:
            # A session that is new here, or a connector of another kind.
            spell = None
            look_at_pool(request)
        if spell is None:
            return await general(request, handler)
        if request.method not in methods:
            # Whether it was carried out will be the question.
            Sendings.begin(request)
        told = None if telemetry is None else telemetry.begin(request)
        numbers = spell.numbers
        number = numbers.sent = numbers.sent + 1
        started = time()
        entry: Any = (way, request, started, spell, number, task.cancelling())
        entries[task] = entry
        if way.timer is None:
            way.arm(started)
        result: Any = None
        found: Any
        try:
            result = await handler(request)
        except GeneratorExit as left:
            way.give_up(request, entries.pop(task, entry), left, told)
            raise
        except BaseException as error:
            result = error
            found = entries.pop(task)
        else:
            ended = time()
            found = entries.pop(task)
            if (
                found is entry
                and result.status < _UNUSUAL
                # The level may have changed meanwhile. (A logger that is disabled remembers none.)
                and not (is_told and find_level(DEBUG, True) and is_told("attempt"))
                and (ended < spell.edge or spell.look(ended - started, ended))
            ):
                spell.good += 1
                spell.answered_at = ended
                try:  # noqa: SIM105 (every call pays for it)
                    # As `mark_used` does.
                    result._protocol._resilient_used = True
                except AttributeError:
                    pass  # it came over no connection
                if counts:
                    # For `attempts_of`.
                    result._resilient_call = started, ended, request.url
                if owing:
                    earned(request, None, ended)
                if told is not None and telemetry is not None:
                    telemetry.end_well(told, request, result, ended - started)
                return result  # type: ignore[no-any-return]  # a response
        going = way.go_on(request, handler, found, result, told)
        # What is raised refers to this frame.
        result = found = entry = task = told = None
        return await going

    return run
