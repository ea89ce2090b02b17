"""Services from a file. What it takes to read one is imported when one is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from resilient.breaker.middleware import Key
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.retry import RetryBudget
from resilient.services.middleware import Services
from resilient.telemetry.events import Listener

__all__ = ["load_services"]


def load_services(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    listeners: Iterable[Listener] = (),
    key: Key | None = None,
    budget: RetryBudget | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Services:
    """The services that a TOML file describes.

        [services.mavio]
        extends = "mavio"                      # a preset, or another service
        match = "https://api.mavio.example"
        total_timeout = "20s"                  # the keys are the fields of Policy
        retry = { max_attempts = 5 }

        [default]                              # for the URLs that no service covers
        extends = "standard"

    `extends` takes the settings of a preset or of another service where a table has none of
    its own; `match` is never taken over. `[presets.NAME]` holds settings to extend that are
    no service. Durations are numbers of seconds, or texts: "250ms", "30s", "5min", "2h".
    `false` leaves out what may be None in code. Functions and classes are named:
    `judge = "package.module:function"`. `python -m resilient check FILE` shows what it
    comes to.

    Args:
        source: The path of a file, or a mapping of the same form that was read elsewhere.
        listeners: Told of what happens, in all pipelines.
        key: Which circuit a request belongs to; by default one per origin.
        clock: The source of time, sleep and randomness.

    Raises:
        ConfigError: Everything that is wrong with the file; its `problems` are each by itself.
        ModuleNotFoundError: The extra `config` is not installed.
    """
    try:
        import cattrs  # noqa: F401 (only to say what is missing)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'a file of services needs cattrs: pip install "resilient-aiohttp[config]"',
            name="cattrs",
        ) from error
    from resilient.services.config.configuration import read_configuration

    read = read_configuration(source)
    return Services(
        read.services,
        default=read.default,
        listeners=listeners,
        key=key,
        budget=budget,
        clock=clock,
    )
