"""Facts about a request and the exceptions around it that aiohttp does not publish."""

from __future__ import annotations

import asyncio
import errno
import gc
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, MappingProxyType
from typing import Any, Final

import aiohttp
from aiohttp import ClientRequest, ClientResponse
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.payload import Payload
from yarl import URL

from resilient.errors import AttemptTimeoutError, DeadlineExceededError
from resilient.support.redact import origin_of, public_url

__all__ = [
    "Sendings",
    "belongs_to",
    "body_was_taken",
    "failed_to_connect",
    "is_about",
    "is_connecting",
    "is_elsewhere",
    "is_handshake",
    "is_local",
    "is_malformed",
    "is_permanent",
    "is_stale",
    "sendings_of",
    "session_ran_out",
    "session_was_closed",
    "upload_progress",
    "writer_of",
]

Task = asyncio.Task[Any]


async def _nothing() -> None: ...


_made = _nothing()
_CoroutineWrapper = type(_made.__await__())
_made.close()

# The function of aiohttp that connects and sends, innermost in every chain, and what it calls
# its request.
_INNERMOST = "_connect_and_send_request"
_REQUEST = "req"


class Sendings:
    """The responses that aiohttp makes when it begins to write a request, answered or not.

    A middleware inside an attempt may send the request twice, or a copy of it. aiohttp makes
    a response each time, with `request.response_class`, in whose place this is put: a copy of
    the request has it too.

    Attributes:
        made: Those of the attempt under way, in order.
    """

    __slots__ = ("_response_class", "made")

    def __init__(self, response_class: Callable[..., ClientResponse]) -> None:
        self._response_class = response_class
        self.made: list[ClientResponse] = []

    def __call__(self, *args: Any, **kwargs: Any) -> ClientResponse:
        """Make the response, as the class would."""
        response = self._response_class(*args, **kwargs)
        self.made.append(response)
        return response

    @classmethod
    def begin(cls, request: Any) -> None:
        """Note the responses of an attempt that begins."""
        sendings = request.response_class
        if not isinstance(sendings, cls):
            sendings = request.response_class = cls(sendings)
        sendings.made = []


def sendings_of(request: ClientRequest) -> list[ClientResponse] | None:
    """Return the responses of the attempt under way; None if nobody has noted them."""
    sendings: Any = getattr(request, "response_class", None)
    return sendings.made if isinstance(sendings, Sendings) else None


def is_handshake(request: ClientRequest) -> bool:
    """Return whether this opens a WebSocket; aiohttp judges what comes of that."""
    return "Sec-WebSocket-Key" in request.headers


# Numbers of errors that this machine gives before anything has left it, and why. (Not
# EHOSTUNREACH: routers close to the destination give it too.)
_LOCAL: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.EMFILE: "this process has no file descriptor left",
        errno.ENFILE: "this machine has none left",
        errno.ENOBUFS: "no memory is left for sockets",
        errno.ENOMEM: "no memory is left at all",
        errno.EADDRNOTAVAIL: "no local port is left, or the local address is another machine's",
        errno.EADDRINUSE: "the local address and port are in use",
        errno.EAFNOSUPPORT: "this machine does not speak that family of addresses",
        errno.EPROTONOSUPPORT: "nor that protocol",
        errno.ENETDOWN: "its own network is down",
        errno.ENETUNREACH: "no route leads from it to there",
        errno.EACCES: "a rule of its own forbids it: a firewall, a sandbox",
        errno.EPERM: "the same",
    }
)

# As aiohappyeyeballs puts the failures of several addresses together.
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")

# Causes of causes that are looked at.
_DEEPEST: Final = 8


def is_local(error: BaseException) -> bool:
    """Return whether an attempt failed on this machine, before anything had left it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, socket.gaierror):
        # Its numbers are others. A name that cannot be found is the destination's.
        return cause.errno == socket.EAI_MEMORY
    if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError):
        # Those of TLS are others too.
        return False
    if cause.errno is not None:
        return cause.errno in _LOCAL
    several = _NUMBER.findall(str(cause))
    return bool(several) and all(int(each) in _LOCAL for each in several)


def is_elsewhere(error: BaseException, request: ClientRequest) -> bool:
    """Return whether an exception is about a request to another origin than this one.

    A middleware has made that meanwhile, for a token or an audit. Where nothing shows whose
    exception it is (a test double's, say) it is taken for this request's.
    """
    place: BaseException | None = error
    for _ in range(_DEEPEST):
        if place is None:
            break
        for sent in _sent_in(place):
            return origin_of(sent.url) != origin_of(request.url)
        place = place.__cause__
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return request.proxy is None
    if isinstance(error, aiohttp.ClientResponseError):
        url: object = getattr(error.request_info, "url", None)
        return isinstance(url, URL) and origin_of(url) != origin_of(request.url)
    if isinstance(error, aiohttp.ClientConnectorError):
        return not failed_to_connect(error, request)
    if isinstance(error, AttemptTimeoutError | DeadlineExceededError):
        return error.url is not None and origin_of(URL(error.url)) != origin_of(request.url)
    return False


def _sent_in(error: BaseException) -> Iterator[ClientRequest]:
    """Yield the requests that aiohttp was about to send or to hear of, innermost first."""
    traceback = error.__traceback__
    found = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == _INNERMOST and isinstance(
            sent := frame.f_locals.get(_REQUEST), ClientRequest
        ):
            found.append(sent)
        traceback = traceback.tb_next
    yield from reversed(found)


def is_malformed(error: BaseException) -> bool:
    """Return whether the answer was not HTTP; aiohttp reports that as a status of its own."""
    return isinstance(error, aiohttp.ClientResponseError) and isinstance(
        error.__cause__, HttpProcessingError
    )


def is_permanent(error: BaseException) -> bool:
    """Return whether connecting again cannot help: certificates and TLS do not mend themselves."""
    return isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch)


def is_stale(error: BaseException) -> bool:
    """Return whether a pooled connection that was closed before fails in this way."""
    return isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError
    ) and not isinstance(error, aiohttp.ClientConnectorError)


def session_was_closed(request: ClientRequest, error: BaseException) -> bool:
    """Return whether an attempt ended like this because its session was closed meanwhile.

    aiohttp then fails an assertion, refuses as a connector that is closed, or cancels those who
    wait in the pool, though nobody has cancelled their task.
    """
    if not request.session.closed:
        return False
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    kinds = AssertionError, RuntimeError, aiohttp.ClientConnectionError
    return type(error) in kinds


def session_ran_out(request: ClientRequest, *, unknown: bool = False) -> bool:
    """Return whether aiohttp's own total timeout has run out: no attempt can succeed any more.

    Its timer shows in nothing public; `unknown` is the answer where its flag cannot be read.
    """
    timer = getattr(request, "_timer", None)
    # The timer of a request without such a timeout has no flag.
    return unknown if timer is None else bool(getattr(timer, "_cancelled", False))


def body_was_taken(request: ClientRequest) -> bool:
    """Return whether somebody has begun to read a body that can be read only once."""
    body: Any = request.body
    return isinstance(body, Payload) and body.consumed


def failed_to_connect(error: BaseException, request: ClientRequest) -> bool:
    """Return whether an exception says that this very request got no connection.

    An exception of another request, which a middleware has made meanwhile, does not: it names
    another host. One that names no host (a test double's, say) is taken for this request's.
    """
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        # "Connection timeout to host URL"
        _, separator, url = str(error).partition(" host ")
        return not separator or url == str(request.url)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return request.proxy is not None
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return (error.host, error.port) in _hosts(request)
    if not isinstance(error, aiohttp.ClientConnectorError):
        return False
    key: object = getattr(error, "_conn_key", None)
    return not isinstance(key, ConnectionKey) or (key.host, key.port) in _hosts(request)


def _hosts(request: ClientRequest) -> Iterator[tuple[str | None, int | None]]:
    yield request.url.raw_host, request.url.port
    yield request.url.host, request.url.port
    proxy = request.proxy
    if proxy is not None:
        yield proxy.raw_host, proxy.port
        yield proxy.host, proxy.port


def belongs_to(
    error: aiohttp.ClientResponseError, request: ClientRequest, before: ClientResponse | None
) -> bool:
    """Return whether an exception with a status stands for a response to this very request.

    Args:
        error: The exception; a middleware may have met it with a request of its own.
        request: The request.
        before: `request.response` as it was before the attempt.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return request.proxy is not None
    response = request.response
    # aiohttp types it as an int; it is None until the status line has come.
    status: int | None = None if response is None or response is before else response.status
    if status is not None and status != error.status:
        return False
    info = error.request_info
    about = getattr(info, "method", None), getattr(info, "url", None)
    return about[1] is None or is_about(request, about[0], str(public_url(about[1])))


def is_about(request: ClientRequest, method: str | None, url: str | None) -> bool:
    """Return whether a method and a URL, as it may be shown, are those of this request."""
    own = {str(public_url(each)) for each in (request.url, request.original_url)}
    return method == request.method and url in own


def is_connecting(request: ClientRequest, task: Task) -> bool:
    """Return whether a task is inside aiohttp's own function, connecting for this very request.

    False too where that cannot be seen: a middleware has the request run in another task.
    """
    return any(
        frame.f_code.co_name == _INNERMOST and frame.f_locals.get(_REQUEST) is request
        for frame in _frames(task)
    )


def _frames(task: Task) -> Iterator[FrameType]:
    """Yield the frames of the coroutines that a task runs in, outermost first."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        if isinstance(coroutine, _CoroutineWrapper):
            # It shows what it wraps to nobody else.
            coroutine = next(iter(gc.get_referents(coroutine)), None)
        # `session.post(...)` may be a task as it is.
        coroutine = getattr(coroutine, "_coro", coroutine)
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def writer_of(request: ClientRequest) -> asyncio.Task[None] | None:
    """Return the task that still writes the body of a request, or None."""
    writer: asyncio.Task[None] | None = getattr(request, "_writer", None)
    return None if writer is None or writer.done() else writer


def upload_progress(request: ClientRequest) -> int | None:
    """Return the bytes of an upload under way that have left for the system, or None.

    None means that nothing is written any more, or that it cannot be seen.
    """
    task = writer_of(request)
    if task is None:
        return None
    writer: Any = getattr(request.response, "_stream_writer", None)
    if writer is None:
        # Before 3.14 only the coroutine that writes knows it.
        frame = next(_frames(task), None)
        writer = None if frame is None else frame.f_locals.get("writer")
    try:
        return int(writer.output_size) - int(writer.transport.get_write_buffer_size())
    except (AttributeError, NotImplementedError):
        return None
