"""Send a request and make its response, without a network.

aiohttp's own code writes the request and makes the response, as it does over a socket, so
that a middleware, a trace or a test finds the same afterwards. Unpublished parts of aiohttp
are used here and in `transport`, and nowhere else in this package.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse, StreamReader
from multidict import CIMultiDictProxy

from resilient.testing.mocked.answers import MockedResponse
from resilient.testing.mocked.compat import explain_new_aiohttp
from resilient.testing.mocked.transport import RecordingTransport, connect
from resilient.testing.server.connection import ClientGone, Connection as ServerSide
from resilient.testing.server.received import Received, read_body, read_head
from resilient.wire.bodies import finish_upload

with explain_new_aiohttp():
    from aiohttp.http import HttpVersion11, RawResponseMessage

__all__ = ["Exchange"]

# A reader that holds more than its limit asks the peer to pause, and there is no peer.
_LEAST_LIMIT: Final = 2**16


class Exchange:
    """Run the innermost handler once.

    Args:
        request: The request to send.
    """

    def __init__(self, request: ClientRequest) -> None:
        # Not every attribute used is public.
        self._request: Any = request
        self._response: ClientResponse | None = None
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = (), {}
        with explain_new_aiohttp():
            self._connection, self._protocol, self._transport = connect(request)

    async def upload(self) -> Received:
        """Send the request, and read it as a server does.

        Raises:
            aiohttp.ClientError: Its body could not be written.
        """
        request = self._request
        with explain_new_aiohttp():
            tracker = getattr(request, "_upload_tracker", None)  # since 3.14.4
            if tracker is not None:
                request._upload_gen = tracker._attempt_started()
            await self._send()
            leave = request._continue
        if leave is not None and not leave.done():
            leave.set_result(True)
        await finish_upload(request)
        failure = self._protocol.exception()
        if failure is not None:
            raise failure
        return await self._read()

    async def _send(self) -> None:
        request = self._request
        usual = request.response_class

        def make(*args: Any, **kwargs: Any) -> ClientResponse:
            # The arguments of a response differ between releases; this one's own code knows them.
            self._arguments = args, kwargs
            made: ClientResponse = usual(*args, **kwargs)
            return made

        request.response_class = make
        try:
            self._response = await request.send(self._connection)
        finally:
            request.response_class = usual

    async def _read(self) -> Received:
        server = ServerSide(1)
        server.connection_made(RecordingTransport())
        server.data_received(bytes(self._transport.written))
        server.eof_received()
        received = await read_head(server)
        # A body that is shorter than its Content-Length says is not `complete`.
        with suppress(ClientGone):
            await read_body(server, received)
        return received

    async def download(self, answer: MockedResponse) -> ClientResponse:
        """Make the response to what was sent."""
        response = self._response
        if response is None:
            raise RuntimeError("an exchange begins with its upload")
        if answer.response_class not in (None, type(response)):
            args, kwargs = self._arguments
            response = answer.response_class(*args, **kwargs)
            self._response = self._request.response = response
        raw_headers = tuple(
            (name.encode(), value.encode()) for name, value in answer.headers.items()
        )
        with explain_new_aiohttp():
            limit = max(len(answer.body), _LEAST_LIMIT)
            content = StreamReader(self._protocol, limit, loop=self._protocol._loop)
            content.feed_data(answer.body)
            content.feed_eof()
            message = RawResponseMessage(
                version=HttpVersion11,
                code=answer.status,
                reason=answer.reason,
                headers=CIMultiDictProxy(answer.headers),
                raw_headers=raw_headers,
                should_close=False,
                compression=None,
                upgrade=False,
                chunked=False,
            )
            self._protocol.feed_data((message, content))
            return await response.start(self._connection)

    def abandon(self) -> None:
        """End an exchange without a response."""
        if self._response is not None:
            self._response.close()
        self._connection.close()
