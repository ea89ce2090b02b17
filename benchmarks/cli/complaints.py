"""What is said of input that makes no sense, in the words in which it was given."""

from __future__ import annotations

import os

import click

from resilient import ConfigError
from resilient.cli.output import FAILED, printable

__all__ = ["Refused", "complaint"]


class Refused(click.ClickException):
    """Nothing was done, or not all of it, and why."""

    exit_code = FAILED

    def __init__(self, error: ConfigError | OSError) -> None:
        super().__init__(complaint(error))


def complaint(error: ConfigError | OSError) -> str:
    """A line for each problem; a setting is called by the option that set it."""
    if isinstance(error, ConfigError):
        return "\n".join(printable(_in_options(each)) for each in error.problems)
    named = error.filename is not None and f"{os.fsdecode(error.filename)}: "
    return printable(f"{named or ''}{error.strerror or error}")


def _in_options(problem: ConfigError) -> str:
    owner, _, name = (problem.where or "").rpartition(".")
    context = click.get_current_context(silent=True)
    if context is None or problem.file is not None or not (not owner or owner.endswith("Settings")):
        return str(problem)
    for parameter in context.command.params:
        if parameter.name == name:
            called = (parameter.metavar or name).strip("[].")
            if isinstance(parameter, click.Option):
                called = max(parameter.opts, key=len)
            # That it may be None, too, is of no use to whoever types.
            allowed = (problem.allowed or "").removeprefix("None or ")
            return f"{called} must be {allowed}, not {problem.given}"
    return str(problem)
