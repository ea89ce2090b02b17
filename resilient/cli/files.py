"""Files of services on the command line: read, or complained of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import click

from resilient.cli.output import answer, answer_json, printable
from resilient.errors import ConfigError
from resilient.services.config.configuration import Configuration, read_configuration

__all__ = ["read_file"]

_FALLS_SHORT = 1


def read_file(path: str, *, as_json: bool) -> Configuration:
    """What a file says.

    If something is wrong with it, that is printed: a line for each problem and their number,
    or for a program

        {"file": PATH, "ok": false, "problems": [{
            "key":      the dotted key, or null where no single one is at fault
            "given":    what it was given, or null
            "allowed":  what is allowed, or null
            "message":  the line
        }, ...]}

    Raises:
        click.exceptions.Exit: With status 1, when everything that is wrong is printed.
    """
    try:
        with _imports():
            return read_configuration(path)
    except ConfigError as error:
        problems = error.problems
    if as_json:
        answer_json({"file": path, "ok": False, "problems": [_facts(each) for each in problems]})
    else:
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {path}"
        answer(printable(line) for line in (*map(str, problems), count))
    raise click.exceptions.Exit(_FALLS_SHORT)


def _facts(problem: ConfigError) -> dict[str, str | None]:
    return {
        "key": problem.where,
        "given": problem.given,
        "allowed": problem.allowed,
        "message": str(problem),
    }


@contextmanager
def _imports() -> Iterator[None]:
    """Let a file name functions of the project at hand, and keep what those print apart."""
    # Last, so that nothing there takes the place of what is installed.
    here = [] if sys.flags.safe_path or "" in sys.path else [""]
    sys.path += here
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        for each in here:
            sys.path.remove(each)
