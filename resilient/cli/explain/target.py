"""The request that is to be explained."""

from __future__ import annotations

import re

import click
from attrs import frozen
from yarl import URL

from resilient.redact import public_url

__all__ = ["Target", "parse_target"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2


@frozen
class Target:
    """A request that somebody might make."""

    url: URL
    method: str

    def __str__(self) -> str:
        return f"{self.method} {public_url(self.url)}"


def parse_target(url: str, method: str) -> Target:
    """The target that the command line names.

    Raises:
        click.BadParameter: The URL is none that a session could ask for, or the method is none.
    """
    allowed = "it must be absolute, as https://api.example.com/path is"
    try:
        parsed = URL(url)
    except ValueError:
        raise click.BadParameter(f"not a URL; {allowed}", param_hint="URL") from None
    if parsed.scheme not in ("http", "https", "ws", "wss") or not parsed.raw_host:
        raise click.BadParameter(
            f"{str(public_url(parsed)) if parsed.absolute else url!r}: {allowed}",
            param_hint="URL",
        )
    if not _TOKEN.fullmatch(method):
        raise click.BadParameter(f"{method!r} is no method", param_hint="--method")
    return Target(parsed, method.upper())
