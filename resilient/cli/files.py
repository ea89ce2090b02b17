"""Files of services on the command line: read, or complained of."""

from __future__ import annotations

import json
from typing import Any

import click

from resilient.errors import ConfigError
from resilient.services.config.configuration import Configuration, read_configuration

__all__ = ["echo_json", "read_file"]

_FALLS_SHORT = 1


def read_file(path: str, *, as_json: bool) -> Configuration:
    """What a file says.

    Raises:
        click.exceptions.Exit: With status 1, when everything that is wrong is printed.
    """
    try:
        return read_configuration(path)
    except ConfigError as error:
        problems = error.problems
        if as_json:
            echo_json({"file": path, "ok": False, "problems": [_facts(each) for each in problems]})
        else:
            for each in problems:
                click.echo(str(each))
            click.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {path}")
        raise click.exceptions.Exit(_FALLS_SHORT) from None


def echo_json(facts: Any) -> None:
    """Print for a program."""
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False))


def _facts(problem: ConfigError) -> dict[str, str | None]:
    return {
        "key": problem.where,
        "given": problem.given,
        "allowed": problem.allowed,
        "message": str(problem),
    }
