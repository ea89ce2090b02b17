"""The tree of exceptions as its docstring draws it, and what each says of itself."""

import copy
import inspect
import pickle
import re
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

import resilient
from resilient import errors
from resilient.attempts import History, Stop
from resilient.errors import (
    APIError,
    AttemptTimeoutError,
    BadRequestError,
    CircuitOpenError,
    ConfigError,
    ConnectionFailedError,
    DeadlineExceededError,
    FieldError,
    NotFoundError,
    ResilientError,
    ServerError,
    ValidationError,
    error_class,
    public_request_info,
)
from resilient.reasons import Reason

INFO = public_request_info(URL("https://api.example/v1/meetings"), "GET")

DRAWN = re.compile(
    r"^    (?P<lines>[│ ├└─]*)(?P<name>\w+Error)(?: +(?P<remark>.*))?$", re.MULTILINE
)


def drawn() -> list[tuple[str, str | None, str]]:
    """Each class of the drawing, with its parent there and the remark beside it."""
    found: list[tuple[str, str | None, str]] = []
    above: list[str] = []
    for match in DRAWN.finditer(errors.__doc__ or ""):
        depth = len(match["lines"]) // 4
        del above[depth:]
        found.append((match["name"], above[-1] if above else None, match["remark"] or ""))
        above.append(match["name"])
    return found


TREE = drawn()
KINDS: list[type[ResilientError]] = [getattr(errors, name) for name, _, _ in TREE]


def api_error(kind: type[APIError] = NotFoundError, **fields: Any) -> APIError:
    given = {"status": 404, "message": "Not there.", **fields}
    return kind(given.pop("info", INFO), **given)


def one_of_each() -> list[ResilientError]:
    made: list[ResilientError] = [
        api_error(kind, status=400) for kind in KINDS if issubclass(kind, APIError)
    ]
    made += [
        ConnectionFailedError("GET https://api.example/: ServerDisconnectedError"),
        CircuitOpenError("https://api.example", 2.5),
        CircuitOpenError("https://api.example", None),
        CircuitOpenError(("tenant", 7), 0.5, "half_open"),
        CircuitOpenError("https://api.example", 0.5, "closed"),
        AttemptTimeoutError(1.5),
        AttemptTimeoutError(),
        DeadlineExceededError(10),
        DeadlineExceededError(),
        ConfigError.of("Policy.name", 3, "a name"),
        ConfigError("it makes no sense", where="a.b", given="3", allowed="4", file="a.toml"),
        ConfigError.of_all([ConfigError.of("Policy.name", 3, "a name"), ConfigError("worse")]),
    ]
    return made


def test_the_drawing_shows_every_exception_and_no_other() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, ResilientError)
    }
    assert {name for name, _, _ in TREE} == defined
    assert defined <= set(dir(resilient))
    assert defined <= set(errors.__all__)


@pytest.mark.parametrize(("name", "parent", "remark"), TREE)
def test_the_drawing_is_right(name: str, parent: str | None, remark: str) -> None:
    kind = getattr(errors, name)
    assert kind.__doc__
    if parent is not None:
        assert kind.__bases__[0] is getattr(errors, parent)
    if remark.startswith("also "):
        for base in remark.removeprefix("also ").split(", "):
            module, _, attribute = base.rpartition(".")
            expected = getattr(aiohttp, attribute) if module else __builtins__[attribute]  # type: ignore[index]  # on purpose
            assert issubclass(kind, expected)
    elif re.fullmatch(r"\d{3}(, \d{3})*", remark):
        for status in remark.split(", "):
            assert error_class(int(status)) is kind


@pytest.mark.parametrize("kind", KINDS)
def test_none_of_them_sets_off_aiohttps_own_repetition(kind: type[ResilientError]) -> None:
    assert not issubclass(kind, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)


def test_every_status_has_a_class() -> None:
    own = {
        *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 422, 423, 425, 429, 451),
        *(500, 501, 502, 503, 504, 505, 507, *range(520, 528), 529, 530),
    }
    for status in range(100, 1000):
        kind = error_class(status)
        assert issubclass(kind, APIError)
        assert issubclass(kind, ServerError) == (500 <= status <= 599)
        assert (kind in (APIError, ServerError)) == (status not in own)


@pytest.mark.parametrize("error", one_of_each(), ids=lambda error: type(error).__name__)
def test_each_pickles_copies_and_says_the_same_after_it(error: ResilientError) -> None:
    error.add_note("a note")
    for copied in (
        copy.copy(error),
        copy.deepcopy(error),
        *(pickle.loads(pickle.dumps(error, each)) for each in range(6)),
    ):
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert repr(copied) == repr(error)
        assert copied.args == error.args
        assert copied.attempts == error.attempts == ()
        assert copied.__notes__ == ["a note"]


def test_an_api_error_has_the_fields_of_both_documents() -> None:
    error = api_error(
        ValidationError,
        status=400,
        code="validation_error",
        request_id="req_1",
        details=[FieldError("a", "x"), FieldError("b", "y"), FieldError("a", "z")],
        retry_after=2.5,
        body=b"{}",
        headers=CIMultiDict({"X-A": "b"}),
    )
    assert (error.status, error.status_code, error.code) == (400, 400, "validation_error")
    assert (error.message, error.request_id, error.retry_after) == ("Not there.", "req_1", 2.5)
    assert error.field_errors == {"a": "x; z", "b": "y"}
    assert error.details == (FieldError("a", "x"), FieldError("b", "y"), FieldError("a", "z"))
    assert error.body == b"{}"
    assert isinstance(error, BadRequestError)
    assert str(error) == (
        "400 validation_error: Not there. [GET https://api.example/v1/meetings; request_id req_1]"
    )
    assert repr(error) == (
        "<ValidationError status=400 code='validation_error' message='Not there.' "
        "request_id='req_1'>"
    )


def test_an_api_error_says_little_where_little_is_known() -> None:
    error = api_error(message="", status=599)
    assert (error.code, error.request_id, error.retry_after) == (None, None, None)
    assert error.details == ()
    assert error.field_errors == {}
    assert str(error).startswith("599: ")


@pytest.mark.parametrize(
    "field", ["message", "code", "request_id"], ids=lambda field: f"in the {field}"
)
@pytest.mark.parametrize(
    "text",
    ["a\r\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", "\ud800", "x" * 100_000, "\t" * 5000],
    ids=["line breaks", "escapes", "bidi", "separators", "surrogate", "long", "blank"],
)
def test_what_a_server_says_is_shown_in_one_line_of_bounded_length(field: str, text: str) -> None:
    given: dict[str, Any] = {field: text}
    error = api_error(**given)
    assert getattr(error, field) == text
    for shown in (str(error), repr(error)):
        assert shown.isprintable()
        assert len(shown) < 1000
        shown.encode()


def test_the_text_tells_why_no_more_was_tried() -> None:
    for error in one_of_each():
        if isinstance(error, ConfigError | CircuitOpenError):
            continue
        assert "[" not in str(error) or isinstance(error, APIError)
        error._history = History(stop=Stop(Reason.ATTEMPTS, "no attempt is left of 3"))
        assert error.stop_code is Reason.ATTEMPTS
        assert "no attempt is left of 3" in str(error)


def test_a_pickle_leaves_cookies_and_responses_behind() -> None:
    headers = CIMultiDictProxy(CIMultiDict([("Set-Cookie", "sid=s3cret"), ("X-A", "b")]))
    error = api_error(headers=headers)
    error.history = ("a response",)  # type: ignore[assignment]  # on purpose
    raw = pickle.dumps(error)
    assert b"s3cret" not in raw
    copied = pickle.loads(raw)
    assert dict(copied.headers) == {"X-A": "b"}
    assert copied.headers["x-a"] == "b"
    assert copied.history == ()
    assert dict(headers) == {"Set-Cookie": "sid=s3cret", "X-A": "b"}
    assert pickle.loads(pickle.dumps(api_error(headers=None))).headers is None


def test_a_subclass_of_the_users_own_pickles_too() -> None:
    error = Mine(INFO, status=400, message="m")
    error.tenant = "acme"
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is Mine
    assert copied.tenant == "acme"


class Mine(BadRequestError):
    tenant = ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AttemptTimeoutError(1.5), "no response within 1.5 s of one attempt"),
        (AttemptTimeoutError(), "no response within its time of one attempt"),
        (DeadlineExceededError(10), "the call did not finish within 10 s"),
        (DeadlineExceededError(), "the call did not finish within the time of the session"),
    ],
)
def test_time_outs_say_what_was_allowed(
    error: AttemptTimeoutError | DeadlineExceededError, text: str
) -> None:
    assert str(error) == text
    assert error.errno is None
    for caught_as in (TimeoutError, aiohttp.ServerTimeoutError, aiohttp.ClientConnectionError):
        assert issubclass(type(error), caught_as)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CircuitOpenError("https://a", 2.5), ["https://a", "open", "2.5 s"]),
        (CircuitOpenError("https://a", None), ["https://a", "open", "isolated by hand"]),
        (CircuitOpenError("k", 0.25, "half_open"), ["half_open", "0.25 s"]),
        (CircuitOpenError("k", 0.25, queued=1.5), ["open", "0.25 s", "held for 1.5 s"]),
    ],
)
def test_an_open_circuit_says_which_and_until_when(
    error: CircuitOpenError, words: list[str]
) -> None:
    assert all(word in str(error) for word in words)
    assert error.attempts == ()


def test_a_text_is_one_line_of_bounded_length_and_a_repr_is_short() -> None:
    info = public_request_info(URL("https://api.example/" + "p" * 5000), "POST")
    error = api_error(info=info, code="c" * 5000, message="m\r\n\x1b" * 5000, request_id="r" * 5000)
    for shown, most in ((str(error), 1000), (repr(error), 450)):
        assert len(shown) < most
        assert shown.isprintable()
    text = str(api_error(code="c", message="It is\nwrong.", request_id="r"))
    assert text == "404 c: It is wrong. [GET https://api.example/v1/meetings; request_id r]"


def test_the_text_shows_no_secret_of_a_url_whoever_made_the_error() -> None:
    info = public_request_info(URL("https://u:p4ss@api.example/v1?token=s3cret#part"), "GET")
    assert str(api_error(info=info)) == "404: Not there. [GET https://api.example/v1]"


def test_a_key_or_a_reason_of_anybodys_is_in_one_line_too() -> None:
    foreign = "a\r\nb\x1b[31m" * 1000
    refusals = CircuitOpenError(foreign, 1.0), CircuitOpenError(foreign, None)
    error = api_error()
    error._history = History(stop=Stop(Reason.CIRCUIT_OPEN, foreign))
    for each in (*refusals, error):
        assert str(each).isprintable()
        assert len(str(each)) < 1000


def test_details_keep_order_and_repetition() -> None:
    given = [
        FieldError("b", "two"),
        FieldError("a", "one"),
        FieldError("b", "two"),
        FieldError("", "of the whole"),
        FieldError("c", ""),
        FieldError("c", "three"),
    ]
    error = api_error(ValidationError, details=given)
    assert error.details == tuple(given)
    assert list(error.field_errors.items()) == [
        ("b", "two; two"),
        ("a", "one"),
        ("", "of the whole"),
        ("c", "three"),
    ]


def test_what_a_body_says_besides_is_kept_and_pickled() -> None:
    error = api_error(retry_after=2.5, docs="https://docs.example", format="nested")
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert (each.retry_after, each.docs, each.format) == (2.5, "https://docs.example", "nested")
