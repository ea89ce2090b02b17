"""What the demo prints is what it was given."""

from io import StringIO

import pytest
from attrs import evolve
from rich.console import Console

from resilient import Attempt
from resilient.cli.demo.facts import (
    CallFacts,
    Comparison,
    ErrorFacts,
    OutageFacts,
    Side,
    Spell,
)
from resilient.cli.demo.show import Show

URL = "http://127.0.0.1:1/mavio/meetings"

CALL = CallFacts(
    method="POST",
    path="/mavio/meetings",
    keyed=True,
    script="503, then 200",
    attempts=(
        Attempt(1, "POST", URL, 0.0, 0.012, status=503, waited=0.345, reason="status 503"),
        Attempt(2, "POST", URL, 0.357, 0.3, error="ClientOSError (Connection reset by peer)"),
    ),
    raised="ConnectionFailedError",
    stop_reason="no attempt is left of 2",
    requests=7,
    keys=1,
)

ERROR = ErrorFacts(
    kind="UnprocessableEntityError",
    status=422,
    code="unprocessable_entity",
    message="It is [bold]well-formed[/bold], but cannot be processed.",
    request_id="req_1",
    field_errors=(("limit", "Must be an integer."),),
    retry_after=2.5,
)


def spell(**given: object) -> Spell:
    values: dict[str, object] = {
        "began": 0.0,
        "state": "closed",
        "reason": "the server is well",
        "server_is_down": False,
        "requests": 0,
        "succeeded": 0,
        "failed": 0,
        "refused": 0,
    }
    return Spell(**{**values, **given})  # type: ignore[arg-type]  # each of its own type


def side(**given: object) -> Side:
    values: dict[str, object] = {
        "calls": 11,
        "failures": (),
        "requests": 13,
        "served": (("503", 17), ("well", 19)),
        "seconds": 1.234,
        "slowest": 0.567,
    }
    return Side(**{**values, **given})  # type: ignore[arg-type]  # each of its own type


class Page:
    """What a `Show` has printed."""

    def __init__(self, width: int) -> None:
        self._out = StringIO()
        self.show = Show(Console(file=self._out, width=width))

    @property
    def lines(self) -> list[str]:
        """The lines, each with its spaces made one."""
        return [" ".join(line.split()) for line in self._out.getvalue().splitlines()]

    @property
    def text(self) -> str:
        return self._out.getvalue()


@pytest.fixture(params=[80, 120])
def page(request: pytest.FixtureRequest) -> Page:
    return Page(request.param)


def test_plain_text_within_the_width(page: Page) -> None:
    show = page.show
    show.opening("127.0.0.1:1", 1, "1. Retry: " + "many words " * 30)
    show.heading("1. Title", "explanation")
    show.columns()
    show.call(CALL)
    show.errors("title", [ERROR])
    show.outage(
        OutageFacts(
            (spell(), spell(state="open", reason="20 failures")), Comparison(side(), side())
        )
    )
    show.comparison(Comparison(side(), side()))
    with show.progress(10, "closed") as advance:
        advance("open")
    assert "\x1b" not in page.text
    assert max(map(len, page.text.splitlines())) <= page.show._console.width


def test_a_call(page: Page) -> None:
    page.show.call(CALL)
    title, first, *rest = page.lines
    assert title == "POST /mavio/meetings with an idempotency key server: 503, then 200"
    assert first == "1 0.000 0.012 503 waited 0.345 s: status 503"
    assert " ".join(rest) == (
        "2 0.357 0.300 ClientOSError raised ConnectionFailedError: no attempt is left of 2"
    )


def test_a_call_that_was_held(page: Page) -> None:
    held = Attempt(1, "GET", URL, 0.0, 0.012, status=200, queued=1.5)
    page.show.call(evolve(CALL, keyed=False, attempts=(held,), raised=None))
    assert page.lines[1] == "1 0.000 0.012 200 held for 1.500 s before; returned"


def test_calls_in_all(page: Page) -> None:
    page.show.calls([CALL, CALL])
    assert page.lines[-1] == "2 calls: 4 attempts by their account, 14 requests by the server's."


def test_an_error(page: Page) -> None:
    page.show.errors("title", [ERROR])
    text = " ".join(page.lines)
    assert "422 UnprocessableEntityError It is [bold]well-formed[/bold], but" in text
    assert "unprocessable_entity" in text
    assert "limit: Must be an integer." in text
    assert "request_id req_1, retry_after 2.5" in text


def test_an_error_that_says_little(page: Page) -> None:
    page.show.errors(
        "title",
        [
            ErrorFacts(
                kind="APIError",
                status=418,
                code=None,
                message="",
                request_id=None,
                field_errors=(),
                retry_after=None,
            )
        ],
    )
    assert [line for line in page.lines if line] == ["title", "418 APIError"]


def test_an_outage(page: Page) -> None:
    page.show.outage(
        OutageFacts(
            (
                spell(requests=25, succeeded=25),
                spell(began=0.5, reason="down", server_is_down=True, requests=12, failed=12),
                spell(began=0.75, state="open", reason="why", server_is_down=True, refused=31),
            ),
            Comparison(side(), side(requests=10)),
        )
    )
    lines = [line for line in page.lines if line]
    assert lines[0] == "at circuit because calls failed refused requests"
    assert lines[2:6] == [
        "0.00 closed the server is well 25 0 0 25",
        "0.50 closed down 12 12 0 12",
        "0.75 open why 31 0 31 0",
        "in all 68 12 31 37",
    ]
    assert "requests on the wire 13 10" in lines


def test_a_comparison(page: Page) -> None:
    without = side(failures=("status 503",) * 3, requests=14)
    page.show.comparison(Comparison(without, side(failures=("E: no attempt is left of 2",))))
    assert [line for line in page.lines if line][2:] == [
        "calls 11 11",
        "succeeded 8 10",
        "failed 3 1",
        "requests on the wire 14 13",
        "503 17 17",
        "well 19 19",
        "time 1.23 s 1.23 s",
        "slowest call 0.57 s 0.57 s",
        "With the pipeline, 1 failed: E: no attempt is left of 2.",
    ]


def test_a_bar_on_a_terminal() -> None:
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, force_interactive=True)
    with Show(console).progress(2, "closed") as advance:
        advance("closed")
        advance("open")
    assert "2 calls" in out.getvalue()
    assert "open" in out.getvalue()
