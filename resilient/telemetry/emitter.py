"""Who is told of what happens: listeners, and the logger `resilient`.

Events are made only if somebody listens, or if the logger is on at their level; so a call
that goes well costs nothing here. Each record of the logger carries the event's fields as
`record.resilient`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from typing import Any, Literal

import attrs
from aiohttp import ClientError, ClientRequest

from resilient.errors import ConfigError
from resilient.support.redact import public_url
from resilient.support.validation import as_tuple
from resilient.telemetry.events import KINDS, Listener
from resilient.telemetry.levels import LEVELS, Kind

__all__ = ["Emitter", "make_emitter"]

logger = logging.getLogger("resilient")


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

    def wants(self, kind: Kind) -> bool:
        """Whether an event of that kind would reach anyone."""
        return True if self.listeners else logger.isEnabledFor(LEVELS[kind])

    def tell(self, kind: Kind, request: ClientRequest, **facts: Any) -> None:
        """Tell everyone of something about a request, if anyone is there."""
        if self.wants(kind):
            url = str(public_url(request.url))
            self.announce(kind, method=request.method, url=url, **facts)

    def announce(self, kind: Kind | Literal["transition"], **facts: Any) -> None:
        """Make an event, and tell everyone."""
        event = KINDS[kind](name=self.name, **facts)
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
