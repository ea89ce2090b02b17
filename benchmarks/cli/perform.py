"""Carry out a command, from its options to its exit status."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from benchmarks.catalogue import BENCHMARKS, VERSIONS, RunOutcome, Task, run_tasks
from benchmarks.cli.progress import shown_progress
from benchmarks.report.document import Report, describe_machine
from benchmarks.report.outputs import STANDARD_OUTPUT, Outputs
from resilient import ConfigError
from resilient.cli.output import FAILED, answer, printable, rendered

__all__ = ["Refused", "complaint", "measure_all", "measure_one", "show", "write"]

# The status that shells report for a command that Ctrl-C ended.
_INTERRUPTED = 130


class Refused(click.ClickException):
    """The command did nothing, or not all that was asked; the message says why."""

    exit_code = FAILED

    def __init__(self, error: ConfigError | OSError) -> None:
        super().__init__(complaint(error))


def complaint(error: ConfigError | OSError) -> str:
    """Return a line for each problem; a setting has the name of the option that sets it."""
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
            # The user cannot type None, so it is no help that it is allowed.
            allowed = (problem.allowed or "").removeprefix("None or ")
            return f"{called} must be {allowed}, not {problem.given}"
    return str(problem)


def measure_one(name: str, given: Mapping[str, Any], outputs: Outputs) -> int:
    """Run a benchmark with the given settings, and return the exit status."""
    return _measure({name: given}, outputs)


def measure_all(given: Mapping[str, Any], outputs: Outputs) -> int:
    """Run every benchmark, each with the settings that it knows, and return the exit status."""
    settings = {
        name: {key: value for key, value in given.items() if benchmark.knows(key)}
        for name, benchmark in BENCHMARKS.items()
    }
    return _measure(settings, outputs)


def _measure(given: Mapping[str, Mapping[str, Any]], outputs: Outputs) -> int:
    try:
        # All settings are checked before anything runs.
        tasks = tuple(_task(name, settings) for name, settings in given.items())
        outputs.check()
    except (ConfigError, OSError) as error:
        raise Refused(error) from None
    machine = describe_machine(VERSIONS)
    expected = [seconds for task in tasks for seconds in task.settings.expected_seconds]
    with shown_progress(expected) as progress:
        found = run_tasks(tasks, progress)
    return _deliver(found, machine, outputs)


def _task(name: str, given: Mapping[str, Any]) -> Task:
    benchmark = BENCHMARKS[name]
    return Task(name, benchmark.measure(), benchmark.settings(**given))


def _deliver(found: RunOutcome, machine: Mapping[str, Any], outputs: Outputs) -> int:
    """Write and show the results so far, and return the exit status."""
    report = Report(
        machine=machine,
        results=tuple(found.results),
        stopped=_why(found.ended_by),
        missing=tuple(found.missing),
    )
    status = 0
    if found.is_interrupted:
        so_far = "what was measured so far follows" if report.results else "nothing was measured"
        click.echo(f"interrupted; {so_far}", err=True)
        status = _INTERRUPTED
    if report.results:
        unwritten = write(report, outputs)
        status = status or unwritten
        show(report, outputs)
    return status or _judge(found.ended_by)


def _why(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ConfigError | OSError):
        return complaint(error).replace("\n", "; ")
    return f"{type(error).__name__}: {error}"


def _judge(error: BaseException | None) -> int:
    """Return the status; one line for an error of the user's, a traceback for one of ours."""
    if error is None:
        return 0
    if isinstance(error, ConfigError | OSError):
        raise Refused(error) from None
    raise error


def write(report: Report, outputs: Outputs) -> int:
    """Write the files, name each that is written, and return the exit status."""
    try:
        for path in outputs.write(report):
            click.echo(printable(f"wrote {path}"), err=True)
    except ConfigError as error:
        click.echo(f"Error: {complaint(error)}", err=True)
        return FAILED
    return 0


def show(report: Report, outputs: Outputs) -> None:
    """Show the tables on the standard output, or the JSON if it was asked for there."""
    if outputs.json == STANDARD_OUTPUT:
        from benchmarks.report.stored import to_json

        answer([to_json(report).rstrip("\n")])
    else:
        from benchmarks.report.terminal import render_report

        answer(rendered(render_report(report)))
