"""Script the server of the demo, and the policies of the pipelines that meet it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, frozen

from resilient.breaker import BreakerPolicy
from resilient.cli.demo.documented import flat, nested
from resilient.envelopes import CodeRule
from resilient.envelopes.policy import ErrorPolicy
from resilient.pipeline.policy import Policy
from resilient.retry import Backoff, BudgetPolicy, RetryPolicy
from resilient.testing import Received, Reply, Reset, Step
from resilient.testing.script.mixture import Mixture

__all__ = [
    "BREAKER_POLICY",
    "CALLS",
    "CALLS_AT_ONCE",
    "CALLS_PER_SIDE",
    "MIXTURE",
    "OUTAGE",
    "PACE",
    "POLICY",
    "Outage",
    "ScriptedCall",
    "in_words",
    "mixture",
]

# Everything is short, so that the demo is.
POLICY: Final = Policy(
    name="demo",
    total_timeout=6.0,
    retry=RetryPolicy(
        max_attempts=5,
        backoff=Backoff(base=0.05, cap=0.5, jitter="equal"),
        max_retry_after=2.0,
        # Far more fails here than the default allows for.
        budget=BudgetPolicy(ratio=0.5),
    ),
    errors=ErrorPolicy(
        code_rules=[CodeRule("slot_unavailable", status=400, message="no longer available")]
    ),
    attempt_timeout=0.5,
)

# One attempt a call, so that each call shows what the breaker alone does.
BREAKER_POLICY: Final = Policy(
    name="outage",
    total_timeout=None,
    retry=None,
    breaker=BreakerPolicy(failures=10, open_for=0.5, max_open_for=1.0, patience=0),
    attempt_timeout=0.5,
)


# Single calls.

_SLOW: Final = Reply(200, json={}, delay=1.2)
_OK: Final = Reply(200, json={})
_DOWN: Final = nested(503, "service_unavailable", "The API is temporarily unavailable.")
_BUSY: Final = nested(429, "rate_limit_exceeded", "Please retry after 1 second.", retry_after=1)


@frozen
class ScriptedCall:
    """A call, and the answers of the server to its requests, one after the other."""

    method: str
    path: str
    steps: tuple[Step, ...]
    idempotency_key: str | None = None


CALLS: Final = (
    ScriptedCall("GET", "/mavio/meetings", (_DOWN, _OK)),
    ScriptedCall("GET", "/mavio/meetings", (_BUSY, _OK)),
    ScriptedCall("GET", "/meetergo/users", (Reset(), Reset(), _OK)),
    ScriptedCall("GET", "/meetergo/availability", (_SLOW, _OK)),
    ScriptedCall("POST", "/meetergo/bookings", (flat(503, "Service unavailable"), _OK)),
    ScriptedCall(
        "POST", "/meetergo/bookings", (flat(503, "Service unavailable"), _OK), "booking-1"
    ),
    ScriptedCall("GET", "/meetergo/users", (flat(429, "Rate limit", retry_after=60), _OK)),
)


def in_words(steps: Iterable[Step]) -> str:
    """The script of the server, in words."""
    return ", then ".join(map(_in_words, steps))


def _in_words(step: Step) -> str:
    if not isinstance(step, Reply):
        return type(step).__name__.lower()
    words = str(step.status)
    retry_after = dict(step.headers).get("Retry-After")
    if retry_after is not None:
        words += f" with Retry-After: {retry_after}"
    return f"{words} after {step.delay:g} s" if step.delay else words


# An outage.

# What the server does, whether it is down then, and how many calls are made meanwhile.
OUTAGE: Final = (
    ("the server is well", False, 25),
    ("the server goes down", True, 65),
    ("the server is back", False, 70),
)
# Seconds from one call to the next.
PACE: Final = 0.02


@define(eq=False)
class Outage:
    """Answers well until it is `down`."""

    down: bool = False

    def __call__(self, request: Received) -> Step:
        """Return the answer to one request."""
        return _DOWN if self.down else _OK


# A mixture of faults.

CALLS_PER_SIDE: Final = 200
CALLS_AT_ONCE: Final = 20

# What the server does, and with which share of the requests.
MIXTURE: Final[tuple[tuple[str, float, Step], ...]] = (
    ("503", 0.12, _DOWN),
    ("429 with Retry-After", 0.03, _BUSY),
    ("reset", 0.04, Reset()),
    ("slow", 0.02, _SLOW),
    ("answered at once", 0.79, _OK),
)


def mixture(seed: int) -> Mixture:
    """Draws from `MIXTURE`; the same seed draws the same row of answers."""
    *faults, (_, _, rest) = MIXTURE
    return Mixture([(step, share) for _, share, step in faults], otherwise=rest, seed=seed)
