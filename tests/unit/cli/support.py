"""Running the command line: in this process, or in one of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from resilient.cli.app import app

__all__ = ["SERVICES", "environment", "facts_of", "run", "words"]

# A file that has a bit of everything.
SERVICES = """
[services.mavio]
extends = "mavio"
match = "https://api.mavio.example"
total_timeout = "20s"
retry = { max_attempts = 5 }

[services.uploads]
extends = "mavio"
match = ["https://api.mavio.example/uploads", "https://*.files.example"]
breaker = false

[default]
extends = "standard"
attempt_timeout = 10
"""

_SHOWN_BY = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def run(*arguments: object, **environment: str) -> Result:
    """The command line in this process; what is not expected of it comes out."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def facts_of(*arguments: object) -> Any:
    """What the command line tells a program."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=refuse)


def environment(**changes: str) -> dict[str, str]:
    """That of this process, without what changes how things are shown."""
    ours = {name: value for name, value in os.environ.items() if name not in _SHOWN_BY}
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**ours, "PYTHONPATH": path, **changes}


def words(text: str) -> str:
    """Text in one line, however it was broken into lines."""
    return " ".join(text.split())
