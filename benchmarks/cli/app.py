"""The commands. What a command needs is imported when it runs."""

from __future__ import annotations

from typing import Any

import click

from benchmarks.cli.options import (
    all_outputs,
    outputs,
    policy_options,
    renderings,
    run_options,
)

__all__ = ["app"]

_OUTPUTS = ("json", "html", "png", "markdown", "into")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def app(context: click.Context) -> None:
    """What the middlewares cost, and what a policy does to a service in trouble.

    Ctrl-C stops a command and leaves what was measured so far. Nothing but loopback is used.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@app.command("all")
@run_options
@all_outputs
def all_(**given: Any) -> int:
    """Run everything, in less than ten minutes, and write a report."""
    from benchmarks.cli.perform import measure_all

    return measure_all(*_split(given))


@app.command()
@run_options
@click.option("--without-peers", is_flag=True, help="Leave out what people use instead.")
@outputs
def overhead(*, without_peers: bool, **given: Any) -> int:
    """Measure what the middlewares cost, beside bare aiohttp and what people use instead."""
    return _measure("overhead", given, **({"peers": False} if without_peers else {}))


@app.command()
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1)
@run_options
@click.option(
    "--policy",
    "policies",
    metavar="NAME",
    multiple=True,
    help="none, retry, retry+breaker or pipeline; may be given again.",
)
@policy_options
@click.option("--rate", type=float, metavar="N", help="Calls per second.")
@click.option("--seconds", type=float, metavar="N", help="For how long, with each policy.")
@click.option("--workers", type=int, metavar="N", help="Processes that call.")
@click.option("--port", type=int, metavar="N", help="Where the server listens.")
@click.option("--patience", type=float, metavar="N", help="Seconds for a whole call at most.")
@outputs
def load(**given: Any) -> int:
    """Put policies under a load on real sockets, while the server fails to order.

    Scenarios: calm, random-503, rate-limit, resets, stalls, tail, outage, brown-out and dead, which
    are measured if none are named; offline.
    """
    return _measure("load", given)


@app.command()
@click.argument("stories", metavar="[STORY]...", nargs=-1)
@run_options
@policy_options
@click.option("--clients", type=int, metavar="N", help="How many there are in the crowd.")
@click.option("--seconds", type=float, metavar="N", help="For how long it calls, simulated.")
@outputs
def storm(**given: Any) -> int:
    """Let thousands of clients storm a server in virtual time.

    Stories: jitter, throttling, metastable, crowd and rate-limit; all are told if none are named.
    """
    return _measure("storm", given)


@app.command()
@click.argument("results", metavar="RESULTS.json")
@renderings
def report(results: str, **given: Any) -> int:
    """Show what --json has written earlier; on the terminal, or as what is asked for."""
    from benchmarks.cli.complaints import Refused
    from benchmarks.cli.perform import show, write
    from benchmarks.report.stored import read_report
    from resilient import ConfigError

    _, wanted = _split(given)
    try:
        found = read_report(results)
        wanted.check()
    except (ConfigError, OSError) as error:
        raise Refused(error) from None
    if wanted.are_asked_for:
        return write(found, wanted)
    show(found, wanted)
    return 0


def _measure(name: str, given: dict[str, Any], **more: Any) -> int:
    from benchmarks.cli.perform import measure_one

    settings, files = _split(given)
    return measure_one(name, {**settings, **more}, files)


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """What is for a benchmark, and what is for its report."""
    from benchmarks.report.outputs import Outputs

    # The settings have defaults of their own for what was not given.
    settings = {
        key: value
        for key, value in given.items()
        if key not in _OUTPUTS and not (value is None or value is False or value == ())
    }
    files = {key: value for key, value in given.items() if key in _OUTPUTS}
    return settings, Outputs(**files)
