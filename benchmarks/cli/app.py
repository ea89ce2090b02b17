"""The commands and their options. A command imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

__all__ = ["all_outputs", "app", "outputs", "policy_options", "renderings", "run_options"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_OUTPUTS = ("json", "html", "svg", "markdown", "into")


def _together(*options: Decorator) -> Decorator:
    """Combine several options into one decorator; help shows them in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(lambda decorated, option: option(decorated), reversed(options), function)

    return decorate


def _html(default: str | None = None) -> Decorator:
    return click.option(
        "--html",
        metavar="FILE",
        default=default,
        show_default=bool(default),
        help="Write a page: tables and charts in one file.",
    )


def _json(default: str | None = None) -> Decorator:
    return click.option(
        "--json",
        metavar="FILE",
        default=default,
        show_default=bool(default),
        help='Write every figure for a program; "-" is the standard output.',
    )


_svg = click.option("--svg", metavar="DIR", help="Write each chart into a directory.")
_markdown = click.option("--markdown", metavar="FILE", help="Write the tables as Markdown.")
_into = click.option(
    "--into",
    metavar="FILE",
    help="Replace what a file has between <!-- benchmarks:NAME --> and <!-- /benchmarks:NAME -->.",
)

outputs = _together(_json(), _html(), _svg, _markdown)
all_outputs = _together(
    _json("benchmarks-report.json"), _html("benchmarks-report.html"), _svg, _markdown
)
renderings = _together(_html(), _svg, _markdown, _into)

run_options = _together(
    click.option("--quick", is_flag=True, help="Less of everything: a look, not a measurement."),
    click.option("--seed", type=int, metavar="N", help="Of everything random."),
)

policy_options = _together(
    click.option("--policy-file", metavar="FILE", help="Set the policies of a file beside those."),
    click.option("--service", metavar="NAME", help="Only that of one service of the file."),
)


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
    """Run everything, in about a quarter of an hour, and write a report."""
    from benchmarks.cli.perform import measure_all

    return measure_all(*_split(given))


@app.command()
@click.argument("parts", metavar="[PART]...", nargs=-1)
@run_options
@click.option("--without-peers", is_flag=True, help="Leave out what people use instead.")
@click.option(
    "--rows",
    metavar="TEXT",
    multiple=True,
    help="Only rows with this in their names, beside the references; may be given again.",
)
@click.option("--instructions", is_flag=True, help="Count instructions too, by valgrind.")
@outputs
def overhead(*, without_peers: bool, **given: Any) -> int:
    """Measure what the middlewares cost, beside a hand-written one and what people use instead.

    Parts: calls, sessions, refusals, sockets, memory, stalls, garbage and imports, which are
    measured if none are named; instructions.
    """
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

    Scenarios: calm, random-503, rate-limit, resets, stalls, tail, outage, blip, limit, brown-out
    and dead, which are measured if none are named; offline.
    """
    return _measure("load", given)


@app.command()
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1)
@run_options
@policy_options
@click.option(
    "--rows",
    metavar="ROWS",
    multiple=True,
    help='Rows of trouble: groups and beginnings of names, with commas: "a 50/s 6.5 s,d".',
)
@click.option(
    "--columns",
    metavar="COLUMNS",
    multiple=True,
    help="Columns of trouble: none, retry, consecutive breaker, pipeline.",
)
@click.option("--seeds", type=int, metavar="N", help="The seeds that trouble is run with.")
@click.option("--workers", type=int, metavar="N", help="Processes that simulate trouble.")
@click.option("--clients", type=int, metavar="N", help="How many there are in the crowd.")
@click.option("--seconds", type=float, metavar="N", help="For how long it calls, simulated.")
@outputs
def storm(**given: Any) -> int:
    """Let thousands of clients storm a server in virtual time.

    Scenarios: trouble, jitter, throttling, metastable, crowd and rate-limit; all are measured if
    none are named. "storm trouble" says where the standard pipeline is worse than nothing; judge
    it with --seeds 10.
    """
    return _measure("storm", given)


@app.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--into",
    metavar="DIR",
    default="docs/pictures",
    show_default=True,
    help="The directory of the files.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(2),
    default=18.0,
    show_default=True,
    help="The length of the run on loopback.",
)
def pictures(names: tuple[str, ...], into: str, seconds: float) -> None:
    """Draw the pictures of the documents, as SVG that follows light and dark.

    Names: backoff, budget, circuit, throttle and bulkhead, each from a run in virtual time, and
    always the same; trace and outage, from a run on loopback told to OpenTelemetry. All, if none
    are named.
    """
    from pathlib import Path

    from benchmarks.cli.perform import Refused
    from benchmarks.documents import write_pictures
    from resilient import ConfigError

    try:
        for file in write_pictures(names, Path(into), seconds):
            click.echo(file)
    except (ConfigError, OSError) as error:
        raise Refused(error) from None


@app.command()
@click.argument("results", metavar="RESULTS.json")
@renderings
def report(results: str, **given: Any) -> int:
    """Show what --json has written earlier; on the terminal, or as what is asked for."""
    from benchmarks.cli.perform import Refused, show, write
    from benchmarks.report.stored import read_report
    from resilient import ConfigError

    _, wanted = _split(given)
    try:
        found = read_report(results)
        wanted.check()
    except (ConfigError, OSError) as error:
        raise Refused(error) from None
    if wanted.any_requested:
        return write(found, wanted)
    show(found, wanted)
    return 0


def _measure(name: str, given: dict[str, Any], **more: Any) -> int:
    from benchmarks.cli.perform import measure_one

    settings, files = _split(given)
    return measure_one(name, {**settings, **more}, files)


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Separate the settings of a benchmark from the outputs of its report."""
    from benchmarks.report.outputs import Outputs

    # Settings that were not given have defaults of their own.
    settings = {
        key: value
        for key, value in given.items()
        if key not in _OUTPUTS and not (value is None or value is False or value == ())
    }
    files = {key: value for key, value in given.items() if key in _OUTPUTS}
    return settings, Outputs(**files)
