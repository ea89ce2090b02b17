"""Tell listeners, and the logger `resilient`, of what happens.

Events are made only if a listener wants their kind, or if the logger is on at their level; so a
call that goes well costs nothing here, unless somebody wants to hear of attempts. Each record of
the logger carries the event's fields as `record.resilient`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import attrs
from aiohttp import ClientRequest

from resilient.errors import ConfigError
from resilient.reasons import Reason
from resilient.support.redact import public_url, without_secrets
from resilient.support.validation import as_tuple, is_plain_function
from resilient.telemetry.events import KINDS, Listener, kinds_of
from resilient.telemetry.levels import LEVELS, Kind

__all__ = ["Emitter", "make_emitter"]

logger = logging.getLogger("resilient")


class Numbered(Protocol):
    """A call, as far as events name it."""

    @property
    def number(self) -> int:
        """The number by which events of one call can be put together."""


def _checked(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    if not isinstance(listeners, tuple):
        raise ConfigError.of("listeners", listeners, "a list of functions")
    for listener in listeners:
        if not is_plain_function(listener):
            raise ConfigError.of("listeners", listener, "plain (not async) functions of an event")
    return listeners


def _always(level: int) -> bool:
    return True


class Emitter:
    """Gives events to listeners and to the logger, and survives what they raise.

    It is an iterable of its listeners, so that the middlewares of a pipeline can be given it in
    their place and share it.

    Args:
        listeners: Told of each event of the kinds that they want.
        name: The name of the policy, for every event.

    Attributes:
        is_heard: Returns whether an event of an attempt would reach anyone; called with its
            level. The same as `wants("attempt")`, for those who ask in every call.
    """

    __slots__ = ("_complained", "_listening", "is_heard", "listeners", "name")

    def __init__(self, listeners: Iterable[Listener] = (), name: str = "") -> None:
        self.name = name
        self._complained: set[int] = set()
        self.listeners: tuple[Listener, ...]
        self._listening: dict[Kind, tuple[Listener, ...]]
        self.is_heard: Callable[[int], bool]
        self.listen(listeners)

    def listen(self, listeners: Iterable[Listener]) -> None:
        """Tell these from now on, in the place of the others."""
        self.listeners = _checked(as_tuple(listeners))
        wanted = [(listener, kinds_of(listener)) for listener in self.listeners]
        self._listening = {
            kind: tuple(listener for listener, kinds in wanted if kind in kinds) for kind in KINDS
        }
        self.is_heard = _always if self._listening["attempt"] else logger.isEnabledFor

    def __iter__(self) -> Iterator[Listener]:
        return iter(self.listeners)

    def has_listeners(self, kind: Kind) -> bool:
        """Return whether a listener wants events of that kind, whatever the logger wants."""
        return bool(self._listening[kind])

    def wants(self, kind: Kind) -> bool:
        """Return whether an event of that kind would reach anyone."""
        level = LEVELS[kind]
        return bool(self._listening[kind]) or (level is not None and logger.isEnabledFor(level))

    def tell(self, kind: Kind, call: Numbered, request: ClientRequest, **facts: Any) -> None:
        """Tell everyone of something about a request, if anyone is there."""
        if self.wants(kind):
            url = str(public_url(request.url))
            self.announce(kind, call=call.number, method=request.method, url=url, **facts)

    def announce(self, kind: Kind, **facts: Any) -> None:
        """Make an event, and tell everyone who wants it."""
        event = KINDS[kind](name=self.name, **facts)
        for listener in self._listening[kind]:
            try:
                listener(event)
            except Exception as error:
                self.complain("listener", listener, error)
        if LEVELS[kind] is not None and logger.isEnabledFor(event.level):
            fields = attrs.asdict(event, value_serializer=_plain)
            logger.log(
                event.level, "%s", event, extra={"resilient": {"event": event.kind, **fields}}
            )

    def complain(
        self, role: str, hook: object, error: Exception, *, is_secret: bool = False
    ) -> None:
        """Log what a hook of the user's raised; once for each hook.

        The traceback goes out as text from which secrets were taken: that of an exception of
        aiohttp's, and often a hook's own, has the whole URL.

        Args:
            role: What the hook is, in words.
            hook: The hook.
            error: What it raised.
            is_secret: Whether its text may hold a credential that the hook has looked up: then
                only its type and where it was raised are told.
        """
        if id(hook) not in self._complained:
            self._complained.add(id(hook))
            told = traceback.format_exception(error)
            if is_secret:
                told = [*traceback.format_tb(error.__traceback__), type(error).__name__]
            logger.error(
                "the %s %r raised; the call goes on without it, and this is said once\n%s",
                role,
                hook,
                without_secrets("".join(told).rstrip()),
            )


def _plain(_: object, __: object, value: Any) -> Any:
    return value.value if isinstance(value, Reason) else value


def make_emitter(listeners: Iterable[Listener], name: str = "") -> Emitter:
    """Return an emitter for listeners; one that is made already is shared."""
    return listeners if isinstance(listeners, Emitter) else Emitter(listeners, name)
