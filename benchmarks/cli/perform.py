"""What is said of input that makes no sense, in the words in which it was given."""

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


# What a shell reports of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def measure_one(name: str, given: Mapping[str, Any], outputs: Outputs) -> int:
    """RunOutcome a benchmark with the settings that were given, and return the exit status."""
    return _measure({name: given}, outputs)


def measure_all(given: Mapping[str, Any], outputs: Outputs) -> int:
    """RunOutcome every benchmark, each with those settings that it knows; the exit status."""
    settings = {
        name: {key: value for key, value in given.items() if benchmark.knows(key)}
        for name, benchmark in BENCHMARKS.items()
    }
    return _measure(settings, outputs)


def _measure(given: Mapping[str, Mapping[str, Any]], outputs: Outputs) -> int:
    try:
        # Before anything runs: what is wrong with the last of them, too.
        tasks = tuple(_task(name, settings) for name, settings in given.items())
        outputs.check()
    except (ConfigError, OSError) as error:
        raise Refused(error) from None
    machine = describe_machine(VERSIONS)
    with shown_progress() as progress:
        found = run_tasks(tasks, progress)
    return _deliver(found, machine, outputs)


def _task(name: str, given: Mapping[str, Any]) -> Task:
    benchmark = BENCHMARKS[name]
    return Task(name, benchmark.measure(), benchmark.settings(**given))


def _deliver(found: RunOutcome, machine: Mapping[str, Any], outputs: Outputs) -> int:
    """Write and show what was found, however much that is."""
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
    """The status; a line for what somebody can help, and a traceback for a fault of ours."""
    if error is None:
        return 0
    if isinstance(error, ConfigError | OSError):
        raise Refused(error) from None
    raise error


def write(report: Report, outputs: Outputs) -> int:
    """Write the files, saying which are there, and return the exit status."""
    try:
        for path in outputs.write(report):
            click.echo(printable(f"wrote {path}"), err=True)
    except ConfigError as error:
        click.echo(f"Error: {complaint(error)}", err=True)
        return FAILED
    return 0


def show(report: Report, outputs: Outputs) -> None:
    """Show the tables on the standard output; or the JSON, if that is where it was to go."""
    if outputs.json == STANDARD_OUTPUT:
        from benchmarks.report.stored import to_json

        answer([to_json(report).rstrip("\n")])
    else:
        from benchmarks.report.terminal import render_report

        answer(rendered(render_report(report)))
