"""List the peers, and find those that are installed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from aiohttp import ClientRequest, ClientResponse
from attrs import frozen

from benchmarks.overhead.wrapper import Wrapper

__all__ = ["HAND_WRITTEN", "LIBRARIES", "Peers", "find_peers"]

# The names of distributions; each library is imported by the same name.
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

# Code that people write instead of using a library: the least cost. (With a breaker it is the
# reference of all ratios, measured with or without peers; see `references`.)
HAND_WRITTEN = ("hand-written-retry",)


@frozen
class Peers:
    """The peers.

    Attributes:
        wrappers: The peers that can be measured.
        absent: The names of peers that are not installed.
        unusable: Peers whose installed version cannot be used, with the reason.
    """

    wrappers: tuple[Wrapper, ...] = ()
    absent: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()

    def chosen(self, wants: Callable[[str], bool]) -> Peers:
        """Return those whose rows are wanted.

        Args:
            wants: Returns True for a name of a row that is wanted.
        """
        return Peers(
            tuple(each for each in self.wrappers if wants(each.label)),
            tuple(name for name in self.absent if wants(name)),
            tuple((name, why) for name, why in self.unusable if wants(name)),
        )


def find_peers(names: tuple[str, ...] = HAND_WRITTEN + LIBRARIES) -> Peers:
    """Import the peers that are installed."""
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
        except ImportError:  # installed, but something that it needs is not
            absent.append(name)
        except Exception as error:  # another version may fail in any way
            unusable.append((name, f"{type(error).__name__}: {error}"))
        else:
            wrappers.append(wrapper)
    return Peers(tuple(wrappers), tuple(absent), tuple(unusable))


async def _try(wrapper: Wrapper) -> None:
    """Wrap a handler once, and use a circuit if the peer has a breaker."""
    try:
        wrapper.wrap(_nothing)
        if wrapper.refusal is not None:
            await wrapper.circuits()("https://a.example", (False, True))
    finally:
        await wrapper.close()


async def _nothing(request: ClientRequest) -> ClientResponse:
    raise NotImplementedError
