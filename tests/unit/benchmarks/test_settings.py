"""Things that are chosen by name."""

from __future__ import annotations

import pytest

from benchmarks.contenders import STANDARD
from benchmarks.settings import by_name
from resilient.errors import ConfigError


def test_they_come_once_and_in_the_order_of_the_names() -> None:
    none, retry = STANDARD[:2]
    assert by_name(["retry", "none", "retry"], STANDARD, "policies") == (retry, none)


def test_an_unknown_one_is_said_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"policies must be some of none, .*, not 'nothing'"):
        by_name(["none", "nothing"], STANDARD, "policies")
