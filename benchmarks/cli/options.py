"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

__all__ = ["all_outputs", "outputs", "policy_options", "renderings", "run_options"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _together(*options: Decorator) -> Decorator:
    """Several options at once, in the order in which help shows them."""

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


_png = click.option("--png", metavar="DIR", help="Write each chart into a directory.")
_markdown = click.option("--markdown", metavar="FILE", help="Write the tables for a README.")
_into = click.option(
    "--into",
    metavar="FILE",
    help="Replace what a file has between <!-- benchmarks:NAME --> and <!-- /benchmarks:NAME -->.",
)

outputs = _together(_json(), _html(), _png, _markdown)
all_outputs = _together(
    _json("benchmarks-report.json"), _html("benchmarks-report.html"), _png, _markdown
)
renderings = _together(_html(), _png, _markdown, _into)

run_options = _together(
    click.option("--quick", is_flag=True, help="Less of everything: a look, not a measurement."),
    click.option("--seed", type=int, metavar="N", help="Of everything random."),
)

policy_options = _together(
    click.option("--policy-file", metavar="FILE", help="Set the policies of a file beside those."),
    click.option("--service", metavar="NAME", help="Only that of one service of the file."),
)
