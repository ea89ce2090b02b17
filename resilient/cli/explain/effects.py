"""Say what a failure does to others: to the circuit, to a gate, and to the retry budget.

The circuit's own question is asked (`Outcome.health`), and the throttle's own part of a key named.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from resilient.core.outcome import Outcome, Verdict
from resilient.pipeline.policy import Policy

__all__ = ["NO_EFFECTS", "Effects", "effects_of", "is_paced"]

_COUNTED: dict[Verdict, Literal["failure", "success", "nothing"]] = {
    Verdict.TRANSIENT: "failure",
    Verdict.SUCCESS: "success",
    Verdict.NEUTRAL: "nothing",
}


@frozen
class Effects:
    """The things that a failure does besides ending an attempt.

    Attributes:
        circuit: The circuit counts it as a "failure", a "success" or "nothing"; None where
            there is no circuit breaker, or that is not known (of a code, which may come with
            several statuses), or nothing was attempted.
        closes_gate: Whether others have to wait from then on.
        charged: Whether the retry that follows is charged to the budget if it fails too; None
            where none follows, or there is no budget.
    """

    circuit: Literal["failure", "success", "nothing"] | None = None
    closes_gate: bool = False
    charged: bool | None = None

    def __str__(self) -> str:
        said = []
        if self.closes_gate:
            said.append("it closes a gate")
        elif self.circuit in ("failure", "success"):
            said.append(f"it is a {self.circuit} for the circuit")
        if self.charged is not None:
            said.append("its retry is charged if it fails" if self.charged else "its retry is free")
        return "; ".join(said)


NO_EFFECTS: Final = Effects()


def is_paced(policy: Policy, outcome: Outcome) -> bool:
    """Return whether a throttle says when the next attempt goes, so that the backoff does not."""
    throttle = policy.throttle
    return throttle is not None and throttle.learn and outcome.is_throttled


def effects_of(policy: Policy, outcome: Outcome, *, is_repeated: bool, at_once: bool) -> Effects:
    """Return the effects of an outcome.

    Args:
        policy: The policy.
        outcome: The outcome.
        is_repeated: Whether another attempt follows.
        at_once: Whether it follows without a wait, since a stale connection swallowed this one.
    """
    breaker, retry = policy.breaker, policy.retry
    paced = is_paced(policy, outcome)
    charged = None
    if is_repeated and retry is not None and retry.budget is not None:
        charged = not (paced or at_once)
    return Effects(
        circuit=None if breaker is None else _COUNTED[outcome.health(breaker.statuses)],
        closes_gate=paced,
        charged=charged,
    )
