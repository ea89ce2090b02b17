"""Read files of services on the command line, or print what is wrong with them."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, redirect_stdout

import click

from resilient.cli.output import FAILED, answer, answer_json, printable
from resilient.errors import ConfigError
from resilient.services.config.configuration import Configuration, read_configuration
from resilient.services.config.document import UnreadableError

__all__ = ["others_printing_apart", "read_file"]

_FALLS_SHORT = 1


def read_file(path: str, *, as_json: bool, allow_code: bool) -> Configuration:
    """Read a file of services.

    If something is wrong with it, that is printed: a line for each problem and their number,
    or for a program

        {"file": PATH, "ok": false, "problems": [{
            "key":      the dotted key, or null where no single one is at fault
            "given":    what it was given, or null
            "allowed":  what is allowed, or null
            "file":     the file that it is in, and where there; null where no place is at fault
            "line":     from 1
            "column":   in characters, from 1
            "variable": the variable of the environment that it comes from, or null
            "message":  the line
        }, ...]}

    Args:
        path: The path of the file.
        as_json: Print problems for a program.
        allow_code: Import the code that the file names.

    Raises:
        click.exceptions.Exit: When everything that is wrong is printed: with status 2 if the
            file cannot be read, else 1.
    """
    try:
        with others_printing_apart():
            return read_configuration(path, allow_code)
    except ConfigError as error:
        problems = error.problems
        status = FAILED if isinstance(error, UnreadableError) else _FALLS_SHORT
    if as_json:
        answer_json({"file": path, "ok": False, "problems": [_facts(each) for each in problems]})
    else:
        lines = [*map(str, problems)]
        if status == _FALLS_SHORT:
            lines.append(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {path}")
        answer(map(printable, lines))
    raise click.exceptions.Exit(status)


def others_printing_apart() -> AbstractContextManager[object]:
    """Let what code of a file prints go to the standard error: it is no part of the answer."""
    return redirect_stdout(sys.stderr)


def _facts(problem: ConfigError) -> dict[str, str | int | None]:
    return {
        "key": problem.where,
        "given": problem.given,
        "allowed": problem.allowed,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "variable": problem.variable,
        "message": str(problem),
    }
