"""A few seconds of the soak: nothing grows while calls fail and are cancelled."""

import pytest

from tests.soak import main

pytestmark = pytest.mark.slow


def test_nothing_grows_under_faults_and_cancellations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "4", "--seed", "1"]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    # It did what it is for.
    assert all(f" {outcome}" in said for outcome in ("200", "cancelled", "ServiceUnavailableError"))
