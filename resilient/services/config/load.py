"""Load services from a file. What that needs is imported when a file is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from resilient.bulkhead import Bulkhead
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.retry import RetryBudget
from resilient.services.config.reading import read_services
from resilient.services.middleware import Services
from resilient.telemetry.events import Listener
from resilient.telemetry.telemetry import Telemetry
from resilient.throttle import Throttle

__all__ = ["load_services"]


def load_services(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    code: bool | Iterable[str] = False,
    environ: bool | Mapping[str, str] = False,
    listeners: Iterable[Listener] = (),
    budget: RetryBudget | None = None,
    throttle: Throttle | None = None,
    bulkhead: Bulkhead | None = None,
    telemetry: Telemetry | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Services:
    """Load the services that a TOML file describes.

        [services.mavio]
        extends = "mavio"                      # a preset; "services.NAME" is another service
        match = "https://api.mavio.example"
        total_timeout = "20s"                  # the keys are the fields of Policy
        retry = { max_attempts = 5 }

        [default]                              # for the URLs that no service covers
        extends = "standard"

    `extends` takes the settings of a preset or of another service where a table has none of
    its own; `match` is never taken over. A name that a preset has means the preset, whatever
    services there are; `extends = "services.NAME"` always means the service. `[presets.NAME]`
    holds settings to extend that are no service. Durations are numbers of seconds, or texts:
    "250ms", "30s", "5min", "2h". `false` leaves out what may be None in code. `python -m
    resilient check FILE` shows the result.

    `include = ["shared.toml"]` at the top takes in other files: paths relative to the file, below
    the folder of the first one. Each service is defined once, whichever file it is in.

    With `environ=True`, variables of the environment outrank the file:
    `RESILIENT__SERVICES__MAVIO__TOTAL_TIMEOUT=20s`, the keys joined by two underscores. Names are
    found whatever their case, an underscore for what is no letter or digit. Values are TOML, or
    else texts. A variable that begins with `RESILIENT__` and means nothing is an error.

    A file is data: whoever may write it decides how calls are made, but runs nothing. Functions
    and classes are named, `judge = "package.module:function"`, and that is refused unless
    `code` allows it, since importing a module runs it. With `code=True`, whoever may write the
    file, or anything in its folder, may run code in the program: treat them as the program's
    source. A list of modules still lets a file choose among the functions in those. Parsers of
    error bodies that an installed package declares by a short name (an entry point in the group
    "resilient.envelopes") need no permission: installing the package gave it.

    Modules are found where the program imports from, and then in the folder that the file is in;
    a link to a file is followed. `sys.path` stays as it was, so that a module of the folder
    must not import another one of it later, inside a function.

    Args:
        source: The path of a file, or a mapping of the same form that was read elsewhere.
        code: True to import the code that the file names, or the modules that it may name, such
            as `["my_package.rules"]`. By default it may name none.
        environ: True to let variables of the environment outrank the file, or a mapping of
            variables in their place. By default they change nothing.
        listeners: Called with the events of all pipelines.
        budget: A retry budget that all services share, in place of one for each.
        throttle: A throttle that all services share, in place of those of their policies.
        bulkhead: A bulkhead that all services share, in place of those of their policies.
        telemetry: What the services with a table `telemetry` tell of their calls; by default
            OpenTelemetry's global providers.
        clock: The source of time, sleep and randomness.

    Raises:
        ConfigError: Everything that is wrong with the file; its `problems` are each by itself, with
            file, line and column.
        ModuleNotFoundError: The extra `config` is not installed, or a service has telemetry, and
            the extra `otel` is not.
    """
    read = read_services(source, code, environ)
    return Services(
        read.services,
        default=read.default,
        listeners=listeners,
        budget=budget,
        throttle=throttle,
        bulkhead=bulkhead,
        telemetry=telemetry,
        clock=clock,
    )
