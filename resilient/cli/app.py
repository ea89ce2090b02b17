"""The commands. What a command needs is imported when it runs."""

from __future__ import annotations

import click

from resilient.cli.output import FAILED, answer, answer_json, mute, rendered

__all__ = ["app", "run"]

# What a shell reports of a command that Ctrl-C has ended.
_INTERRUPTED = 130


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="resilient-aiohttp", prog_name="resilient")
@click.pass_context
def app(context: click.Context) -> None:
    """Composable aiohttp client middlewares that make calls to APIs survive."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@app.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of the mixture of faults.")
def demo(seed: int) -> None:
    """Watch calls survive a real server on loopback that misbehaves to order."""
    from resilient.cli.demo.play import main

    main(seed)


_as_json = click.option("--json", "as_json", is_flag=True, help="For a program to read.")


@app.command()
@click.argument("file")
@_as_json
def check(file: str, as_json: bool) -> None:
    """See what a FILE of services comes to, or everything that is wrong with it.

    The exit status is 1 if something is wrong, 2 if that could not be found out.
    """
    from resilient.cli.check import report
    from resilient.cli.files import read_file

    found = read_file(file, as_json=as_json)
    if as_json:
        answer_json(report.as_json(found))
    else:
        answer(rendered(report.shown(found)))


@app.command()
@click.argument("file")
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="The method of the request.")
@_as_json
def explain(file: str, url: str, method: str, as_json: bool) -> None:
    """Explain what would happen to a request for URL, by the services of FILE.

    Which service takes it and why, the order of its pipeline, which failures are repeated
    and which are not, the waits, and how long it may take at worst. Nothing is sent.

    The exit status is 1 if something is wrong with the file, 2 if that could not be found out.
    """
    from resilient.cli.explain import report
    from resilient.cli.explain.explanation import explain_request
    from resilient.cli.explain.target import parse_target
    from resilient.cli.files import read_file

    target = parse_target(url, method)
    found = read_file(file, as_json=as_json)
    explanation = explain_request(found, target)
    if as_json:
        answer_json(report.as_json(explanation, found.file))
    else:
        answer(rendered(report.shown(explanation)))


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
