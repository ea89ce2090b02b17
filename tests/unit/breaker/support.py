"""Circuits without a network: scripts of calls one after another, and traffic over time.

A script is text: `9x` is nine failures, `.` a success, `s` a slow success, `n` an attempt that
says nothing of the server; each takes some time. `+5` lets five seconds pass, `-5` sets the clock
back.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field

from resilient import BreakerPolicy
from resilient.breaker.machine import Change, Machine

__all__ = ["QUICK", "SLOW", "Answer", "Traffic", "breaker", "opened", "play"]

# Seconds that a call takes, and a slow one.
QUICK, SLOW = 0.02, 9.0

# Good, bad, or neither, and the seconds that it takes.
Answer = tuple[str, float]

ANSWERS: dict[str, Answer] = {
    ".": ("good", QUICK),
    "x": ("bad", QUICK),
    "s": ("good", SLOW),
    "n": ("neither", QUICK),
}


def end(
    machine: Machine, number: int, sent: float, now: float, how: str, **more: Any
) -> Change | None:
    """Let an attempt end."""
    if how == "good":
        return machine.succeed(number, sent, now)
    if how == "neither":
        return machine.end(number, now)
    return machine.fail(number, sent, now, **more)


def play(machine: Machine, script: str, now: float = 0.0) -> tuple[Change | None, float]:
    """Make calls, none of which may be held, until one changes the state of the circuit."""
    for step in script.split():
        if step[0] in "+-":
            now += float(step)
            continue
        found = re.fullmatch(r"(\d*)(\D)", step)
        assert found is not None, step
        how, duration = ANSWERS[found[2]]
        for _ in range(int(found[1] or 1)):
            number, change = machine.admit(now)
            assert number
            assert change is None
            now += duration
            change = end(machine, number, now - duration, now, how)
            if change is not None:
                return change, now
    return None, now


def breaker(**given: Any) -> Machine:
    """A circuit that one failure opens, for a second, if nothing else is given."""
    return Machine(BreakerPolicy(**{"failures": 1, "open_for": 1.0, **given}))


def opened(machine: Machine, now: float, **more: Any) -> float:
    """Fail once, whether closed or half-open, and say for how long it is open."""
    number, _ = machine.admit(now)
    assert number
    change = machine.fail(number, now, now, **more)
    assert change is not None
    assert change.after.value == "open"
    assert change.seconds is not None
    return change.seconds


@define
class Traffic:
    """Sends attempts at a rate, all of which may be under way at once.

    Attributes:
        machine: The circuit.
        rate: Attempts per second.
        answer: What comes of an attempt, by the time when it is sent.
        now: The time, in seconds.
        changes: The changes of state, and when they came.
        sent: When attempts were let through.
        held: How many were not.
        waiting: How many wait, so that it does not close.
    """

    machine: Machine
    rate: float
    answer: Callable[[float], Answer]
    now: float = 0.0
    changes: list[tuple[float, Change]] = field(factory=list)
    sent: list[float] = field(factory=list)
    held: int = 0
    waiting: int = 0
    failed: list[float] = field(factory=list)
    _under_way: list[tuple[float, int, float, str]] = field(factory=list)

    def run(self, seconds: float) -> Traffic:
        """Go on for so many seconds, or until the circuit changes its state."""
        start, changes = self.now, len(self.changes)
        for number in range(round(seconds * self.rate)):
            self._advance(start + number / self.rate)
            if len(self.changes) > changes:
                return self
            self._send()
        self._advance(start + seconds)
        return self

    def go_on(self, seconds: float) -> Traffic:
        """Go on for so many seconds, whatever happens."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            self.run(until - self.now)
        return self

    def _send(self) -> None:
        number, change = self.machine.admit(self.now)
        self._note(change)
        if not number:
            self.held += 1
            return
        self.sent.append(self.now)
        how, duration = self.answer(self.now)
        heapq.heappush(self._under_way, (self.now + duration, number, self.now, how))

    def _advance(self, until: float) -> None:
        while self._under_way and self._under_way[0][0] <= until:
            self.now, number, sent, how = heapq.heappop(self._under_way)
            if how == "bad":
                self.failed.append(sent)
            late = self.now - sent > 5
            self._note(
                end(self.machine, number, sent, self.now, how, timed_out=late)
                if how == "bad"
                else end(self.machine, number, sent, self.now, how)
            )
            self._note(self.machine.close_if_proven(self.waiting))
        self.now = until

    def _note(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append((self.now, change))

    @property
    def states(self) -> list[str]:
        """The states that it came to."""
        return [change.after.value for _, change in self.changes]

    def gaps(self, since: float) -> Iterator[float]:
        """The seconds between attempts that were let through."""
        sent = [each for each in self.sent if each >= since]
        return (later - earlier for earlier, later in itertools.pairwise(sent))
