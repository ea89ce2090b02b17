"""What was attempted for a call, as it is told to who asks."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Attempt"]


@frozen
class Attempt:
    """One run of the inner handler, as a rule one request on the wire.

    Attributes:
        number: Counted from 1 in each hop.
        method: The method of the request.
        url: Without userinfo, query and fragment.
        started: Seconds after the first attempt of the call began.
        duration: Seconds until the response was there, or the failure.
        status: The status of the response; None where there was none.
        error: What went wrong in the place of a response, in a few words.
        waited: Seconds waited after it, or None if nothing followed.
        reason: Why the next attempt was made, or why there was none.
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

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        line = (
            f"attempt {self.number}: {self.method} {self.url} -> {outcome} in {self.duration:.3f} s"
        )
        if self.waited is None:
            return line if self.reason is None else f"{line} ({self.reason})"
        return f"{line}, then waited {self.waited:.3f} s ({self.reason})"
