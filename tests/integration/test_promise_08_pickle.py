"""Promise 8: errors pickle and copy, also into another process, and carry no sockets along."""

import concurrent.futures
import copy
import multiprocessing
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from resilient import (
    AttemptTimeoutError,
    BreakerPolicy,
    CircuitOpenError,
    ConnectionFailedError,
    DeadlineExceededError,
    Pipeline,
    ResilientError,
    ServiceUnavailableError,
    ValidationError,
)
from resilient.testing import Disconnect, Hang, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    fault_server,
    passing,
    policy,
    retry_policy,
    status_of,
    wrapped,
)

pytestmark = pytest.mark.slow

BAD = {
    "error": {
        "code": "validation_error",
        "message": "Invalid.",
        "request_id": "req_1",
        "details": [{"field": "limit", "message": "Too big."}],
    }
}

MADE_BY: dict[str, tuple[Any, dict[str, Any], type[ResilientError]]] = {
    "an error of the server's": (
        [Reply(503), Reply(400, json=BAD, headers={"X-A": "b", "Retry-After": "7"})],
        {},
        ValidationError,
    ),
    "the last of three": ([Reply(503)] * 3, {}, ServiceUnavailableError),
    "a connection that failed": ([Disconnect()] * 3, {}, ConnectionFailedError),
    "an attempt's time": ([Hang()] * 3, {"attempt_timeout": 5}, AttemptTimeoutError),
    "the deadline": ([Reply(503), Hang()], {"total_timeout": 5}, DeadlineExceededError),
    "an open circuit": (
        [Reply(503)],
        {
            "breaker": BreakerPolicy(
                consecutive_failures=1, open_for=60, max_open_for=60, patience=0
            ),
            "retry": retry_policy(max_attempts=1),
        },
        CircuitOpenError,
    ),
}


async def raised(name: str) -> ResilientError:
    steps, changes, kind = MADE_BY[name]
    clock = FakeClock()
    async with (
        fault_server(*steps) as server,
        wrapped(Pipeline(policy(**changes), clock=clock)) as session,
        passing(clock, server),
    ):
        if kind is CircuitOpenError:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url / "v1")
        with pytest.raises(kind) as caught:
            await status_of(session, server.url / "v1")
    assert type(caught.value) is kind
    return caught.value


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copied": copy.copy,
    "deeply copied": copy.deepcopy,
    "pickled twice": lambda error: pickled(2)(pickled(4)(error)),
    **{f"pickled by {each}": pickled(each) for each in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def seen(error: Any) -> dict[str, Any]:
    """All that can be seen of an error."""
    names = (
        "status status_code code message request_id details field_errors retry_after body "
        "attempts stop_reason timeout key state args __notes__"
    )
    found = {name: getattr(error, name) for name in names.split() if hasattr(error, name)}
    found |= {"str": str(error), "repr": repr(error), "type": type(error)}
    if headers := getattr(error, "headers", None):
        found["headers"] = dict(headers)
    if info := getattr(error, "request_info", None):
        found["request"] = (info.url, info.real_url, info.method, dict(info.headers))
    return found


@pytest.mark.parametrize("name", MADE_BY)
async def test_what_can_be_seen_of_it_stays_the_same(name: str) -> None:
    error = await raised(name)
    before = seen(error)
    for way, made in WAYS.items():
        copied = made(error)
        assert copied is not error
        assert seen(copied) == before, way
        assert isinstance(copied, type(error))
    assert seen(error) == before
    assert before["attempts"] or name == "an open circuit"


@pytest.mark.parametrize("name", MADE_BY)
async def test_a_pickle_holds_the_attempts_and_nothing_alive(name: str) -> None:
    error = await raised(name)
    raw = pickle.dumps(error)
    assert len(raw) < 4000
    for alive in (b"Call", b"ClientSession", b"ClientRequest", b"Connector"):
        assert alive not in raw


async def test_a_pickle_can_be_raised_and_caught() -> None:
    error = pickle.loads(pickle.dumps(await raised("an error of the server's")))
    with pytest.raises(ValidationError, match=r"400 validation_error: Invalid\.") as caught:
        raise error from None
    assert caught.value.field_errors == {"limit": "Too big."}
    assert caught.value.headers is not None
    assert caught.value.headers["x-a"] == "b"


async def test_what_a_user_hangs_on_an_error_travels_along() -> None:
    error: Any = await raised("the last of three")
    error.tenant = "acme"
    error.add_note("seen in the nightly run")
    copied = pickle.loads(pickle.dumps(error))
    assert copied.tenant == "acme"
    assert copied.__notes__[-1] == "seen in the nightly run"
    assert len(copied.__notes__) == 4


def _raise(raw: bytes) -> None:
    raise pickle.loads(raw)


@pytest.mark.slow
async def test_errors_cross_the_border_of_a_process() -> None:
    errors = [await raised(name) for name in MADE_BY]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        for error in errors:
            came_back = pool.submit(_raise, pickle.dumps(error)).exception(timeout=30)
            assert seen(came_back) == seen(error)
