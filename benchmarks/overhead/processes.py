"""Run Python in a process of its own, and return what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

__all__ = ["run_python"]

# With this variable each interpreter would compile the modules of a checkout again.
_UNCOMPILED = "PYTHONDONTWRITEBYTECODE"


def run_python(
    *arguments: str,
    under: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> str:
    """Run this interpreter anew, and return its standard output.

    Args:
        *arguments: The arguments of the interpreter.
        under: A command that runs it, such as a profiler.
        environment: Variables to add to those of this process.
        timeout: Seconds after which it is ended. Default 60.

    Raises:
        CalledProcessError: It has failed.
        TimeoutExpired: It has taken too long.
    """
    # Installed packages are compiled; a checkout is compiled by the first import.
    variables = {name: value for name, value in os.environ.items() if name != _UNCOMPILED}
    variables.update(environment or {})
    return subprocess.check_output(
        [*under, sys.executable, *arguments],
        text=True,
        timeout=timeout,
        env=variables,
        # Ctrl-C does not reach it, since it would print a traceback; it is ended all the same.
        start_new_session=True,
    )
