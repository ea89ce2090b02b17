"""What to test code with that calls APIs: for now, a real server that misbehaves to order."""

from resilient.testing.faults import Disconnect, Hang, Malformed, Reply, Reset, Step
from resilient.testing.received import Received, Unparsable
from resilient.testing.script import Answer
from resilient.testing.server import FaultServer

__all__ = [
    "Answer",
    "Disconnect",
    "FaultServer",
    "Hang",
    "Malformed",
    "Received",
    "Reply",
    "Reset",
    "Step",
    "Unparsable",
]
