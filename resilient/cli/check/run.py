"""Check files of services one after the other, and report on each."""

from __future__ import annotations

from collections.abc import Sequence

import click

from resilient.cli.check import report
from resilient.cli.files import problems_as_json, problems_shown, status_of, try_file
from resilient.cli.input import STDIN
from resilient.cli.output import Unusable, answer, answer_json, rendered
from resilient.errors import ConfigError

__all__ = ["check_files"]


def check_files(files: Sequence[str], *, environ: bool, allow_code: bool, as_json: bool) -> None:
    """Report on files, one after the other.

    A program is told of several: {"ok": whether all are right, "files": [as for one, ...]}

    Args:
        files: Their paths; "-" for the standard input, once.
        environ: Let variables of the environment outrank the files.
        allow_code: Import the code that the files name.
        as_json: Answer for a program.

    Raises:
        Unusable: The standard input is named twice.
        click.exceptions.Exit: When everything is told: with status 2 if a file cannot be read,
            else 1, if something is wrong with one.
    """
    if files.count(STDIN) > 1:
        raise Unusable("the standard input (-) can be read only once")
    status = 0
    told = []
    for file in files:
        try:
            found = try_file(file, allow_code=allow_code, environ=environ)
        except ConfigError as error:
            status = max(status, status_of(error))
            if as_json:
                told.append(problems_as_json(file, error))
            else:
                answer(problems_shown(file, error))
        else:
            if as_json:
                told.append(report.as_json(found))
            else:
                answer(rendered(report.shown(found)))
    if as_json:
        many = {"ok": not status, "files": told}
        answer_json(told[0] if len(told) == 1 else many)
    if status:
        raise click.exceptions.Exit(status)
