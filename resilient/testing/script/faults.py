"""The steps of a script: the ways in which the fault server treats one request.

They are values like `Reply`, which is one of them. The server's `responder` and `sending`
carry them out.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import Attribute, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import check, instance, optional
from resilient.testing.script.reply import SECONDS, Reply, ShortRepr

__all__ = ["Disconnect", "Hang", "Interruption", "Malformed", "Moment", "Reply", "Reset", "Step"]

Moment = Literal["accept", "request", "status", "head", "body"]

_MOMENTS = ("accept", "request", "status", "head", "body")
_MOMENT = check(f"one of {_MOMENTS}", lambda given: given in _MOMENTS)


_TO_BE_BROKEN_OFF = Reply(body=b"This body will be cut short.")


@frozen(repr=False)
class Interruption(ShortRepr):
    """Stop at a moment: the common part of `Reset`, `Disconnect` and `Hang`.

    Attributes:
        after: "request": once the request has been read whole, with no answer. "status":
            once the status line of `reply` has been sent, so in the midst of its head.
            "head": once its head has been sent. "body": after half of its body.
            "accept": when the first byte of a request arrives, so before its path can be
            known: on a new connection, or on one that the client had kept in its pool and
            that turns out to be dead. As nothing has been read, such a hit leaves no entry
            in `requests`. For a route, a callable, or a request that had begun before the
            script came to this step, it is when the head is in. By default "request".
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
        """Return whether the step comes before the body of the request is read."""
        return self.after == "accept"

    @property
    def partial_reply(self) -> Reply | None:
        """Return the response of which a part is sent, or None if nothing is sent."""
        if self.after in ("accept", "request"):
            return None
        return self.reply or _TO_BE_BROKEN_OFF


@frozen(repr=False)
class Reset(Interruption):
    """Cut the connection with a TCP RST (SO_LINGER of zero): "connection reset by peer".

    Bytes that have not arrived yet are lost with it, so of a body beyond the size of the
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
        seconds: Seconds until the connection is closed; None, the default, to wait until
            the client goes or the server is closed.
        after: As in `Reset`: by default "request", so before any answer. At "accept" not
            even the request is read.
        reply: As in `Reset`.
    """

    seconds: float | None = field(default=None, validator=optional(SECONDS))
    after: Moment = field(default="request", kw_only=True, validator=_MOMENT)


@frozen(repr=False)
class Malformed(ShortRepr):
    """Send bytes in the place of a response, as they are, then close.

    Attributes:
        raw: The bytes; by default a line that is not HTTP.
    """

    raw: bytes = field(default=b"This is not HTTP.\r\n\r\n", validator=instance(bytes, "bytes"))


Step = Reply | Reset | Disconnect | Hang | Malformed
