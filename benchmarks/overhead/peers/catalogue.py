"""Which peers there are, and those of them that are installed."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec

from aiohttp import ClientRequest, ClientResponse
from attrs import frozen

from benchmarks.overhead.wrapper import Wrapper

__all__ = ["HAND_WRITTEN", "LIBRARIES", "Peers", "find_peers"]

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
class Peers:
    """The peers.

    Attributes:
        wrappers: Those that can be measured.
        absent: The names of those that are not installed.
        unusable: Those that are, and cannot be used as they are here; and why, in a few words.
    """

    wrappers: tuple[Wrapper, ...] = ()
    absent: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def find_peers(names: tuple[str, ...] = HAND_WRITTEN + LIBRARIES) -> Peers:
    """Import the peers that are there."""
    wrappers: list[Wrapper] = []
    absent, unusable = [], []
    for name in names:
        module = name.replace("-", "_")
        if name in LIBRARIES and find_spec(module) is None:
            absent.append(name)
            continue
        try:
            wrapper = import_module(f"benchmarks.overhead.peers.{module}").WRAPPER
            asyncio.run(_try(wrapper))
        except ImportError:  # it is there, and something that it needs is not
            absent.append(name)
        except Exception as error:  # whatever another version of it makes of how it is used here
            unusable.append((name, f"{type(error).__name__}: {error}"))
        else:
            wrappers.append(wrapper)
    return Peers(tuple(wrappers), tuple(absent), tuple(unusable))


async def _try(wrapper: Wrapper) -> None:
    """Make what is to be measured, and use it once if it has a breaker."""
    wrapper.wrap(_nothing)
    await wrapper.close()
    if wrapper.refusal is not None:
        await wrapper.circuits()("a circuit", (False, True))


async def _nothing(request: ClientRequest) -> ClientResponse:
    raise NotImplementedError
