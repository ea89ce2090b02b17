"""A command that measures, from its options to its exit status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from benchmarks.catalogue import BENCHMARKS, VERSIONS
from benchmarks.cli.complaints import Refused, complaint
from benchmarks.cli.progress import shown_progress
from benchmarks.machine import describe_machine
from benchmarks.report.document import Report
from benchmarks.report.outputs import STANDARD_OUTPUT, Outputs
from benchmarks.running import Run, Task, run
from resilient import ConfigError
from resilient.cli.output import FAILED, answer, printable, rendered

__all__ = ["measure_all", "measure_one", "show", "write"]

# What a shell reports of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def measure_one(name: str, given: Mapping[str, Any], outputs: Outputs) -> int:
    """Run a benchmark with the settings that were given, and return the exit status."""
    return _measure({name: given}, outputs)


def measure_all(given: Mapping[str, Any], outputs: Outputs) -> int:
    """Run every benchmark, each with those settings that it knows; the exit status."""
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
        found = run(tasks, progress)
    return _deliver(found, machine, outputs)


def _task(name: str, given: Mapping[str, Any]) -> Task:
    benchmark = BENCHMARKS[name]
    return Task(name, benchmark.measure(), benchmark.settings(**given))


def _deliver(found: Run, machine: Mapping[str, Any], outputs: Outputs) -> int:
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
        from benchmarks.report.stored import text_of

        answer([text_of(report).rstrip("\n")])
    else:
        from benchmarks.report.terminal import shown

        answer(rendered(shown(report)))
