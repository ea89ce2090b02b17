"""The exceptions of this package.

    ResilientError
    ├── APIError                          also aiohttp.ClientResponseError
    │   ├── BadRequestError               400
    │   │   └── ValidationError           400 that names the fields at fault
    │   ├── AuthenticationError           401
    │   ├── PaymentRequiredError          402
    │   ├── PermissionDeniedError         403
    │   ├── NotFoundError                 404
    │   │   └── GoneError                 410
    │   ├── MethodNotAllowedError         405
    │   ├── NotAcceptableError            406
    │   ├── RequestTimeoutError           408
    │   ├── ConflictError                 409
    │   ├── PreconditionFailedError       412
    │   ├── ContentTooLargeError          413
    │   ├── UnsupportedMediaTypeError     415
    │   ├── UnprocessableEntityError      422
    │   ├── LockedError                   423
    │   ├── TooEarlyError                 425
    │   ├── RateLimitError                429
    │   ├── UnavailableForLegalReasonsError  451
    │   └── ServerError                   every other 5xx
    │       ├── InternalServerError       500
    │       ├── NotImplementedServerError  501
    │       ├── BadGatewayError           502
    │       │   └── OriginError           520, 521, 523, 525, 526, 527, 530
    │       ├── ServiceUnavailableError   503
    │       │   └── OverloadedError       529
    │       ├── GatewayTimeoutError       504
    │       │   └── OriginTimeoutError    522, 524
    │       ├── HTTPVersionNotSupportedError  505
    │       └── InsufficientStorageError  507
    ├── ConnectionFailedError             also aiohttp.ClientConnectionError
    ├── RefusedError                      also aiohttp.ClientConnectionError
    │   ├── CircuitOpenError              a circuit is open
    │   ├── ThrottledError                a gate is closed, or a limit used up
    │   └── BulkheadFullError             too many calls are under way
    ├── AttemptTimeoutError               also aiohttp.ServerTimeoutError, TimeoutError
    ├── DeadlineExceededError             also aiohttp.ServerTimeoutError, TimeoutError
    ├── SessionClosedError                also aiohttp.ClientConnectionError, RuntimeError
    └── ConfigError                       also ValueError

Names are those of RFC 9110 and of the RFCs that register the status. (401 and 403 are older
here than that rule, and NotImplementedError is Python's.) 520 to 530 are Cloudflare's, who
stands before a server as a gateway does: each is under the class of the gateway's error that
it is.

None of them is a `ClientOSError` or a `ServerDisconnectedError`: aiohttp answers those
two by sending the request again on its own, unseen by whoever counts attempts.

Their text shows no request header, no query and no userinfo, and they pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import aiohttp
from attrs import frozen
from multidict import CIMultiDict, CIMultiDictProxy

from resilient.attempts import Attempt, History, Stop
from resilient.reasons import Reason
from resilient.support.redact import public_url
from resilient.support.words import brief

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from aiohttp.client_reqrep import RequestInfo
    from multidict import MultiMapping
    from yarl import URL


__all__ = [
    "APIError",
    "AttemptTimeoutError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BulkheadFullError",
    "CircuitOpenError",
    "ConfigError",
    "ConflictError",
    "ConnectionFailedError",
    "ContentTooLargeError",
    "DeadlineExceededError",
    "FieldError",
    "GatewayTimeoutError",
    "GoneError",
    "HTTPVersionNotSupportedError",
    "InsufficientStorageError",
    "InternalServerError",
    "LockedError",
    "MethodNotAllowedError",
    "NotAcceptableError",
    "NotFoundError",
    "NotImplementedServerError",
    "OriginError",
    "OriginTimeoutError",
    "OverloadedError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "RateLimitError",
    "RefusedError",
    "RequestTimeoutError",
    "ResilientError",
    "ServerError",
    "ServiceUnavailableError",
    "SessionClosedError",
    "ThrottledError",
    "TooEarlyError",
    "UnavailableForLegalReasonsError",
    "UnprocessableEntityError",
    "UnsupportedMediaTypeError",
    "ValidationError",
    "error_class",
]

# How much of a server's message an exception's text shows; the attribute keeps it all.
_SHOWN = 300
# The same of a code or an identifier.
_SHOWN_OF_A_NAME = 100

# How many problems the text of a `ConfigError` tells.
_TOLD = 20


class ResilientError(Exception):
    """Base of every exception that this package raises.

    Attributes:
        stop_reason: Why no more was tried, in words; None where nothing decided that.
        stop_code: The same for a program.
    """

    # Not described before somebody asks: that costs more than refusing a call.
    _history: History = History()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that were made, oldest first; empty where nothing counted attempts."""
        return self._history.attempts()

    @property
    def stop_reason(self) -> str | None:
        """The reason why no more was tried, in words; None where nothing decided that."""
        stop = self._history.stop
        return None if stop is None else stop.words

    @property
    def stop_code(self) -> Reason | None:
        """The reason why no more was tried, for a program; None where nothing decided that."""
        stop = self._history.stop
        return None if stop is None else stop.code

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self._state())

    def _state(self) -> dict[str, Any]:
        """Return the attributes to pickle."""
        state = dict(self.__dict__)
        history = state.get("_history")
        if history is not None:
            state["_history"] = history.public()
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _history_in_words(self) -> str:
        """Return what to add to the text of an error about the attempts before it."""
        parts = []
        made = self._history.made
        if made > 1:
            parts.append(f"{made} attempts")
        if self.stop_reason:
            parts.append(self.stop_reason)
        return ": ".join(parts)


def _rebuild(cls: type[ResilientError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = cls.__new__(cls)
    error.args = args
    error._restore(state)
    return error


@frozen
class FieldError:
    """One field that a server found fault with, and what it said of it."""

    field: str
    message: str


class APIError(ResilientError, aiohttp.ClientResponseError):
    """The server answered with an error status.

    Attributes:
        status: The status of the response; `status_code` is another name for it.
        message: What the server said, for a person; the reason phrase where it said nothing.
        code: What the server said, for a program, or what a rule made of it; None if neither.
        request_id: The identifier to quote to the server's support, if one was sent.
        details: The fields that were at fault, in the server's order, each as often as it said
            something of it. The message of a field may be "", and so may the field of a message.
        retry_after: Seconds that the server asked to wait, in a header or in the body (the longer
            counts); None if it did not say.
        docs: The address of a page about the error, if the body has one.
        format: The name of the format that the body is in; None if it is in none of the built-in
            ones.
        body: The body as far as it was read.
        throttled: Whether the server says "too many requests": by a code that means it in the
            format of the body, or by the status 429 without a code of a quota that is used up.
        headers: The headers of the response.
        request_info: URL (without userinfo, query and fragment) and method; no headers.
    """

    # A plain attribute in the place of aiohttp's deprecated integer property.
    code: str | None = None  # type: ignore[assignment]  # see above
    headers: MultiMapping[str] | None
    details: tuple[FieldError, ...]

    def __init__(
        self,
        request_info: RequestInfo,
        history: tuple[aiohttp.ClientResponse, ...] = (),
        *,
        status: int,
        message: str = "",
        headers: MultiMapping[str] | None = None,
        code: str | None = None,
        request_id: str | None = None,
        details: Sequence[FieldError] = (),
        retry_after: float | None = None,
        docs: str | None = None,
        format: str | None = None,  # noqa: A002 (the attribute's name)
        body: bytes = b"",
        throttled: bool | None = None,
    ) -> None:
        super().__init__(request_info, history, status=status, message=message, headers=headers)
        self.args = (status, message)
        self.code = code
        self.request_id = request_id
        self.details = tuple(details)
        self.retry_after = retry_after
        self.docs = docs
        self.format = format
        self.body = body
        self.throttled = status == 429 if throttled is None else throttled

    @property
    def status_code(self) -> int:
        """The status of the response."""
        return self.status

    @property
    def field_errors(self) -> Mapping[str, str]:
        """The fields at fault with the remarks on each; several are joined by a semicolon.

        In the server's order; "" has the remarks on no field.

        except resilient.ValidationError as error:
            form.show(error.field_errors)   # {"email": "Invalid email format", ...}
        """
        fields: dict[str, str] = {}
        for detail in self.details:
            said = fields.get(detail.field)
            both = said and detail.message
            fields[detail.field] = f"{said}; {detail.message}" if both else said or detail.message
        return fields

    def __str__(self) -> str:
        said = f"{self.status} {self.code}" if self.code else str(self.status)
        info = self.request_info
        context = [_one_line(f"{info.method} {public_url(info.url)}")]
        if self.request_id:
            context.append(f"request_id {_one_line(self.request_id, _SHOWN_OF_A_NAME)}")
        if history := self._history_in_words():
            context.append(_one_line(history))
        return (
            f"{_one_line(said, _SHOWN_OF_A_NAME)}: {_one_line(self.message)} [{'; '.join(context)}]"
        )

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} status={self.status} code={_shown(self.code)} "
            f"message={_shown(self.message)} request_id={_shown(self.request_id)}>"
        )

    def _state(self) -> dict[str, Any]:
        state = super()._state()
        info = state.pop("request_info")
        headers = state.pop("headers")
        # Responses hold sockets. A cookie is a credential, whichever way it travels.
        state["history"] = ()
        state["request"] = (info.url, info.method)
        state["header_items"] = headers and [
            (name, value) for name, value in headers.items() if name.lower() != "set-cookie"
        ]
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        state = dict(state)
        self.request_info = public_request_info(*state.pop("request"))
        items = state.pop("header_items")
        self.headers = None if items is None else CIMultiDictProxy(CIMultiDict(items))
        super()._restore(state)


def public_request_info(url: URL, method: str) -> RequestInfo:
    """Return an aiohttp request info that carries no headers."""
    return aiohttp.RequestInfo(url, method, CIMultiDictProxy(CIMultiDict()), url)


class BadRequestError(APIError):
    """400: the request is malformed."""


class ValidationError(BadRequestError):
    """400: some fields of the request are at fault; `field_errors` says which."""


class AuthenticationError(APIError):
    """401: credentials are missing, invalid or expired."""


class PermissionDeniedError(APIError):
    """403: the credentials are good, but not for this."""


class NotFoundError(APIError):
    """404: what was asked for does not exist, or exists no longer."""


class NotAcceptableError(APIError):
    """406: no acceptable answer; some servers say so when a quota of objects is used up."""


class ConflictError(APIError):
    """409: the request conflicts with the current state."""


class UnprocessableEntityError(APIError):
    """422: well-formed, but it cannot be processed."""


class RateLimitError(APIError):
    """429: too many requests; `retry_after` says how long to keep away, if the server did."""


class ServerError(APIError):
    """5xx: the server failed."""


class InternalServerError(ServerError):
    """500: an unexpected error in the server."""


class BadGatewayError(ServerError):
    """502: a gateway got no usable answer from the server behind it."""


class ServiceUnavailableError(ServerError):
    """503: overloaded, or down for maintenance."""


class GatewayTimeoutError(ServerError):
    """504: a gateway got no answer in time from the server behind it."""


class PaymentRequiredError(APIError):
    """402: payment is required; some APIs say so when a quota is used up."""


class MethodNotAllowedError(APIError):
    """405: the resource does not know this method."""


class RequestTimeoutError(APIError):
    """408: the server did not get the whole request in the time that it waits."""


class GoneError(NotFoundError):
    """410: what was asked for existed, and does no longer."""


class PreconditionFailedError(APIError):
    """412: a condition in the headers of the request does not hold."""


class ContentTooLargeError(APIError):
    """413: the body of the request is larger than the server takes."""


class UnsupportedMediaTypeError(APIError):
    """415: the body of the request is in a format that the server does not take."""


class LockedError(APIError):
    """423: the resource is locked."""


class TooEarlyError(APIError):
    """425: sent in early data of TLS, and not carried out."""


class UnavailableForLegalReasonsError(APIError):
    """451: a legal demand keeps the server from answering."""


class NotImplementedServerError(ServerError):
    """501: the server cannot do this at all; the same request can only fail again."""


class HTTPVersionNotSupportedError(ServerError):
    """505: the server does not speak this version of HTTP."""


class InsufficientStorageError(ServerError):
    """507: the server has no room to store what the request needs."""


class OverloadedError(ServiceUnavailableError):
    """529: overloaded, as Anthropic and others say it."""


class OriginError(BadGatewayError):
    """520, 521, 523, 525, 526, 527, 530: Cloudflare got no usable answer from the server."""


class OriginTimeoutError(GatewayTimeoutError):
    """522, 524: Cloudflare got no connection, or no answer, in time from the server."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    406: NotAcceptableError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: GatewayTimeoutError,
    402: PaymentRequiredError,
    405: MethodNotAllowedError,
    408: RequestTimeoutError,
    410: GoneError,
    412: PreconditionFailedError,
    413: ContentTooLargeError,
    415: UnsupportedMediaTypeError,
    423: LockedError,
    425: TooEarlyError,
    451: UnavailableForLegalReasonsError,
    501: NotImplementedServerError,
    505: HTTPVersionNotSupportedError,
    507: InsufficientStorageError,
    529: OverloadedError,
    **dict.fromkeys((520, 521, 523, 525, 526, 527, 530), OriginError),
    **dict.fromkeys((522, 524), OriginTimeoutError),
}


def error_class(status: int) -> type[APIError]:
    """Return the exception class for a status: its own, else `ServerError` or `APIError`."""
    return _BY_STATUS.get(status) or (ServerError if 500 <= status <= 599 else APIError)


class ConnectionFailedError(ResilientError, aiohttp.ClientConnectionError):
    """No usable answer came: the connection failed, broke, or carried no HTTP.

    What aiohttp raised is the `__cause__`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return _with_history(self.message, self)


class RefusedError(ResilientError, aiohttp.ClientConnectionError):
    """A guard did not let the call pass: nothing was sent.

    Attributes:
        key: What the guard keeps its state for, as a rule an origin.
        retry_after: Seconds until a call may be let through; None if nobody can say.
        queued: Seconds that guards had held the call back before, over all of its attempts.
    """

    # What refused, for the text.
    _by: ClassVar[str] = "guard"

    # No call of super().__init__: a refusal has to be cheap, and BaseException.__new__
    # has kept the arguments already.
    def __init__(
        self, key: Hashable, retry_after: float | None = None, *, queued: float = 0.0
    ) -> None:
        self.key = key
        self.retry_after = retry_after
        self.queued = queued

    def because(self, code: Reason, words: str) -> Self:
        """Say why it was refused; return this error."""
        self._history = History(stop=Stop(code, words))
        return self

    def _what(self) -> str:
        """Return in words what is the matter."""
        return self.stop_reason or f"the {self._by} for {self.key} refused"

    def __str__(self) -> str:
        # A key is whatever a function of the user's returns.
        what = _one_line(self._what())
        if self.retry_after is not None:
            what += f", next try in {brief(self.retry_after)} s"
        notes = []
        if self.queued:
            notes.append(f"held for {brief(self.queued)} s")
        if made := self._history.made:
            notes.append(f"attempts before: {made}")
        return f"{what} [{'; '.join(notes)}]" if notes else what


_ISOLATED: Final = History(stop=Stop(Reason.CIRCUIT_ISOLATED, "the circuit was isolated by hand"))


class CircuitOpenError(RefusedError):
    """The circuit breaker refused the call: nothing was sent.

    Attributes:
        state: "open" or "half_open" (probes are out, or traffic is let back in gradually).
        isolated: Whether it was isolated by hand, and refuses until somebody resets it.
    """

    _by = "circuit breaker"
    _history = History(stop=Stop(Reason.CIRCUIT_OPEN, "the circuit breaker refused"))

    def __init__(
        self,
        key: Hashable,
        retry_after: float | None,
        state: str = "open",
        *,
        queued: float = 0.0,
    ) -> None:
        self.key = key
        self.retry_after = retry_after
        self.state = state
        self.queued = queued
        if retry_after is None:
            self._history = _ISOLATED

    @property
    def isolated(self) -> bool:
        """True if the circuit was isolated by hand, and refuses until somebody resets it."""
        return self.retry_after is None

    def _what(self) -> str:
        what = f"the circuit for {self.key} is {self.state}"
        return f"{what}, isolated by hand" if self.isolated else what


class ThrottledError(RefusedError):
    """The throttle refused the call: nothing was sent, and a wait would be too long or in vain.

    The server's answer that closed the gate is the `__cause__`, if one did.
    """

    _by = "throttle"
    _history = History(stop=Stop(Reason.GATE_CLOSED, "the throttle refused"))


class BulkheadFullError(RefusedError):
    """The bulkhead refused the call: nothing was sent, since too many calls are under way."""

    _by = "bulkhead"
    _history = History(stop=Stop(Reason.BULKHEAD_FULL, "the bulkhead is full"))


class AttemptTimeoutError(ResilientError, aiohttp.ServerTimeoutError):
    """One attempt took longer than it may.

    Attributes:
        timeout: Seconds that it was allowed; None where aiohttp's own limit ran out.
        method: The method of the request; None if it is not known.
        url: The URL without userinfo, query and fragment; None if it is not known.
        while_connecting: Whether it had no connection yet, so that nothing was sent.
    """

    def __init__(
        self,
        timeout: float | None = None,
        *,
        method: str | None = None,
        url: str | None = None,
        while_connecting: bool = False,
    ) -> None:
        super().__init__(timeout)
        self.timeout = timeout
        self.method = method
        self.url = url
        self.while_connecting = while_connecting

    def __str__(self) -> str:
        limit = "its time" if self.timeout is None else f"{self.timeout:g} s"
        what = "no connection" if self.while_connecting else "no response"
        return _with_context(f"{what} within {limit} of one attempt", self)


class DeadlineExceededError(ResilientError, aiohttp.ServerTimeoutError):
    """The time for the whole call ran out.

    Attributes:
        timeout: Seconds that the call was allowed; None where the limit was aiohttp's own.
        method: The method of the request; None if it is not known.
        url: The URL without userinfo, query and fragment; None if it is not known.
    """

    def __init__(
        self,
        timeout: float | None = None,
        *,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(timeout)
        self.timeout = timeout
        self.method = method
        self.url = url

    def __str__(self) -> str:
        limit = "the time of the session" if self.timeout is None else f"{self.timeout:g} s"
        return _with_context(f"the call did not finish within {limit}", self)


class SessionClosedError(ResilientError, aiohttp.ClientConnectionError, RuntimeError):
    """The session was closed while a call waited, or before its next attempt.

    aiohttp says the same, as a `RuntimeError`, of a call that is begun on a closed session.
    """

    def __init__(self, message: str = "Session is closed") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return _with_history(self.message, self)


class ConfigError(ResilientError, ValueError):
    """A policy that makes no sense: which field, what it was given, and what is allowed.

    Attributes:
        where: The field, or the dotted key in a file; None where no single one is at fault.
        given: What it was given, as text.
        allowed: What is allowed.
        file: The file that it stands in, if it came from one.
        line: The line in the file, from 1; None where no single one is at fault.
        column: The column in that line, in characters, from 1.
        variable: The variable of the environment that it came from, if it came from one.
        problems: Each problem by itself: several if several were found at once, else this one.
            The text of an error shows the first 20.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        given: str | None = None,
        allowed: str | None = None,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        variable: str | None = None,
    ) -> None:
        super().__init__(message)
        self.where = where
        self.given = given
        self.allowed = allowed
        self.file = file
        self.line = line
        self.column = column
        self.variable = variable
        self._problems: tuple[ConfigError, ...] = ()

    @classmethod
    def of(cls, where: str, given: object, allowed: str) -> Self:
        """Make the error for one field of a policy."""
        # As text: what was given may be anything, and errors have to pickle.
        text = repr(given)
        if len(text) > _SHOWN:
            text = text[: _SHOWN - 1] + "…"
        message = f"{where} must be {allowed}, not {text}"
        return cls(message, where=where, given=text, allowed=allowed)

    @classmethod
    def at(
        cls,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        variable: str | None = None,
        **facts: str | None,
    ) -> Self:
        """Make the error for one place in a file, or for one variable; its text begins with that.

        Args:
            message: The text after the place.
            file: The file; None without one.
            line: The line in it; None where no single one is at fault.
            column: The column in that line.
            variable: The variable of the environment; None for a file.
            **facts: The other attributes.
        """
        place = [str(each) for each in (variable, file, line, column) if each is not None]
        text = f"{':'.join(place)}: {message}" if place else message
        return cls(text, file=file, line=line, column=column, variable=variable, **facts)

    @classmethod
    def of_all(cls, problems: Sequence[ConfigError]) -> ConfigError:
        """Make one error of all problems that were found; a single one is returned as it is."""
        parts = tuple(part for problem in problems for part in problem.problems)
        if len(parts) == 1:
            return parts[0]
        lines = [str(part) for part in parts[:_TOLD]]
        if len(parts) > _TOLD:
            lines.append(f"and {len(parts) - _TOLD} more")
        error = cls("\n".join([f"{len(parts)} problems:", *(f"  {line}" for line in lines)]))
        error._problems = parts
        return error

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """Each problem by itself."""
        return self._problems or (self,)


def _with_context(message: str, error: AttemptTimeoutError | DeadlineExceededError) -> str:
    where = f"{error.method} {error.url}: " if error.method and error.url else ""
    return _with_history(f"{where}{message}", error)


def _with_history(message: str, error: ResilientError) -> str:
    history = error._history_in_words()
    return f"{message} [{history}]" if history else message


def _shown(text: str | None) -> str:
    return repr(text and _one_line(text, _SHOWN_OF_A_NAME))


def _one_line(text: str, most: int = _SHOWN) -> str:
    """Make text of a server's safe for a log: one line, printable, of bounded length."""
    text = " ".join(text[: most + 1].split())
    if len(text) > most:
        text = text[: most - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
