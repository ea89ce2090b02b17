"""Which peers there are, and those of them that are installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from attrs import frozen

from benchmarks.overhead.wrapper import Wrapper

__all__ = ["HAND_WRITTEN", "LIBRARIES", "Found", "find_peers"]

# By the names of their distributions; a library is imported by the same name.
LIBRARIES = (
    "aiohttp-retry",
    "tenacity",
    "stamina",
    "backoff",
    "purgatory",
    "aiobreaker",
    "hyx",
    "clientwright",
)

# What a person writes who wants no library: the floor.
HAND_WRITTEN = ("hand-written-retry", "hand-written-breaker")


@frozen
class Found:
    """The peers.

    Attributes:
        wrappers: Those that can be measured.
        absent: The names of those that are not installed, or do not run here.
    """

    wrappers: tuple[Wrapper, ...] = ()
    absent: tuple[str, ...] = ()


def find_peers(names: tuple[str, ...] = HAND_WRITTEN + LIBRARIES) -> Found:
    """Import the peers that are there."""
    wrappers, absent = [], []
    for name in names:
        module = name.replace("-", "_")
        if name in LIBRARIES and find_spec(module) is None:
            absent.append(name)
            continue
        try:
            wrappers.append(import_module(f"benchmarks.overhead.peers.{module}").WRAPPER)
        except ImportError:  # it is there, and something that it needs is not
            absent.append(name)
    return Found(tuple(wrappers), tuple(absent))
