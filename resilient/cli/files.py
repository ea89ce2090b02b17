"""Read files of services on the command line, or print what is wrong with them.

Of a file in which something is wrong a program is told

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
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any, Final

import click

from resilient.cli.input import STDIN, read_stdin
from resilient.cli.output import FAILED, answer, answer_json, printable
from resilient.errors import ConfigError
from resilient.services.config.configuration import Configuration, read_configuration
from resilient.services.config.text import MAX_BYTES, Text, UnreadableError

__all__ = [
    "others_printing_apart",
    "problems_as_json",
    "problems_shown",
    "read_file",
    "status_of",
    "try_file",
]

_FALLS_SHORT: Final = 1

# What the standard input is called in problems.
_STDIN: Final = "<stdin>"

# Problems that a person is shown; a program is told all.
_SHOWN: Final = 20


def read_file(
    path: str, *, as_json: bool, allow_code: bool, environ: bool = False
) -> Configuration:
    """Read a file of services, or print what is wrong with it.

    Args:
        path: The path of the file; "-" for the standard input.
        as_json: Print problems for a program.
        allow_code: Import the code that the file names.
        environ: Let variables of the environment outrank the file.

    Raises:
        click.exceptions.Exit: When everything that is wrong is printed: with status 2 if the
            file cannot be read, else 1.
    """
    try:
        return try_file(path, allow_code=allow_code, environ=environ)
    except ConfigError as error:
        if as_json:
            answer_json(problems_as_json(path, error))
        else:
            answer(problems_shown(path, error))
        raise click.exceptions.Exit(status_of(error)) from None


def try_file(path: str, *, allow_code: bool, environ: bool) -> Configuration:
    """Read a file of services, as `read_file` does.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    with others_printing_apart():
        return read_configuration(_source(path), allow_code, environ)


def _source(path: str) -> str | Text:
    if path != STDIN:
        return path
    try:
        return Text(_STDIN, read_stdin(MAX_BYTES + 1))
    except OSError as error:
        raise UnreadableError(f"{_STDIN}: cannot be read: {error.strerror}") from None


def status_of(error: ConfigError) -> int:
    """Return the exit status for what is wrong: 2 if the file cannot be read, else 1."""
    return FAILED if isinstance(error, UnreadableError) else _FALLS_SHORT


def problems_as_json(path: str, error: ConfigError) -> dict[str, Any]:
    """Return what is wrong with a file, for a program."""
    return {"file": _name(path), "ok": False, "problems": [_facts(each) for each in error.problems]}


def problems_shown(path: str, error: ConfigError) -> Iterator[str]:
    """Show what is wrong with a file: the first 20 problems, a line each, and their number."""
    problems = error.problems
    yield from (printable(str(each)) for each in problems[:_SHOWN])
    if len(problems) > _SHOWN:
        yield f"and {len(problems) - _SHOWN} more"
    if not isinstance(error, UnreadableError):
        yield printable(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {_name(path)}")


def _name(path: str) -> str:
    return _STDIN if path == STDIN else path


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
