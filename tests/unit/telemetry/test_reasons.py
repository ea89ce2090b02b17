"""Every reason code can come about: what nobody gives is no code to count by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import resilient
from resilient import Reason

ROOT = Path(resilient.__file__).parent

SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "reasons.py" and "cli" not in path.parts
)


@pytest.mark.parametrize("reason", Reason)
def test_something_gives_each_reason(reason: Reason) -> None:
    assert re.search(rf"\bReason\.{reason.name}\b", SOURCE)


def test_the_value_of_a_reason_is_its_name_in_small_letters() -> None:
    assert {reason.value for reason in Reason} == {reason.name.lower() for reason in Reason}
