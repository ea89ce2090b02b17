"""Events: what happened, told to whoever listens.

A listener is a callable that takes one event. It hears of all kinds, or of those that it
declares: in its attribute `kinds`, a set of their names, or by `listens_to`. An event that
nobody wants is not made. Who is told, and when, is in `emitter`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Final, Literal, get_args

from attrs import frozen

from resilient.errors import ConfigError
from resilient.reasons import Reason
from resilient.support.validation import is_plain_function
from resilient.support.words import brief
from resilient.telemetry.levels import Kind

__all__ = [
    "KINDS",
    "AttemptEvent",
    "CallEvent",
    "Event",
    "HoldEvent",
    "Listener",
    "RefusalEvent",
    "ReloadEvent",
    "ThrottleEvent",
    "TransitionEvent",
    "TurnEvent",
    "WaitEvent",
    "kinds_of",
    "listens_to",
]


# Problems of a file that the text of an event tells.
_TOLD: Final = 3


@frozen(kw_only=True)
class AttemptEvent:
    """An attempt came to its end.

    Attributes:
        name: The name of the policy, as a rule that of the service.
        call: The number of the call, the same in all events of one call in this process.
        method: The method of the request.
        url: The URL without userinfo, query and fragment.
        number: The number of the attempt, from 1 in each hop.
        duration: Seconds until the response was there, or the failure; without `queued`.
        status: The status of the response; None if there was none.
        error: What went wrong in the place of a response, in a few words; None otherwise.
        queued: Seconds that guards held it back before it was sent; by default 0.
    """

    kind: ClassVar[Literal["attempt"]] = "attempt"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    number: int
    duration: float
    status: int | None = None
    error: str | None = None
    queued: float = 0.0

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        held = f", held for {self.queued:.3f} s before" if self.queued else ""
        return (
            f"{self.method} {self.url}: attempt {self.number} came to {outcome} "
            f"in {self.duration:.3f} s{held}"
        )


@frozen(kw_only=True)
class WaitEvent:
    """A call waits before its next attempt.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        number: The number of the attempt that is over.
        seconds: The length of the wait.
        code: Why another attempt is made, for a program.
        reason: The same in words.
    """

    kind: ClassVar[Literal["wait"]] = "wait"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    number: int
    seconds: float
    code: Reason
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: waiting {self.seconds:.3f} s after attempt "
            f"{self.number} ({self.reason})"
        )


@frozen(kw_only=True)
class HoldEvent:
    """A guard holds an attempt back: it waits for its turn.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        by: The guard: "throttle", "breaker" or "bulkhead".
        seconds: The longest until it asks again, if nothing happens before; None if nobody can
            say.
        code: Why, for a program.
        reason: The same in words.
    """

    kind: ClassVar[Literal["hold"]] = "hold"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    by: str
    seconds: float | None
    code: Reason
    reason: str

    def __str__(self) -> str:
        how_long = "" if self.seconds is None else f" for up to {self.seconds:.3f} s"
        return f"{self.method} {self.url}: the {self.by} holds it{how_long} ({self.reason})"


@frozen(kw_only=True)
class TurnEvent:
    """An attempt that guards held back has its turn.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        by: The guard that held it last.
        seconds: How long guards held this attempt.
    """

    kind: ClassVar[Literal["turn"]] = "turn"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    by: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.method} {self.url}: has its turn after {self.seconds:.3f} s ({self.by})"


@frozen(kw_only=True)
class RefusalEvent:
    """A failed call was not tried again, or a call was not let through at all.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        by: "retry", or the guard: "throttle", "breaker" or "bulkhead".
        code: Why, for a program.
        reason: The same in words.
    """

    kind: ClassVar[Literal["refusal"]] = "refusal"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    by: str
    code: Reason
    reason: str

    def __str__(self) -> str:
        return f"{self.method} {self.url}: the {self.by} refused ({self.reason})"


@frozen(kw_only=True)
class TransitionEvent:
    """A circuit changed its state, or an open one was isolated.

    Attributes:
        name: The name of the policy, as a rule that of the service.
        key: What the circuit belongs to, as a rule an origin.
        before: The state before: "closed", "open" or "half_open".
        after: The state after.
        code: Why, for a program.
        reason: The same in words.
        seconds: How long the circuit stays open; None if it did not open, or stays so for good.
        held: How many attempts it has held back or refused since it opened, if it closed.
    """

    kind: ClassVar[Literal["transition"]] = "transition"

    name: str
    key: Hashable
    before: str
    after: str
    code: Reason
    reason: str
    seconds: float | None = None
    held: int = 0

    @property
    def level(self) -> int:
        """The level at which it is logged: an outage is worth one warning, its end one word."""
        if self.before == "closed" or self.code is Reason.BY_HAND:
            return logging.WARNING if self.after == "open" else logging.INFO
        return logging.INFO if self.after == "closed" else logging.DEBUG

    def __str__(self) -> str:
        how_long = "" if self.seconds is None else f" for {brief(self.seconds)} s"
        held = f"; {_held(self.held)}" if self.held else ""
        return f"the circuit for {self.key} is {self.after}{how_long} ({self.reason}{held})"


@frozen(kw_only=True)
class ThrottleEvent:
    """A gate closed, changed or opened.

    Attributes:
        name: The name of the policy, as a rule that of the service.
        key: What the gate belongs to, as a rule an origin.
        part: The part of it that is held: method and first path segment; None for all of it.
        closed: Whether the gate is in force from now on.
        rate: Calls per second that it lets through once it opens; None if it is not in force.
        seconds: Until it lets the next call through; 0 if it is not in force.
        queued: How many calls wait at it; if it is no longer in force, how many it has held back
            or refused while it was.
        code: Why, for a program.
        reason: The same in words.
        is_news: Whether it begins or ends the time that the gate is in force.
    """

    kind: ClassVar[Literal["throttle"]] = "throttle"

    name: str
    key: Hashable
    part: str | None
    closed: bool
    rate: float | None
    seconds: float
    queued: int
    code: Reason
    reason: str
    is_news: bool = True

    @property
    def level(self) -> int:
        """The level at which it is logged: closing is worth one warning, its end one word."""
        if not self.is_news:
            return logging.DEBUG
        return logging.WARNING if self.closed else logging.INFO

    def __str__(self) -> str:
        what = f"the gate for {self.key}" + ("" if self.part is None else f" {self.part}")
        if not self.closed:
            return f"{what} is open again; {_held(self.queued)} ({self.reason})"
        pace = "" if self.rate is None else f", then {brief(self.rate)} a second"
        wait = f"; {self.queued} calls wait" if self.queued else ""
        return f"{what} is closed for {brief(self.seconds)} s{pace} ({self.reason}{wait})"


@frozen(kw_only=True)
class CallEvent:
    """A call is over. Only listeners are told of it, not the log.

    Under `wrap` a call spans its redirects; elsewhere each hop is a call.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`: those of the first
            hop.
        attempts: How many attempts were made, in all hops; 0 if none left, or if there is no
            `Retry` that counts them.
        duration: Seconds from its beginning to its end, waits included.
        waited: Seconds between attempts; by default 0.
        queued: Seconds that guards held it back; by default 0.
        status: The status of the response that was handed over; None if an exception was raised.
        error: What was raised in the place of a response, in a few words; None if nothing was.
        code: Why no more was tried, for a program; None for a call that went well, or where
            nothing decided that.
    """

    kind: ClassVar[Literal["call"]] = "call"
    level: ClassVar[int] = logging.DEBUG

    name: str
    call: int
    method: str
    url: str
    attempts: int
    duration: float
    waited: float = 0.0
    queued: float = 0.0
    status: int | None = None
    error: str | None = None
    code: Reason | None = None

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        count = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        why = "" if self.code is None else f" ({self.code.value})"
        return (
            f"{self.method} {self.url}: the call came to {outcome} "
            f"in {self.duration:.3f} s, with {count}{why}"
        )


def _held(count: int) -> str:
    return f"{count} calls were held or refused" if count != 1 else "1 call was held or refused"


@frozen(kw_only=True)
class ReloadEvent:
    """Services were read anew, and something changed; or something is wrong, and nothing did.

    Attributes:
        name: Always "": it is about all services.
        source: The path of the file; None for a mapping, or services from code.
        added: The names of services that are new.
        removed: The names of services that are gone.
        changed: The dotted keys of settings that changed: "mavio.total_timeout"; "match" and
            "facts" too; those of the default without a name before them: "default.retry".
        problems: Everything that is wrong, a text each; then the old services stay as they were.
    """

    kind: ClassVar[Literal["reload"]] = "reload"

    name: str
    source: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def level(self) -> int:
        """The level at which it is logged: an error if the file is refused."""
        return logging.ERROR if self.problems else logging.INFO

    def __str__(self) -> str:
        source = self.source or "code"
        if self.problems:
            first, more = self.problems[:_TOLD], len(self.problems) - _TOLD
            said = "; ".join([*first, *([f"and {more} more"] if more > 0 else [])])
            return f"services from {source} are refused, and stay as they were: {said}"
        parts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        said = "; ".join(f"{word} {', '.join(names)}" for word, names in parts.items() if names)
        return f"services from {source}: {said or 'nothing changed'}"


Event = (
    AttemptEvent
    | WaitEvent
    | HoldEvent
    | TurnEvent
    | RefusalEvent
    | TransitionEvent
    | ThrottleEvent
    | CallEvent
    | ReloadEvent
)
# Returns None, so that type checkers refuse a coroutine function, which nobody would await.
Listener = Callable[[Event], None]

KINDS: dict[Kind, Callable[..., Event]] = {
    "attempt": AttemptEvent,
    "wait": WaitEvent,
    "hold": HoldEvent,
    "turn": TurnEvent,
    "refusal": RefusalEvent,
    "transition": TransitionEvent,
    "throttle": ThrottleEvent,
    "call": CallEvent,
    "reload": ReloadEvent,
}

_ALL: frozenset[Kind] = frozenset(get_args(Kind))


def kinds_of(listener: Listener) -> frozenset[Kind]:
    """Return the kinds of events that a listener wants to hear.

    All of them, unless it has an attribute `kinds` that is a set. (Anything else by that name is
    the listener's own business: mocks have every attribute, and a log may list the kinds that it
    has seen.)

    Raises:
        ConfigError: There is no such kind.
    """
    declared = getattr(listener, "kinds", None)
    if not isinstance(declared, set | frozenset):
        return _ALL
    return _known(declared)


def _known(kinds: set[Any] | frozenset[Any]) -> frozenset[Kind]:
    for kind in sorted(kinds - _ALL, key=str):
        raise ConfigError.of("listener.kinds", kind, f"kinds of events: {', '.join(sorted(_ALL))}")
    return frozenset(kinds)


class listens_to:  # noqa: N801 (used as a decorator)
    """Make a listener hear of some kinds of events only.

        @resilient.listens_to("transition", "throttle")
        def page(event: resilient.TransitionEvent | resilient.ThrottleEvent) -> None: ...

        Pipeline(listeners=[page, resilient.listens_to("call")(statistics.add)])

    A listener that does not want attempts costs nothing while calls go well.

    Args:
        *kinds: Their names: "attempt", "wait", "hold", "turn", "refusal", "transition",
            "throttle", "call" and "reload".

    Raises:
        ConfigError: There is no such kind.
    """

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = _known(frozenset(kinds))

    def __call__(self, listener: Callable[[Any], None]) -> Listener:
        """Return a listener that is called with events of these kinds.

        Raises:
            ConfigError: It is no plain function.
        """
        if not is_plain_function(listener):
            raise ConfigError.of("listens_to", listener, "given a plain (not async) function")
        return _Selective(listener, self._kinds)


class _Selective:
    """A listener with the kinds of events that it wants."""

    __slots__ = ("_listener", "kinds")

    def __init__(self, listener: Callable[[Any], None], kinds: frozenset[Kind]) -> None:
        self._listener = listener
        self.kinds = kinds

    def __call__(self, event: Event) -> None:
        self._listener(event)

    def __repr__(self) -> str:
        return repr(self._listener)
