"""Where it does not fit, it says so: no package to extend, or an aiohttp from after the tests."""

from __future__ import annotations

import subprocess
import sys

import aiohttp
import pytest

from resilient.testing import aioresponses
from resilient.testing.mocked import compat

API = "http://api.example/x"

WITHOUT_THE_PACKAGE = """
import sys
sys.modules["aioresponses"] = None
import resilient.testing
try:
    from resilient.testing import aioresponses
except ModuleNotFoundError as error:
    print(error)
"""


def test_without_the_package_only_the_mock_is_missing_and_says_what_to_install() -> None:
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_THE_PACKAGE],
        check=True,
        capture_output=True,
        text=True,
    )
    assert 'pip install "resilient-aiohttp[testing]"' in said.stdout
    assert said.stdout.startswith("resilient.testing.aioresponses extends the package aioresponses")


async def test_an_aiohttp_that_does_not_fit_is_named(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(aiohttp.ClientRequest, "send")
    monkeypatch.setattr(compat, "TESTED", (3, 11))
    with aioresponses() as m:
        m.get(API)
        with pytest.raises(RuntimeError) as caught:
            await session.get(API)
    assert str(caught.value).startswith(
        "resilient.testing.aioresponses is tested with aiohttp up to 3.11, and does not fit "
        f"{aiohttp.__version__}: "
    )
    assert isinstance(caught.value.__cause__, AttributeError)


def test_an_aiohttp_without_what_is_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "TESTED", (3, 11))
    with (
        pytest.raises(ImportError, match=r"up to 3\.11, and does not fit"),
        compat.explain_new_aiohttp(),
    ):
        from aiohttp.http import NoSuchName  # type: ignore[attr-defined]  # noqa: F401 (it is not there, on purpose)


def test_on_an_aiohttp_that_is_tested_errors_are_what_they_are() -> None:
    with pytest.raises(TypeError, match=r"^somebody's$"), compat.explain_new_aiohttp():
        raise TypeError("somebody's")
