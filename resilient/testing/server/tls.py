"""Speak the server's side of TLS over bytes that `Connection` moves.

asyncio's own TLS transport cannot half-close, keeps a buffer that a reset would throw away,
and ends each connection with a close_notify or none as it sees fit. Here the bytes go
through OpenSSL in memory, and the socket stays with `Connection`.
"""

from __future__ import annotations

import contextlib
import ssl

__all__ = ["BrokenTLS", "Channel"]

# The number of bytes kept of what is no TLS.
_SHOWN = 64

# A TLS record holds no more.
_RECORD = 16 * 1024


class BrokenTLS(Exception):
    """The bytes that arrive are no TLS, or the two sides cannot agree on one.

    Attributes:
        reason: The reason, in words.
        raw: The first of the bytes.
    """

    def __init__(self, reason: str, raw: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw


class Channel:
    """Turn bytes off the wire into plain ones, and the other way round.

    Args:
        context: The context for servers that has the certificate.

    Attributes:
        ended: Whether the client has sent its close_notify.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.ended = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._agreed = False

    def receive(self, data: bytes) -> bytes:
        """Return the plain bytes for bytes off the wire.

        Afterwards `to_send` has what is to be sent in return, as a rule something.

        Raises:
            BrokenTLS: The bytes are no TLS, or no handshake comes of them.
        """
        self._incoming.write(data)
        plain = bytearray()
        try:
            if not self._agreed:
                self._object.do_handshake()
                self._agreed = True
            while part := self._object.read(_RECORD):
                plain += part
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            state = "record" if self._agreed else "handshake"
            raise BrokenTLS(
                f"a TLS {state} that failed: {error.reason or error}", data[:_SHOWN]
            ) from error
        return bytes(plain)

    def wrap(self, data: bytes) -> bytes:
        """Return what to put on the wire for plain bytes."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._object.write(rest) :]
        return self.to_send()

    def close_notify(self) -> bytes:
        """Return what to put on the wire to end in good order (RFC 8446, 6.1)."""
        with contextlib.suppress(ssl.SSLError):  # nothing was agreed on, or no answer is here yet
            self._object.unwrap()
        return self.to_send()

    def to_send(self) -> bytes:
        """Return what the handshake or an alert has to put on the wire."""
        return self._outgoing.read()
