"""Find out what may still arrive at the sockets that an event loop watches.

A TCP connection on loopback has two ends. If the loop watches both, nothing arrives at
either that the loop itself did not send, and Linux tells how many bytes an end has sent and
how many the other has received (`TCP_INFO`). So it is known, and not guessed, that nothing
is on its way. A listening socket is watched for connections that these ends belong to, and
counts for nothing by itself.

All else is *outside*: the other end is with another loop, thread or process, or closed a
moment ago, or it is a pipe. Where the system does not tell (not Linux), every connection
counts as outside.
"""

from __future__ import annotations

import enum
import os
import selectors
import socket
import struct
import sys
from collections.abc import Collection

from attrs import define, field, frozen

__all__ = ["Traffic", "Watched"]

# Of Linux's `struct tcp_info`: the state, and the bytes that were received, that wait to be
# sent, that were sent, and that were sent again.
_TCP_INFO = struct.Struct("=B127xQ8xI52xQQ")

# States of an end that has sent its FIN, and of one that has received the other's.
_FIN_SENT = frozenset({4, 5, 6, 9, 11})  # FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING
_FIN_RECEIVED = frozenset({6, 7, 8, 9, 11})  # TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING

_Address = tuple[str, int]


class Traffic(enum.Flag):
    """The kinds of things that may arrive.

    MOVING: Bytes are on their way from one watched end to another.
    OUTSIDE: An end is watched whose other end is not.
    CHILD: The end of a child process is watched for (a pidfd of Linux's).
    LISTENING: A listening socket is watched.
    """

    NONE = 0
    MOVING = enum.auto()
    OUTSIDE = enum.auto()
    CHILD = enum.auto()
    LISTENING = enum.auto()


@frozen
class _Stream:
    """One end of a TCP connection: its family and type, and both addresses."""

    kind: tuple[int, int, int]
    here: _Address
    there: _Address


@frozen
class _Count:
    """The state of one end, the bytes it has sent or is to send, and those it has received."""

    state: int
    sent: int
    received: int


@define(eq=False)
class Watched:
    """The file descriptors that a selector has, and what is known of them."""

    _known: dict[int, _Stream | Traffic] = field(factory=dict, init=False)

    def forget(self, descriptor: int) -> None:
        """Forget a descriptor that is watched no longer."""
        self._known.pop(descriptor, None)

    def children(self) -> set[int]:
        """Return the descriptors that stand for child processes."""
        return {each for each, what in self._known.items() if what is Traffic.CHILD}

    def traffic(
        self, keys: Collection[selectors.SelectorKey], ignored: Collection[int] = ()
    ) -> Traffic:
        """Return what may arrive.

        Args:
            keys: The descriptors that the selector has.
            ignored: Descriptors that do not count.
        """
        found = Traffic.NONE
        streams: dict[tuple[_Address, _Address], tuple[selectors.SelectorKey, _Stream]] = {}
        for key in keys:
            if key.fd in ignored:
                continue
            what = self._look_at(key.fd)
            if isinstance(what, Traffic):
                found |= what
            else:
                streams[what.here, what.there] = key, what
        counts: dict[int, _Count | None] = {}

        def count(key: selectors.SelectorKey, stream: _Stream) -> _Count | None:
            if key.fd not in counts:
                counts[key.fd] = _count(key.fd, stream)
            return counts[key.fd]

        for (here, there), end in streams.items():
            other = streams.get((there, here))
            if other is None:
                found |= Traffic.OUTSIDE
            elif end[0].events & selectors.EVENT_READ:
                found |= _between(count(*other), count(*end))
        return found

    def _look_at(self, descriptor: int) -> _Stream | Traffic:
        known = self._known.get(descriptor)
        if known is None:
            known = _describe(descriptor)
            if known is None:  # it is not connected yet
                return Traffic.OUTSIDE
            self._known[descriptor] = known
        return known


def _between(sender: _Count | None, receiver: _Count | None) -> Traffic:
    if sender is None or receiver is None:
        return Traffic.OUTSIDE
    if sender.sent > receiver.received:  # a FIN is counted where it is received
        return Traffic.MOVING
    if sender.state in _FIN_SENT and receiver.state not in _FIN_RECEIVED:
        return Traffic.MOVING
    return Traffic.NONE


def _describe(descriptor: int) -> _Stream | Traffic | None:
    """Return what a descriptor is; None for a socket that is not connected."""
    try:
        end = socket.socket(fileno=descriptor)
    except OSError:  # it is no socket
        return Traffic.CHILD if _is_pidfd(descriptor) else Traffic.OUTSIDE
    try:
        if end.type != socket.SOCK_STREAM or end.family not in (socket.AF_INET, socket.AF_INET6):
            return Traffic.OUTSIDE
        if end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return Traffic.LISTENING
        kind = end.family, end.type, end.proto
        return _Stream(kind, _address(end.getsockname()), _address(end.getpeername()))
    except OSError:
        return None
    finally:
        end.detach()  # it is not ours to close


def _is_pidfd(descriptor: int) -> bool:
    try:
        return "pidfd" in os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return False


def _address(name: tuple[str, int]) -> _Address:
    # A socket for IPv6 may take connections by IPv4.
    return name[0].removeprefix("::ffff:"), name[1]


def _count(descriptor: int, stream: _Stream) -> _Count | None:
    if sys.platform != "linux":
        return None
    end = socket.socket(*stream.kind, fileno=descriptor)
    try:
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return None
    finally:
        end.detach()
    if len(info) < _TCP_INFO.size:  # Linux before 4.19
        return None
    state, received, waiting, sent, repeated = _TCP_INFO.unpack(info)
    return _Count(state, sent - repeated + waiting, received)
