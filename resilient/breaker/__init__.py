"""Circuit breaking: the policy, the states, and the middleware around them."""

from resilient.breaker.circuit import Circuit
from resilient.breaker.machine import Counts, State
from resilient.breaker.middleware import CircuitBreaker
from resilient.breaker.policy import BreakerPolicy

__all__ = ["BreakerPolicy", "Circuit", "CircuitBreaker", "Counts", "State"]
