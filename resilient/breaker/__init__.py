"""Circuit breaking: the policy, the states, and the middleware around them.

What a name stands for is imported when it is first used: a breaker that nobody looks at
needs no `Circuit`.
"""

from typing import TYPE_CHECKING

from resilient.lazy import lazy_names

if TYPE_CHECKING:
    from resilient.breaker.circuit import Circuit as Circuit
    from resilient.breaker.counts import Counts as Counts
    from resilient.breaker.machine import State as State
    from resilient.breaker.middleware import CircuitBreaker as CircuitBreaker
    from resilient.breaker.policy import BreakerPolicy as BreakerPolicy

_HOMES = {
    "BreakerPolicy": "resilient.breaker.policy",
    "Circuit": "resilient.breaker.circuit",
    "CircuitBreaker": "resilient.breaker.middleware",
    "Counts": "resilient.breaker.counts",
    "State": "resilient.breaker.machine",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
