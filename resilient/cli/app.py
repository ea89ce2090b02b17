"""Define the commands. What a command needs is imported when it runs."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from resilient.cli.output import FAILED, answer, answer_json, mute, rendered

__all__ = ["app", "run"]

_DISTRIBUTION = "resilient-aiohttp"

# What a shell reports of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def _show_version(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not context.resilient_parsing:
        click.echo(f"resilient, version {_version()}")
        context.exit()


def _version() -> str:
    """Return the version that is installed, or that of the checkout which this is."""
    with suppress(PackageNotFoundError):
        return version(_DISTRIBUTION)
    file = Path(__file__).parents[2] / "pyproject.toml"
    with suppress(OSError, ValueError, KeyError):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        if project["name"] == _DISTRIBUTION:
            return f"{project['version']} (a checkout that is not installed)"
    return "unknown (not installed)"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def app(context: click.Context) -> None:
    """Composable aiohttp client middlewares that make calls to APIs survive."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@app.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of the mixture of faults.")
@click.option("--telemetry", is_flag=True, help="Show what OpenTelemetry is told of a call.")
def demo(seed: int, telemetry: bool) -> None:
    """Watch calls survive a real server on loopback that misbehaves to order."""
    from resilient.cli.demo.play import main

    main(seed, telemetry=telemetry)


_as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for a program.")
_allow_code = click.option(
    "--allow-code",
    is_flag=True,
    help="Import the functions and classes that FILE names, which runs code. Only for a FILE in "
    "a folder where nobody writes whose code you would not run.",
)


_environ = click.option(
    "--environ",
    is_flag=True,
    help="Let variables RESILIENT__... of the environment outrank FILE.",
)


@app.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@_environ
@_allow_code
@_as_json
def check(files: tuple[str, ...], environ: bool, allow_code: bool, as_json: bool) -> None:
    """Show the settings of each service in FILE, or everything that is wrong with it.

    FILE may be - for the standard input. Several are each checked by themselves; files that
    FILE includes belong to it. Nothing that FILE names is imported without --allow-code, and
    nothing is called.

    The exit status is 1 if something is wrong with a file, 2 if one cannot be read.
    """
    from resilient.cli.check.run import check_files

    check_files(files, environ=environ, allow_code=allow_code, as_json=as_json)


@app.command()
@click.argument("file")
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="The method of the request.")
@_environ
@_allow_code
@_as_json
def explain(
    file: str, url: str, method: str, environ: bool, allow_code: bool, as_json: bool
) -> None:
    """Explain what would happen to a request for URL, by the services of FILE (or -).

    Which service takes it and why, the order of its pipeline, which failures are repeated
    and which are not, the waits, and how long it may take at worst. Nothing is sent.

    With --allow-code, the wait generator and the parsers that FILE names for that service are
    called. Without, nothing that it names is imported or called.

    The exit status is 1 if something is wrong with the file, 2 if it cannot be read.
    """
    from resilient.cli.explain import report
    from resilient.cli.explain.explanation import explain_request, parse_target
    from resilient.cli.files import others_printing_apart, read_file

    target = parse_target(url, method)
    found = read_file(file, as_json=as_json, allow_code=allow_code, environ=environ)
    with others_printing_apart():
        explanation = explain_request(found, target)
    if as_json:
        answer_json(report.as_json(explanation, found.file))
    else:
        answer(rendered(report.shown(explanation)))


@app.command()
@click.argument("file")
@click.option("--status", type=click.IntRange(100, 999), help="The status; 400 by default.")
@click.option("--header", "headers", multiple=True, help='A header, as "Name: value".')
@click.option("--format", "formats", multiple=True, help="Ask this format only.")
@_as_json
def parse(
    file: str, status: int | None, headers: tuple[str, ...], formats: tuple[str, ...], as_json: bool
) -> None:
    """Say what would become of the error response that is saved in FILE (- for standard input).

    Which format takes it, and the class, code, message, fields and request id of the error. FILE
    holds a body, or a whole response as `curl -i` saves it.

    The exit status is 2 if it cannot be read.
    """
    from resilient.cli.parse import report
    from resilient.cli.parse.answer import read_answer

    found = read_answer(file, status, headers, formats)
    if as_json:
        answer_json(report.answer_as_json(found))
    else:
        answer(rendered(report.answer_shown(found)))


@app.command()
@_as_json
def formats(as_json: bool) -> None:
    """List the formats of error bodies that are built in, in the order in which they are asked."""
    from resilient.cli.parse import report

    if as_json:
        answer_json(report.formats_as_json())
    else:
        answer(rendered(report.formats_shown()))


@app.command()
@click.argument("name", required=False)
@_as_json
def presets(name: str | None, as_json: bool) -> None:
    """List the presets that come with the package, or show what the one of NAME sets.

    The exit status is 2 if there is none of that name.
    """
    from resilient.cli import presets as report

    found = report.read_presets(name)
    if as_json:
        answer_json(report.as_json(found))
    else:
        answer(rendered(report.shown(found)))


@app.command()
def schema() -> None:
    """Print a JSON Schema (2020-12) of files of services, from which editors complete them."""
    from resilient.cli.schema import schema as made

    answer_json(made())


def run(command: click.Command = app, name: str = "resilient") -> int:
    """Run the command that the process was given, and return its exit status.

    Args:
        command: The command line that reads what was given.
        name: What it calls itself when it complains.
    """
    try:
        status = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except BrokenPipeError:
        mute()  # Whoever read it has seen enough.
        return 0
    except OSError as error:
        mute()
        click.echo(f"{name}: {error.strerror}", err=True)
        return FAILED
    return status if isinstance(status, int) else 0
