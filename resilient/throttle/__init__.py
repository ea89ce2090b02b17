"""The throttle: hold calls back once a server refuses them, and keep a declared limit."""

from resilient.throttle.destinations import GateView as GateView
from resilient.throttle.middleware import Throttle as Throttle
from resilient.throttle.policy import ThrottlePolicy as ThrottlePolicy

__all__ = ["GateView", "Throttle", "ThrottlePolicy"]
