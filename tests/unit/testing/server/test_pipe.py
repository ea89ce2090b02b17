"""The far side of a worker's pipe."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from resilient.testing.server.pipe import Pipe


def test_without_a_standard_error_what_is_printed_goes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers"
    with path.open("w") as out, path.open("rb") as commands:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=commands))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", None)
        pipe = Pipe.of_this_process("a test")
        os.write(out.fileno(), b"printed")
        pipe.answer(7)
        pipe._answers.close()
    assert pickle.loads(pickle.loads(path.read_bytes())) == (False, 7)
