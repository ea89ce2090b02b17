"""A bulkhead under any interleaving of asking, leaving, giving up and time, also backwards.

The runner is played by hand, so that time may do what no event loop's does: those who were woken
ask again only when their turn of the loop has come, and some have gone by then.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilient import Aimd, Bulkhead, BulkheadFullError, BulkheadPolicy
from resilient.clock import SYSTEM_CLOCK
from resilient.core.call import Call
from resilient.core.guard import Refusal, Wait
from resilient.core.outcome import Verdict
from resilient.core.override import Override
from resilient.core.waiting import Turn

HOUR = 3600.0
MAX_WAIT = 10.0


class Woken(Turn):
    """A turn that notes that it was woken."""

    __slots__ = ("is_woken",)

    def __init__(self) -> None:
        super().__init__(SYSTEM_CLOCK)
        self.is_woken = False

    def wake(self) -> None:
        self.is_woken = True


@define(eq=False)
class Caller:
    """An attempt: it waits, is under way, or is over."""

    key: str
    call: Call
    turn: Woken | None = None
    permit: Any = None
    queue: Any = None


@define
class Judged:
    """An outcome with a verdict."""

    verdict: Verdict

    def health(self, failing: object) -> Verdict:
        return self.verdict


def key_of(request: Any) -> str:
    """The destination of a caller, which stands for its request."""
    key: str = request.key
    return key


@define(eq=False)
class Lines:
    """Those who wait, as the model has them, by key."""

    of: dict[str, list[Caller]] = field(factory=dict)

    def __getitem__(self, key: str) -> list[Caller]:
        return self.of.setdefault(key, [])


class BulkheadMachine(RuleBasedStateMachine):
    """Callers of three destinations at one bulkhead."""

    now = 1_000.0

    @initialize(
        limit=st.integers(1, 4),
        aimd=st.none() | st.builds(Aimd, initial=st.integers(2, 5), minimum=st.integers(1, 2)),
    )
    def begin(self, limit: int, aimd: Aimd | None) -> None:
        least = {} if aimd else {"max_concurrent": limit}
        policy = BulkheadPolicy(
            **least,
            adaptive=aimd,
            max_wait=MAX_WAIT,
            key=key_of,
            max_destinations=2,
        )
        self.guard = Bulkhead(policy)
        self.lines = Lines()
        self.inside: list[Caller] = []
        self.stale: list[Caller] = []

    # -- the runner

    def ask(self, caller: Caller, now: float) -> None:
        request: Any = caller
        line = self.lines[caller.key]
        before = self.places(caller.key)
        decision: Any = self.guard.enter(caller.call, request, now, caller.turn)
        if isinstance(decision, Wait):
            assert decision.until > now
            if caller.turn is None:
                caller.turn = Woken()
                assert decision.until <= now + MAX_WAIT
                line.append(caller)
            # There was no place, or others were before.
            assert before[0] >= before[1] or line[0] is not caller
            caller.turn.is_woken = False
            caller.turn.until = decision.until
            caller.queue = decision.queue
            decision.queue.join(caller.turn)
            return
        if isinstance(decision, Refusal):
            assert isinstance(decision.error, BulkheadFullError)
            assert caller.turn is not None or caller.call.override.max_wait == 0
        else:
            assert before[0] < before[1], "more than the limit"
            assert line[:1] in ([], [caller]), "others came before"
            caller.permit = decision
            self.inside.append(caller)
        self.leave_queue(caller)

    def leave_queue(self, caller: Caller) -> None:
        if caller.turn is not None:
            caller.queue.leave(caller.turn)
            caller.turn = None
            self.lines[caller.key].remove(caller)

    def places(self, key: str) -> tuple[int, int, int]:
        """Those who are in, who may be, and who wait."""
        for each in self.guard.places:
            if each.key == key:
                return each.in_use, each.limit, each.waiting
        return 0, self.guard.policy.initial, 0

    # -- what happens

    @rule(key=st.sampled_from("abc"), impatient=st.booleans())
    def arrive(self, key: str, impatient: bool) -> None:
        caller = Caller(key, Call())
        if impatient:
            caller.call.override = Override(max_wait=0)
        self.ask(caller, self.now)

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), verdict=st.none() | st.sampled_from(Verdict), left=st.booleans())
    def end(self, data: st.DataObject, verdict: Verdict | None, left: bool) -> None:
        caller = self.inside.pop(data.draw(st.integers(0, len(self.inside) - 1)))
        outcome: Any = None if verdict is None else Judged(verdict)
        if left:
            self.guard.leave(caller.permit, outcome, self.now)
        else:
            self.guard.give_back(caller.permit, bool(verdict))

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        waiting = [each for line in self.lines.of.values() for each in line]
        if waiting:
            self.leave_queue(data.draw(st.sampled_from(waiting)))

    @rule(data=st.data())
    def ask_for_nothing(self, data: st.DataObject) -> None:
        """An attempt that stands here asks, since it was woken elsewhere."""
        waiting = [each for line in self.lines.of.values() for each in line]
        if waiting:
            self.ask(data.draw(st.sampled_from(waiting)), self.now)

    @rule(seconds=st.sampled_from([0.5, 3.0, MAX_WAIT, HOUR, -0.5, -HOUR]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def turn_of_the_loop(self) -> None:
        """Whoever was woken asks, and whoever's time has come."""
        waiting = [each for line in self.lines.of.values() for each in line]
        for caller in waiting:
            turn = caller.turn
            if turn is not None and (turn.is_woken or turn.until <= self.now):
                self.ask(caller, max(self.now, turn.until) if turn.until <= self.now else self.now)

    @rule()
    def another_loop(self) -> None:
        self.guard.loop_changed(None)
        self.stale += self.inside
        self.inside = []
        for line in self.lines.of.values():
            for caller in line:
                caller.turn = None
            line.clear()
        assert self.guard.room.taken == 0

    @precondition(lambda self: self.stale)
    @rule(verdict=st.sampled_from(Verdict))
    def a_permit_of_the_old_loop_comes_back(self, verdict: Verdict) -> None:
        before = self.guard.places
        judged: Any = Judged(verdict)
        self.guard.leave(self.stale.pop().permit, judged, self.now)
        assert self.guard.places == before

    # -- what must hold

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "guard"):
            return
        aimd = self.guard.policy.adaptive
        for key in "abc":
            inside = sum(each.key == key for each in self.inside)
            in_use, limit, waiting = self.places(key)
            assert (in_use, waiting) == (inside, len(self.lines[key]))
            if aimd is None:
                assert inside <= limit
            else:
                assert aimd.minimum <= limit <= aimd.effective_maximum

    def teardown(self) -> None:
        """Everyone who waits comes in once the others leave, and nothing is left."""
        if not hasattr(self, "guard"):
            return
        while self.inside or any(self.lines.of.values()):
            before = len(self.inside), sum(map(len, self.lines.of.values()))
            if self.inside:
                self.guard.leave(self.inside.pop(0).permit, None, self.now)
            self.turn_of_the_loop()
            after = len(self.inside), sum(map(len, self.lines.of.values()))
            assert after != before, "they wait for ever"
            self.the_books_are_right()
        assert self.guard.room.taken == 0
        assert {each.in_use + each.waiting for each in self.guard.places} <= {0}
        if self.guard.policy.adaptive is None:
            assert self.guard.places == ()


TestBulkhead = BulkheadMachine.TestCase
