"""The queues of guards: who waits, and whose turn it is.

All queues of one pipeline share a `Room`, so that what waits is bounded as a whole, however
many destinations are in trouble at once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from resilient.core.waiting import Turn

__all__ = ["MAX_WAITING", "Queue", "Room"]

# A place in a queue costs a future, a timer and the caller's own task, some kilobytes in all.
MAX_WAITING: Final = 10_000


class Room:
    """Bounds how many attempts may wait in all queues that share it.

    An attempt that is the head of one queue and waits in another one counts in both.

    Attributes:
        limit: How many may wait; by default 10,000.
        taken: How many do.
    """

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self.limit = limit
        self.taken = 0


class Queue:
    """The attempts that wait at a guard, first in, first out.

    A guard makes its queues, asks `is_next`, and wakes the head when it may grant a permit
    again. The runner lets attempts join and leave. Joining, leaving and waking take the same
    time however many wait, and an attempt that has left takes no memory.

    Args:
        room: Counts those who wait at all guards of a pipeline; by default only this queue's.

    Attributes:
        head: The first in the queue; None if nobody waits.
        room: As given.
    """

    __slots__ = ("_turns", "head", "room")

    def __init__(self, room: Room | None = None) -> None:
        self.head: Turn | None = None
        self.room = Room() if room is None else room
        # With the end of the wait that each joined with.
        self._turns: OrderedDict[Turn, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def __contains__(self, turn: object) -> bool:
        return turn in self._turns

    def until(self, turn: Turn) -> float | None:
        """Return the end of the wait with which an attempt joined; None if it does not wait here.

        A guard that limits how long an attempt waits finds its limit here, also after others have
        had it wait in between.
        """
        return self._turns.get(turn)

    def is_next(self, turn: Turn | None) -> bool:
        """Return whether no other attempt waits before this one.

        Args:
            turn: The attempt's, if it waits, here or elsewhere; None for one that is new: it is
                next only if nobody waits.
        """
        head = self.head
        return head is None or head is turn

    def join(self, turn: Turn, *, front: bool = False) -> None:
        """Give an attempt a place, at the end or at the front; one that it has it keeps."""
        if turn in self._turns:
            return
        self._turns[turn] = turn.until
        self.room.taken += 1
        if self.head is None:
            self.head = turn
        elif front:
            self._turns.move_to_end(turn, last=False)
            self.head = turn
            # The one that was the head may have been woken, and can no longer use it.
            turn.wake()

    def leave(self, turn: Turn) -> None:
        """Give a place up; if it was the head's, the next one is woken."""
        if turn not in self._turns:
            return
        del self._turns[turn]
        self.room.taken -= 1
        if turn is self.head:
            self.head = next(iter(self._turns), None)
            self.wake()

    def wake(self) -> None:
        """Let the head ask again, wherever it waits."""
        if self.head is not None:
            self.head.wake()

    def wake_all(self) -> None:
        """Let everyone ask again, from the first to the last: some are to be refused."""
        for turn in self._turns:
            turn.wake()

    def wake_before(self, when: float) -> None:
        """Let those ask again whose wait ends before a time: they are in vain until then."""
        for turn in self._turns:
            if turn.until < when:
                turn.wake()

    def clear(self) -> None:
        """Forget everyone: their event loop is closed (for `LoopBound.loop_changed`)."""
        self.room.taken -= len(self._turns)
        self._turns.clear()
        self.head = None
