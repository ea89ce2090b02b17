"""Script the server of the demo, and the policy of the pipeline that meets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, field, frozen

from resilient.cli.demo.documented import flat, nested
from resilient.envelopes import CodeRule
from resilient.envelopes.policy import ErrorPolicy
from resilient.pipeline.policy import Policy
from resilient.testing import Answer, Limit, Received, Reply, Reset, Step
from resilient.testing.script.mixture import Mixture

__all__ = [
    "CALLS",
    "CROWD",
    "LIMIT",
    "MIXED_AT_ONCE",
    "MIXED_CALLS",
    "MIXTURE",
    "OUTAGE",
    "PACE",
    "POLICY",
    "TRACED",
    "Limited",
    "Outage",
    "ScriptedCall",
    "in_words",
    "mixture",
]

# The defaults, but for limits of time, so that a server that hangs does not hold the demo up.
POLICY: Final = Policy(
    name="demo",
    total_timeout=10.0,
    errors=ErrorPolicy(
        code_rules=[CodeRule("slot_unavailable", status=400, message="no longer available")]
    ),
    attempt_timeout=0.5,
)


# Single calls.

_SLOW: Final = Reply(200, json={}, delay=1.2)
_OK: Final = Reply(200, json={})
_DOWN: Final = nested(503, "service_unavailable", "The API is temporarily unavailable.")
_LIMITED: Final = nested(429, "rate_limit_exceeded", "Please retry later.")
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


# The call of which spans are shown.
TRACED: Final = ScriptedCall("GET", "/mavio/meetings/7", (_DOWN, _BUSY, _OK))


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
# It comes back between two probes of the circuit, so that each run of the demo is like the last.
OUTAGE: Final = (
    ("the server is well", False, 50),
    ("the server goes down", True, 110),
    ("the server is back", False, 70),
)
# Seconds from one call to the next.
PACE: Final = 0.02


@define(eq=False)
class Outage:
    """Answers well until it is `down`, and counts its answers."""

    down: bool = False
    well: int = 0
    failed: int = 0

    @property
    def hits(self) -> int:
        """The number of requests so far."""
        return self.well + self.failed

    def __call__(self, request: Received) -> Step:
        """Return the answer to one request."""
        if self.down:
            self.failed += 1
            return _DOWN
        self.well += 1
        return _OK


# A crowd at a limit.

CROWD: Final = 50
LIMIT: Final = "10/s"


@define(eq=False)
class Limited:
    """Keeps a limit, and counts its answers."""

    _limit: Limit = field(factory=lambda: Limit(LIMIT, then=_OK, refusal=_LIMITED))
    refused: int = 0
    let_through: int = 0

    @property
    def drawn(self) -> tuple[int, int]:
        """The numbers of answers: refusals, and the others."""
        return self.refused, self.let_through

    def __call__(self, request: Received) -> Answer:
        """Return the answer to one request."""
        answer = self._limit(request)
        if isinstance(answer, Reply) and answer.status == 429:
            self.refused += 1
        else:
            self.let_through += 1
        return answer


# A mixture of faults.

MIXED_CALLS: Final = 100
MIXED_AT_ONCE: Final = 20

# What the server does, and with which share of the requests.
MIXTURE: Final[tuple[tuple[str, float, Step], ...]] = (
    ("503", 0.14, _DOWN),
    ("reset", 0.04, Reset()),
    ("slow", 0.02, _SLOW),
    ("answered at once", 0.8, _OK),
)


def mixture(seed: int) -> Mixture:
    """Draws from `MIXTURE`; the same seed draws the same row of answers."""
    *faults, (_, _, rest) = MIXTURE
    return Mixture([(step, share) for _, share, step in faults], otherwise=rest, seed=seed)
