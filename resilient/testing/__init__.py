"""Test code that calls APIs, with servers that misbehave, mocks, clocks and assertions.

Each name is imported when it is first used.
"""

from typing import TYPE_CHECKING

from resilient.support.lazy import lazy_names

if TYPE_CHECKING:
    from resilient.testing.event_log import EventLog as EventLog
    from resilient.testing.handler.responses import make_response as make_response
    from resilient.testing.handler.scripted import ScriptedHandler as ScriptedHandler
    from resilient.testing.mocked.mock import (
        CallbackResult as CallbackResult,
        aioresponses as aioresponses,
    )
    from resilient.testing.script.brownout import BrownOut as BrownOut
    from resilient.testing.script.faults import (
        Disconnect as Disconnect,
        Hang as Hang,
        Malformed as Malformed,
        Reply as Reply,
        Reset as Reset,
        Step as Step,
    )
    from resilient.testing.script.limit import Limit as Limit
    from resilient.testing.script.mixture import Mixture as Mixture
    from resilient.testing.script.outage import Outage as Outage, Period as Period
    from resilient.testing.script.script import (
        Answer as Answer,
        Chooser as Chooser,
        Delayed as Delayed,
    )
    from resilient.testing.server.fault_server import FaultServer as FaultServer
    from resilient.testing.server.process import FaultServerProcess as FaultServerProcess
    from resilient.testing.server.received import Received as Received, Unparsable as Unparsable
    from resilient.testing.server.records import Stats as Stats
    from resilient.testing.time.clocks import FakeClock as FakeClock, LoopClock as LoopClock
    from resilient.testing.time.virtual import (
        DeadlockError as DeadlockError,
        VirtualTimeLoop as VirtualTimeLoop,
        run_in_virtual_time as run_in_virtual_time,
    )
else:
    __getattr__, __dir__ = lazy_names(__name__)
