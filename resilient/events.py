"""Events: what happened, told to whoever listens.

A listener is a callable that takes one event. Events are made only if somebody listens,
or if the logger `resilient` is on at their level; so a call that goes well costs nothing
here. Each record of the logger carries the event's fields as `record.resilient`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar

import attrs
from aiohttp import ClientError, ClientRequest
from attrs import frozen

from resilient.errors import ConfigError
from resilient.redact import public_url
from resilient.validation import as_tuple

__all__ = [
    "AttemptEvent",
    "Emitter",
    "Event",
    "Listener",
    "RefusalEvent",
    "TransitionEvent",
    "WaitEvent",
]

logger = logging.getLogger("resilient")


@frozen(kw_only=True)
class AttemptEvent:
    """An attempt came to its end.

    `status` or `error` says how; `duration` is in seconds.
    """

    kind: ClassVar[str] = "attempt"
    level: ClassVar[int] = logging.DEBUG

    name: str
    method: str
    url: str
    number: int
    duration: float
    status: int | None = None
    error: str | None = None

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        return (
            f"{self.method} {self.url}: attempt {self.number} came to {outcome} "
            f"in {self.duration:.3f} s"
        )


@frozen(kw_only=True)
class WaitEvent:
    """A call waits before its next attempt; `seconds` is how long, `reason` why at all."""

    kind: ClassVar[str] = "wait"
    level: ClassVar[int] = logging.INFO

    name: str
    method: str
    url: str
    number: int
    seconds: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: waiting {self.seconds:.3f} s after attempt "
            f"{self.number} ({self.reason})"
        )


@frozen(kw_only=True)
class RefusalEvent:
    """A failed call was not tried again, or a call was not let through at all.

    `by` is "retry" or "breaker".
    """

    kind: ClassVar[str] = "refusal"
    level: ClassVar[int] = logging.INFO

    name: str
    method: str
    url: str
    by: str
    reason: str

    def __str__(self) -> str:
        return f"{self.method} {self.url}: the {self.by} refused ({self.reason})"


@frozen(kw_only=True)
class TransitionEvent:
    """A circuit changed its state; `seconds` is how long it stays open, if it opened."""

    kind: ClassVar[str] = "transition"

    name: str
    key: Hashable
    before: str
    after: str
    reason: str
    seconds: float | None = None

    @property
    def level(self) -> int:
        """A circuit that opens is worth a person's time."""
        return logging.WARNING if self.after == "open" else logging.INFO

    def __str__(self) -> str:
        how_long = "" if self.seconds is None else f" for {self.seconds:.3g} s"
        return f"the circuit for {self.key} is {self.after}{how_long} ({self.reason})"


Event = AttemptEvent | WaitEvent | RefusalEvent | TransitionEvent
Listener = Callable[[Event], object]


def _checked(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    if not isinstance(listeners, tuple):
        raise ConfigError.of("listeners", listeners, "a list of functions")
    for listener in listeners:
        if not callable(listener) or inspect.iscoroutinefunction(listener):
            raise ConfigError.of("listeners", listener, "plain (not async) functions of an event")
    return listeners


class Emitter:
    """Gives events to listeners and to the logger, and survives what they raise."""

    __slots__ = ("_complained", "listeners", "name")

    def __init__(self, listeners: Iterable[Listener] = (), name: str = "") -> None:
        self.listeners = _checked(as_tuple(listeners))
        self.name = name
        self._complained: set[int] = set()

    def wants(self, level: int) -> bool:
        """Whether an event of that level would reach anyone."""
        return True if self.listeners else logger.isEnabledFor(level)

    def emit(self, event: Event) -> None:
        """Tell everyone."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as error:
                self.complain("listener", listener, error)
        if logger.isEnabledFor(event.level):
            logger.log(
                event.level,
                "%s",
                event,
                extra={"resilient": {"event": event.kind, **attrs.asdict(event)}},
            )

    def tell(
        self,
        kind: type[AttemptEvent] | type[WaitEvent] | type[RefusalEvent],
        request: ClientRequest,
        **facts: Any,
    ) -> None:
        """Tell everyone of something about a request, if anyone is there."""
        if self.wants(kind.level):
            url = str(public_url(request.url))
            self.emit(kind(name=self.name, method=request.method, url=url, **facts))

    def complain(self, role: str, hook: object, error: Exception) -> None:
        """Log what a hook of the user's raised; once for each hook."""
        if id(hook) not in self._complained:
            self._complained.add(id(hook))
            _cut_chain(error)
            logger.error(
                "the %s %r raised; the call goes on without it, and this is said once",
                role,
                hook,
                exc_info=error,
            )


def _cut_chain(error: BaseException | None) -> None:
    """Take aiohttp's exceptions out of what led to one of a hook's: their text has the URL."""
    while error is not None:
        if isinstance(error.__context__, ClientError):
            error.__context__ = None
        if isinstance(error.__cause__, ClientError):
            error.__cause__ = None
        error = error.__cause__ or error.__context__


def make_emitter(listeners: Iterable[Listener] | Emitter, name: str = "") -> Emitter:
    """An emitter for listeners; one that is made already is shared."""
    return listeners if isinstance(listeners, Emitter) else Emitter(listeners, name)
