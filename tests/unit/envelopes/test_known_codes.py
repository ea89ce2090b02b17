"""Tables of codes in a policy: by formats that there are, or by those of parsers of one's own."""

from collections.abc import Mapping
from typing import Any

import pytest

from resilient import ConfigError, ErrorPolicy
from resilient.envelopes import Envelope

TABLES = pytest.mark.parametrize("table", ["throttling_codes", "quota_codes"])


def read_acme(status: int, headers: Mapping[str, str], body: bytes) -> Envelope | None:
    return Envelope("Busy.", "busy", format="acme")


@TABLES
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"flatt": ["busy"]}, "(did you mean \"flat\"?), not 'flatt'"),
        ({"any": ["busy"]}, "must be one of aws, "),
        ({"flat": "busy"}, "must be a table of codes"),
        ({"flat": [""]}, "must be a table of codes"),
        ({"flat": [1]}, "must be a table of codes"),
        ({"flat": None}, "must be a table of codes"),
        ({1: ["busy"]}, "must be a table of codes"),
        ("flat", "must be a table of codes"),
        (None, "must be a table of codes"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table: str, given: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ErrorPolicy(**{table: given})
    assert caught.value.where == f"ErrorPolicy.{table}"
    assert said in str(caught.value)


def test_all_names_that_are_wrong_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        ErrorPolicy(throttling_codes={"flatt": ["a"], "netsed": ["a"]}, quota_codes={"odate": []})
    assert len(caught.value.problems) == 3


@TABLES
@pytest.mark.parametrize("parsers", ["parsers", "success_parsers"])
def test_with_a_parser_of_ones_own_a_format_may_have_any_name(table: str, parsers: str) -> None:
    made = ErrorPolicy(**{parsers: [read_acme], table: {"acme": ["busy"]}})  # type: ignore[arg-type]  # either
    assert getattr(made, table) == {"acme": {"busy"}}


@pytest.mark.parametrize("given", [[], {}, 7, "a\ud800", " "])
def test_the_format_of_an_envelope_is_a_name_or_none(given: Any) -> None:
    found = Envelope("m n", format=given).format
    assert found is None or found.isprintable()
