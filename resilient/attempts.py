"""Attempts of a call, as they are recorded and as they are told to those who ask."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen
from yarl import URL

from resilient.reasons import Reason
from resilient.support.redact import public_url

__all__ = ["Attempt", "History", "Record", "Stop", "Wait"]


@frozen
class Attempt:
    """One run of the inner handler, as a rule one request on the wire.

    Attributes:
        number: Counted from 1 in each hop. A request that a stale pooled connection swallowed
            has the number of the attempt that it was sent again for.
        method: The method of the request.
        url: Without userinfo, query and fragment.
        started: Seconds after the first attempt of the call began.
        duration: Seconds until the response was there, or the failure; without `queued`.
        status: The status of the response; None if there was none.
        error: What went wrong in the place of a response, in a few words; None otherwise.
        waited: Seconds waited before the next attempt; None if this one was the last.
        reason: Why the next attempt was made if `waited` is a number, and why there was none if
            it is None; in words. None where nothing decided that.
        code: The same for a program.
        queued: Seconds that guards held it back before it was sent; by default 0.
    """

    number: int
    method: str
    url: str
    started: float
    duration: float
    status: int | None = None
    error: str | None = None
    waited: float | None = None
    reason: str | None = None
    code: Reason | None = None
    queued: float = 0.0

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        line = (
            f"attempt {self.number}: {self.method} {self.url} -> {outcome} in {self.duration:.3f} s"
        )
        if self.queued:
            line += f", held for {self.queued:.3f} s before"
        if self.waited is None:
            return line if self.reason is None else f"{line} ({self.reason})"
        return f"{line}, then waited {self.waited:.3f} s ({self.reason})"


# An attempt as it is recorded: number, method, URL, start and end on the clock's scale, its
# status or, in words, what went wrong, and the seconds that guards held it in between. A plain
# tuple, since every attempt makes one.
Record = tuple[int, str, URL, float, float, int | str, float]


class Wait(NamedTuple):
    """A wait between two attempts."""

    seconds: float
    code: Reason
    words: str


class Stop(NamedTuple):
    """The reason why no more was tried."""

    code: Reason
    words: str


class History(NamedTuple):
    """The attempts of a call: all that an error keeps of it."""

    records: tuple[Record, ...] = ()
    # The wait that followed a record, by the place of the record.
    waits: dict[int, Wait] | None = None
    stop: Stop | None = None

    def __repr__(self) -> str:
        # Reporters of crashes show all attributes of an exception, and URLs have secrets.
        return f"History({self.attempts()!r})"

    @property
    def made(self) -> int:
        """The number of attempts, without requests that a stale connection swallowed."""
        waits = (self.waits or {}).values()
        return len(self.records) - sum(wait.code is Reason.STALE_CONNECTION for wait in waits)

    def public(self) -> History:
        """Return the same with URLs that may be shown, for a pickle."""
        records = tuple(
            (number, method, public_url(url), *rest) for number, method, url, *rest in self.records
        )
        return self._replace(records=records)  # type: ignore[arg-type]  # of the same form

    def attempts(self) -> tuple[Attempt, ...]:
        """Describe the attempts, oldest first."""
        waits = self.waits or {}
        last = len(self.records) - 1
        began: float | None = None
        described = []
        for place, record in enumerate(self.records):
            number, method, url, started, ended, came, queued = record
            began = started if began is None else began
            wait = waits.get(place)
            why = self.stop if wait is None and place == last else wait
            described.append(
                Attempt(
                    number=number,
                    method=method,
                    url=str(public_url(url)),
                    started=started - began,
                    duration=ended - started - queued,
                    status=came if isinstance(came, int) else None,
                    error=came if isinstance(came, str) else None,
                    waited=None if wait is None else wait.seconds,
                    reason=None if why is None else why.words,
                    code=None if why is None else why.code,
                    queued=queued,
                )
            )
        return tuple(described)
