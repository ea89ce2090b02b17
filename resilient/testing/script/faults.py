"""The steps of a script: what the fault server does with one request.

Values like `Reply`, which is one of them. `sending.py` and `service.py` carry them out.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import Attribute, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import check, instance, optional
from resilient.testing.script.reply import SECONDS, Reply, Shown

__all__ = ["Disconnect", "Hang", "Interruption", "Malformed", "Moment", "Reply", "Reset", "Step"]

Moment = Literal["accept", "request", "status", "head", "body"]

_MOMENTS = ("accept", "request", "status", "head", "body")
_MOMENT = check(f"one of {_MOMENTS}", lambda given: given in _MOMENTS)


_TO_BE_BROKEN_OFF = Reply(body=b"This body will be cut short.")


@frozen(repr=False)
class Interruption(Shown):
    """What `Reset`, `Disconnect` and `Hang` share: the moment at which nothing more comes.

    Attributes:
        after: "request": once the request has been read whole, with no answer. "status":
            once the status line of `reply` has been sent, so in the midst of its head.
            "head": once its head has been sent. "body": after half of its body.
            "accept": when the first byte of a request arrives, so before it can be known
            which: on a new connection, or on one that the client had kept in its pool and
            that turns out to be dead. As nothing has been read, such a hit leaves no entry
            in `requests`. For a route, a callable, or a request that had begun before the
            script came to this step, it is when the head is in.
        reply: For "status", "head" and "body", the response that is broken off; None for
            a plain one.
    """

    after: Moment = field(default="request", validator=_MOMENT)
    reply: Reply | None = field(default=None, kw_only=True)

    @reply.validator
    def _can_be_broken_off(self, attribute: Attribute[Any], reply: Any) -> None:
        if reply is None:
            return
        where = f"{type(self).__name__}.reply"
        if self.after in ("accept", "request"):
            raise ConfigError.of(where, reply, f"None, as nothing is sent after={self.after!r}")
        if not isinstance(reply, Reply):
            raise ConfigError.of(where, reply, "a Reply")
        if self.after != "status" and len(reply.content) < 2:
            raise ConfigError.of(where, reply, "a Reply with a body of two bytes or more")

    @property
    def early(self) -> bool:
        """Whether it comes before the body of the request is read."""
        return self.after == "accept"

    @property
    def begun(self) -> Reply | None:
        """The response of which something is sent, if anything is."""
        if self.after in ("accept", "request"):
            return None
        return self.reply or _TO_BE_BROKEN_OFF


@frozen(repr=False)
class Reset(Interruption):
    """Cut the connection with a TCP RST (SO_LINGER of zero): "connection reset by peer".

    What has been sent and not arrived is lost with it, so of a body beyond the size of the
    system's buffers the client may see less than half.
    """


@frozen(repr=False)
class Disconnect(Interruption):
    """Close the connection (FIN) without the answer, or in the midst of it.

    Over TLS there is no close_notify before the FIN, as when a server dies. `Reply.truncate`
    ends in good order: its server is alive, and has sent too little.
    """


@frozen(repr=False)
class Hang(Interruption):
    """Stall: send nothing more, and keep the connection open.

    Attributes:
        seconds: Close the connection after so long; None to wait until the client goes or
            the server is closed.
        after: As in `Reset`: "request", so by default before any answer, up to "body", in
            the middle of one. At "accept" not even the request is read.
        reply: As in `Reset`.
    """

    seconds: float | None = field(default=None, validator=optional(SECONDS))
    after: Moment = field(default="request", kw_only=True, validator=_MOMENT)


@frozen(repr=False)
class Malformed(Shown):
    """Send bytes in the place of a response, as they are, then close."""

    raw: bytes = field(default=b"This is not HTTP.\r\n\r\n", validator=instance(bytes, "bytes"))


Step = Reply | Reset | Disconnect | Hang | Malformed
