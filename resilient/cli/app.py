"""The commands. What a command needs is imported when it runs."""

from __future__ import annotations

import click

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


def run() -> int:
    """Run the command that the process was given, and return its exit status."""
    try:
        status = app.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    return status if isinstance(status, int) else 0
