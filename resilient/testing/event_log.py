"""Keep the events of a pipeline in a listener, and assert what they were.

    log = EventLog()
    session = aiohttp.ClientSession(middlewares=[Pipeline(listeners=[log])])
    ...
    log.assert_outcomes(503, 503, 200)
    log.assert_waited(0.5, 1.0)

An assertion that fails lists all events in their order, as they mostly show the reason.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NoReturn, TypeVar

from attrs import define, field

from resilient.telemetry.events import (
    AttemptEvent,
    CallEvent,
    Event,
    HoldEvent,
    RefusalEvent,
    ReloadEvent,
    ThrottleEvent,
    TransitionEvent,
    TurnEvent,
    WaitEvent,
)

__all__ = ["EventLog"]

# For pytest, which then shows the line of the test where an assertion of this file fails.
__tracebackhide__ = True

_E = TypeVar(
    "_E",
    AttemptEvent,
    WaitEvent,
    HoldEvent,
    TurnEvent,
    RefusalEvent,
    TransitionEvent,
    ThrottleEvent,
    CallEvent,
    ReloadEvent,
)

_ByOne = Sequence[RefusalEvent] | Sequence[HoldEvent]
_ByAny = _ByOne | Sequence[TurnEvent]


@define(eq=False)
class EventLog:
    """A listener that keeps the events; `list(log)` returns them, oldest first.

    Attributes:
        events: The events, oldest first.
    """

    events: list[Event] = field(factory=list, init=False)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __str__(self) -> str:
        if not self.events:
            return "  nothing happened"
        width = len(str(len(self.events)))
        return "\n".join(
            f"  {number:{width}}. {event.kind:10} {event}"
            for number, event in enumerate(self.events, 1)
        )

    def clear(self) -> None:
        """Forget the events so far."""
        self.events.clear()

    # Events by their kind.

    @property
    def kinds(self) -> list[str]:
        """Return the kind of each event, such as "attempt", "wait" or "transition"."""
        return [event.kind for event in self.events]

    @property
    def attempts(self) -> list[AttemptEvent]:
        """Return the attempts that ended."""
        return self._of(AttemptEvent)

    @property
    def calls(self) -> list[CallEvent]:
        """Return the calls that ended."""
        return self._of(CallEvent)

    @property
    def waits(self) -> list[WaitEvent]:
        """Return the waits between attempts."""
        return self._of(WaitEvent)

    @property
    def holds(self) -> list[HoldEvent]:
        """Return the holds: calls that a guard had wait for their turn."""
        return self._of(HoldEvent)

    @property
    def turns(self) -> list[TurnEvent]:
        """Return the turns of those calls."""
        return self._of(TurnEvent)

    @property
    def refusals(self) -> list[RefusalEvent]:
        """Return the refusals: calls that were not tried again, or not let through."""
        return self._of(RefusalEvent)

    @property
    def transitions(self) -> list[TransitionEvent]:
        """Return the circuits' changes of state."""
        return self._of(TransitionEvent)

    @property
    def gates(self) -> list[ThrottleEvent]:
        """Return the changes of a throttle's gates."""
        return self._of(ThrottleEvent)

    @property
    def reloads(self) -> list[ReloadEvent]:
        """Return the reloads of services, those that were refused too."""
        return self._of(ReloadEvent)

    # Assertions.

    def assert_attempts(self, count: int) -> None:
        """Assert that so many attempts ended.

        Raises:
            AssertionError: There were more or fewer.
        """
        if len(self.attempts) != count:
            self._fail(_counted(count, "attempt"), _counted(len(self.attempts), "attempt"))

    def assert_outcomes(self, *outcomes: int | str) -> None:
        """Assert the outcomes of all attempts, in this order.

        Args:
            *outcomes: For each a status, or for a failure a part of its description, such as
                "ServerDisconnectedError".

        Raises:
            AssertionError: The outcomes were others.
        """
        came = [attempt.error or attempt.status for attempt in self.attempts]
        if len(came) != len(outcomes) or not all(map(_is_outcome, came, outcomes)):
            self._fail(f"the outcomes {_listed(outcomes)}", _listed(came))

    def assert_waited(self, *seconds: object) -> None:
        """Assert the waits between attempts, in this order; without any, that there were none.

        Args:
            *seconds: A number, which is compared up to the error of floating-point numbers,
                or an object that is equal to the right ones, such as
                `pytest.approx(30, abs=5)`.

        Raises:
            AssertionError: The waits were others.
        """
        waited = [wait.seconds for wait in self.waits]
        if len(waited) != len(seconds) or not all(map(_is_duration, waited, seconds)):
            self._fail(f"waits of {_listed(seconds)} s", f"waits of {_listed(waited)} s")

    def assert_refused(self, *, by: str | None = None, reason: str = "") -> None:
        """Assert that a call was refused.

        Args:
            by: "retry", or a guard: "throttle", "breaker" or "bulkhead"; None for any.
            reason: A part of the reason.

        Raises:
            AssertionError: There was no such refusal.
        """
        self._assert_one("refusal", self.refusals, by, reason)

    def assert_no_refusals(self, *, by: str | None = None) -> None:
        """Assert that no call was refused.

        Args:
            by: As for `assert_refused`.

        Raises:
            AssertionError: One was.
        """
        self._assert_count("refusal", self.refusals, 0, by)

    def assert_held(self, *, by: str | None = None, reason: str = "") -> None:
        """Assert that a guard held a call back, so that it waited for its turn.

        Args:
            by: "throttle", "breaker" or "bulkhead"; None for any.
            reason: A part of the reason.

        Raises:
            AssertionError: None did.
        """
        self._assert_one("hold", self.holds, by, reason)

    def assert_no_holds(self, *, by: str | None = None) -> None:
        """Assert that no guard held a call back.

        Args:
            by: As for `assert_held`.

        Raises:
            AssertionError: One did.
        """
        self._assert_count("hold", self.holds, 0, by)

    def assert_turns(self, count: int, *, by: str | None = None) -> None:
        """Assert that so many attempts that were held back have had their turn.

        Args:
            count: The number of attempts.
            by: The guard that held them last; None for any.

        Raises:
            AssertionError: There were more or fewer.
        """
        self._assert_count("turn", self.turns, count, by)

    def assert_gate_closed(self, key: object = None, *, part: str | None = None) -> None:
        """Assert that a gate of a throttle closed.

        Args:
            key: The gate's key, or its text, such as "https://api.example"; None for any.
            part: The part of it that was held, such as "GET /meetings"; None for any, or all.

        Raises:
            AssertionError: None did.
        """
        if not any(
            gate.closed and gate.is_news and _is_about(key, gate.key) and part in (None, gate.part)
            for gate in self.gates
        ):
            which = _named("gate", key) + (f" {part}" if part else "")
            self._fail(f"{which} to close", "none that did")

    def assert_gates(self, *states: str, key: object = None) -> None:
        """Assert how gates closed and opened, in this order; without any, that none did.

        Args:
            *states: "closed" or "open". A change of a gate that is closed does not count.
            key: As for `assert_gate_closed`.

        Raises:
            AssertionError: They did otherwise.
        """
        went = [
            "closed" if gate.closed else "open"
            for gate in self.gates
            if gate.is_news and _is_about(key, gate.key)
        ]
        if went != list(states):
            self._fail(f"{_named('gate', key)} to be {_listed(states)}", _listed(went))

    def assert_opened(self, key: object = None) -> None:
        """Assert that a circuit opened.

        Args:
            key: The circuit's key, or its text, such as "https://api.example"; None for any.

        Raises:
            AssertionError: None did.
        """
        if "open" not in self._states(key):
            self._fail(f"{_named('circuit', key)} to open", "none that did")

    def assert_states(self, *states: str, key: object = None) -> None:
        """Assert the changes of state, in this order; without any, that there were none.

        Args:
            *states: "open", "half_open" or "closed".
            key: As for `assert_opened`.

        Raises:
            AssertionError: The states were others.
        """
        went = self._states(key)
        if went != list(states):
            self._fail(f"{_named('circuit', key)} to go through {_listed(states)}", _listed(went))

    def _of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]

    def _states(self, key: object) -> list[str]:
        return [event.after for event in self.transitions if _is_about(key, event.key)]

    def _assert_one(self, what: str, events: _ByOne, by: str | None, reason: str) -> None:
        for event in events:
            if by in (None, event.by) and reason in event.reason:
                return
        why = f" because of {reason!r}" if reason else ""
        self._fail(f"a {what}{_whose(by)}{why}", _counted(len(events), what))

    def _assert_count(self, what: str, events: _ByAny, count: int, by: str | None) -> None:
        found = sum(by in (None, event.by) for event in events)
        if found != count:
            self._fail(_counted(count, what) + _whose(by), _counted(found, what))

    def _fail(self, expected: str, found: str) -> NoReturn:
        raise AssertionError(f"expected {expected}, and there were {found}:\n{self}")


def _is_outcome(came: int | str | None, expected: int | str) -> bool:
    if isinstance(came, str):
        return isinstance(expected, str) and expected in came
    return came == expected


def _is_duration(waited: float, expected: object) -> bool:
    if isinstance(expected, int | float):
        return math.isclose(waited, expected, rel_tol=1e-9, abs_tol=1e-9)
    return bool(waited == expected)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count or 'no'} {what}s"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in values) or (
        "none"
    )


def _is_about(wanted: object, key: Hashable) -> bool:
    return wanted is None or wanted == key or str(wanted) == str(key)


def _named(what: str, key: object) -> str:
    return f"a {what}" if key is None else f"the {what} for {key}"


def _whose(by: str | None) -> str:
    return "" if by is None else f" by the {by}"
