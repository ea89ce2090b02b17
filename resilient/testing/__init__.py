"""What to test code with that calls APIs: servers that misbehave, mocks, clocks, assertions.

What a name stands for is imported when the name is first used.
"""

from typing import TYPE_CHECKING

from resilient.lazy import lazy_names

if TYPE_CHECKING:
    from resilient.testing.brownout import BrownOut as BrownOut
    from resilient.testing.bucket import TokenBucket as TokenBucket
    from resilient.testing.clocks import FakeClock as FakeClock, LoopClock as LoopClock
    from resilient.testing.events import EventLog as EventLog
    from resilient.testing.faults import (
        Disconnect as Disconnect,
        Hang as Hang,
        Malformed as Malformed,
        Reply as Reply,
        Reset as Reset,
        Step as Step,
    )
    from resilient.testing.mixture import Mixture as Mixture
    from resilient.testing.mocked.mock import (
        CallbackResult as CallbackResult,
        aioresponses as aioresponses,
    )
    from resilient.testing.outage import Outage as Outage
    from resilient.testing.period import Period as Period
    from resilient.testing.process import FaultServerProcess as FaultServerProcess
    from resilient.testing.received import Received as Received, Unparsable as Unparsable
    from resilient.testing.responses import make_response as make_response
    from resilient.testing.script import (
        Answer as Answer,
        Chooser as Chooser,
        Delayed as Delayed,
    )
    from resilient.testing.scripted import ScriptedHandler as ScriptedHandler
    from resilient.testing.server import FaultServer as FaultServer
    from resilient.testing.stats import Stats as Stats
    from resilient.testing.virtual import (
        VirtualTimeLoop as VirtualTimeLoop,
        run_in_virtual_time as run_in_virtual_time,
    )

_HOMES = {
    "Answer": "resilient.testing.script",
    "BrownOut": "resilient.testing.brownout",
    "CallbackResult": "resilient.testing.mocked.mock",
    "Chooser": "resilient.testing.script",
    "Delayed": "resilient.testing.script",
    "Disconnect": "resilient.testing.faults",
    "EventLog": "resilient.testing.events",
    "FakeClock": "resilient.testing.clocks",
    "FaultServer": "resilient.testing.server",
    "FaultServerProcess": "resilient.testing.process",
    "Hang": "resilient.testing.faults",
    "LoopClock": "resilient.testing.clocks",
    "Malformed": "resilient.testing.faults",
    "Mixture": "resilient.testing.mixture",
    "Outage": "resilient.testing.outage",
    "Period": "resilient.testing.period",
    "Received": "resilient.testing.received",
    "Reply": "resilient.testing.faults",
    "Reset": "resilient.testing.faults",
    "ScriptedHandler": "resilient.testing.scripted",
    "Stats": "resilient.testing.stats",
    "Step": "resilient.testing.faults",
    "TokenBucket": "resilient.testing.bucket",
    "Unparsable": "resilient.testing.received",
    "VirtualTimeLoop": "resilient.testing.virtual",
    "aioresponses": "resilient.testing.mocked.mock",
    "make_response": "resilient.testing.responses",
    "run_in_virtual_time": "resilient.testing.virtual",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
