"""The states of a circuit: pure transitions that take the time and never ask for it.

                    too many failures
        CLOSED ───────────────────────────▶ OPEN ◀──────────┐
          ▲                                  │ time is up    │ a probe failed
          │ all probes went well             ▼               │
          └────────────────────────────── HALF_OPEN ─────────┘

A permit is a number. All calls of one closed spell share one; each probe has its own.
A result counts only if its number is still good, so that what was sent before the circuit
opened, or a probe that was given up, changes nothing whenever it comes in (the generations
of gobreaker, taken down to the single probe).
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, NamedTuple

from attrs import frozen

from resilient.breaker.policy import BreakerPolicy
from resilient.core.outcome import Verdict
from resilient.reasons import Reason
from resilient.support.window import SlidingCounts

__all__ = ["Change", "Counts", "Machine", "State"]

CALLS, FAILURES, SLOW = range(3)

# After closing, each of these many steps of the ramp admits twice as many calls as the last,
# as TCP's slow start does: who calls seldom is never refused, a flood is let in over time.
_RAMP_STEPS: Final = 10

_FOR_GOOD: Final = math.inf


class State(Enum):
    """The states of a circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Change(NamedTuple):
    """A transition.

    Attributes:
        before: The state before.
        after: The state after.
        code: Why, for a program.
        reason: Why, in words.
        seconds: How long the circuit stays open, if it opened and that is known; else None.
    """

    before: State
    after: State
    code: Reason
    reason: str
    seconds: float | None = None


@frozen
class Counts:
    """The counts of a circuit.

    Attributes:
        calls: Calls that ended in its window, failures included.
        failures: Those of them that failed.
        slow: Those of them that were slow.
        consecutive_failures: The failures since the last call that went well, however long ago.
    """

    calls: int = 0
    failures: int = 0
    slow: int = 0
    consecutive_failures: int = 0


class Machine:
    """One circuit."""

    __slots__ = (
        "_admitted",
        "_closed_at",
        "_good",
        "_leases",
        "_now",
        "_policy",
        "_serial",
        "_step",
        "_streak",
        "_trips",
        "_until",
        "_window",
        "free_pass",
        "state",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self.state = State.CLOSED
        # The number that calls of this closed spell carry, and the last number given out.
        self._serial = 1
        # The same number as long as every call may pass, so that none need ask.
        self.free_pass: int | None = 1
        self._window: SlidingCounts | None = None
        self._streak = 0
        # How often it has opened with no quiet spell in between.
        self._trips = 0
        self._until = 0.0
        self._leases: dict[int, float] | None = None
        self._good = 0
        # When it closed, until it has proved itself; else None.
        self._closed_at: float | None = None
        self._step = 0
        self._admitted = 0
        self._now = -math.inf

    # -- before a call

    def admit(self, now: float) -> tuple[int, Change | None]:
        """Let a call pass, or refuse it.

        Returns:
            The number that the result has to carry, 0 for a refusal; and the change of state that
            the question made, or None.
        """
        if self.free_pass is not None:
            return self.free_pass, None
        if self.state is State.CLOSED:
            return self._serial if self._may_pass(now) else 0, None
        now = self._forward(now)
        change = None
        if self.state is State.OPEN:
            if now < self._until:
                return 0, None
            change = self._turn(State.HALF_OPEN, Reason.TIME_UP, "the time is up")
            self._leases = {}
            self._good = 0
        leases = self._leases
        assert leases is not None, "half-open has leases"
        for permit in [permit for permit, expires in leases.items() if expires <= now]:
            del leases[permit]
        if len(leases) + self._good >= self._policy.probes:
            return 0, change
        self._serial += 1
        leases[self._serial] = now + self._policy.probe_lease
        return self._serial, change

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until a call may pass.

        That is 0 if one may now, and None if none ever will until somebody closes the circuit.
        While every probe is out, it is the time until the first of their leases ends.
        """
        now = max(now, self._now)
        if self.state is State.OPEN:
            return None if self._until == _FOR_GOOD else max(0.0, self._until - now)
        if self.state is State.HALF_OPEN:
            leases = self._leases or {}
            if len(leases) + self._good < self._policy.probes or not leases:
                return 0.0
            return max(0.0, min(leases.values()) - now)
        width = self._policy.ramp_up / _RAMP_STEPS
        if self._closed_at is None or not width or self._admitted < self._allowance():
            return 0.0
        return max(0.0, self._closed_at + (self._step + 1) * width - now)

    # -- after a call

    def succeed(self, permit: int, now: float, duration: float) -> Change | None:
        """Take in that a call went well: `record`, made quick for the commonest case."""
        window = self._window
        if (
            permit == self.free_pass
            and window is not None
            and now < window.edge
            and self._policy.slow_call is None
        ):
            window.recent[CALLS] += 1
            self._streak = 0
            return None
        return self.record(permit, Verdict.SUCCESS, now, duration=duration)

    def record(
        self,
        permit: int,
        verdict: Verdict,
        now: float,
        *,
        duration: float = 0.0,
        retry_after: float | None = None,
        random: float = 0.0,
    ) -> Change | None:
        """Take in how a call ended.

        Args:
            permit: What `admit` gave.
            verdict: SUCCESS and TRANSIENT (a failure) count; anything else only gives the
                place of a probe back.
            now: The time, in seconds.
            duration: How long the call took, in seconds.
            retry_after: Seconds that the server asked to be left alone for.
            random: A number from [0, 1), which spreads the moment of the next probe.
        """
        if self.state is State.HALF_OPEN:
            leases = self._leases
            if leases is None or leases.pop(permit, None) is None:
                return None
        elif self.state is not State.CLOSED or permit != self._serial:
            return None
        if verdict is Verdict.SUCCESS:
            failed = False
        elif verdict is Verdict.TRANSIENT:
            failed = True
        else:
            return None
        if now > self._now:
            self._now = now
        slow_call = self._policy.slow_call
        slow = slow_call is not None and duration >= slow_call
        if self.state is State.HALF_OPEN:
            if failed or slow:
                code = Reason.PROBE_FAILED if failed else Reason.PROBE_SLOW
                reason = "a probe failed" if failed else "a probe was slow"
                return self._open(code, reason, retry_after, random)
            self._good += 1
            if self._good < self._policy.probes:
                return None
            return self._close(Reason.PROBES_SUCCEEDED, "the probes went well")
        window = self._window
        if window is None:
            window = self._window = SlidingCounts(self._policy.window, 3, self._now)
        window.add(CALLS, self._now)
        if slow:
            window.add(SLOW, self._now)
        if failed:
            window.add(FAILURES, self._now)
            self._streak += 1
        else:
            self._streak = 0
            if not slow:
                return None
        too_many = self._too_many(window)
        return None if too_many is None else self._open(*too_many, retry_after, random)

    def _too_many(self, window: SlidingCounts) -> tuple[Reason, str] | None:
        policy = self._policy
        calls, failures, slow = window.totals(self._now)
        if policy.consecutive_failures is not None and self._streak >= policy.consecutive_failures:
            return Reason.CONSECUTIVE, f"{self._streak} failures in a row"
        if calls < policy.minimum_calls:
            return None
        if failures >= policy.failure_rate * calls:
            return Reason.FAILURE_RATE, f"{failures} of {calls} calls failed"
        if policy.slow_call is not None and slow >= policy.slow_rate * calls:
            return Reason.SLOW_CALLS, f"{slow} of {calls} calls were slow"
        return None

    def void(self, permit: int) -> None:
        """Take a permit back whose attempt never left: it counts nowhere."""
        if self._leases is not None:
            self._leases.pop(permit, None)
        elif self.state is State.CLOSED and permit == self._serial and self._admitted:
            self._admitted -= 1

    # -- by hand

    def isolate(self) -> Change | None:
        """Refuse every call until `reset`; return the change, None if it was isolated before."""
        if self.isolated:
            return None
        self._until = _FOR_GOOD
        return self._turn(State.OPEN, Reason.BY_HAND, "isolated by hand")

    def reset(self) -> Change | None:
        """Close, with everything forgotten; return the change, None if it was closed before."""
        before = self.state
        self._trips = 0
        change = self._close(Reason.BY_HAND, "reset by hand")
        self._prove()
        return None if before is State.CLOSED else change

    # -- another event loop

    def rebase(self, now: float) -> None:
        """Move every stored time to another scale, on which the last time seen is `now`."""
        if self._now == -math.inf:
            return
        shift = now - self._now
        self._now = now
        self._until += shift
        if self._closed_at is not None:
            self._closed_at += shift
        if self._leases is not None:
            self._leases = {permit: expires + shift for permit, expires in self._leases.items()}
        if self._window is not None:
            self._window.rebase(shift)

    # -- looking at it

    @property
    def isolated(self) -> bool:
        """True if it is open until somebody closes it."""
        return self.state is State.OPEN and self._until == _FOR_GOOD

    def importance(self, now: float) -> int:
        """Rate from 0 (nothing) to 3 how much would be lost by forgetting this circuit."""
        if self.isolated:
            return 3
        if self.state is not State.CLOSED:
            return 2
        return 1 if self._closed_at is not None or self._totals(now)[FAILURES] else 0

    def counts(self, now: float) -> Counts:
        """Return the counts of the window."""
        calls, failures, slow = self._totals(now)
        return Counts(calls, failures, slow, self._streak)

    def _totals(self, now: float) -> list[int]:
        return [0, 0, 0] if self._window is None else self._window.totals(max(now, self._now))

    # -- transitions

    def _forward(self, now: float) -> float:
        """Return the time; a clock that goes back stands still here."""
        if now > self._now:
            self._now = now
        return self._now

    def _turn(
        self, after: State, code: Reason, reason: str, seconds: float | None = None
    ) -> Change:
        change = Change(self.state, after, code, reason, seconds)
        self.state = after
        # No result from before counts after.
        self._serial += 1
        self.free_pass = None
        self._leases = None
        return change

    def _open(self, code: Reason, reason: str, retry_after: float | None, random: float) -> Change:
        policy = self._policy
        # The exponent is bounded so that the power cannot overflow.
        seconds = policy.open_for * 2.0 ** min(self._trips, 60) * (1 + random / 10)
        seconds = min(max(seconds, retry_after or 0.0), policy.max_open_for)
        self._trips += 1
        self._until = self._now + seconds
        return self._turn(State.OPEN, code, reason, seconds)

    def _close(self, code: Reason, reason: str) -> Change:
        change = self._turn(State.CLOSED, code, reason)
        self._window = None
        self._streak = 0
        self._step = 0
        self._admitted = 0
        self._closed_at = self._now
        return change

    def _prove(self) -> None:
        """End the time after closing: hold nothing back, and open for `open_for` the next time."""
        self._closed_at = None
        self._trips = 0
        self.free_pass = self._serial

    # -- letting traffic back in

    def _allowance(self) -> int:
        return self._policy.probes << self._step

    def _may_pass(self, now: float) -> bool:
        """Decide whether one more call may pass so soon after closing."""
        policy = self._policy
        assert self._closed_at is not None, "asked only after closing"
        elapsed = self._forward(now) - self._closed_at
        if elapsed >= policy.ramp_up:
            if elapsed >= policy.window:
                self._prove()
            return True
        step = int(elapsed / policy.ramp_up * _RAMP_STEPS)
        if step > self._step:
            self._step = step
            self._admitted = 0
        if self._admitted >= self._allowance():
            return False
        self._admitted += 1
        return True
