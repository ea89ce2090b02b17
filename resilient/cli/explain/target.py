"""The request that is to be explained."""

from __future__ import annotations

import re
from typing import Final

import click
from attrs import frozen
from yarl import URL

from resilient.support.redact import public_url

__all__ = ["Target", "parse_target"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})


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
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in _SCHEMES or not parsed.raw_host:
        # What is no such URL is not shown: nobody can tell which part of it is a secret.
        raise click.BadParameter(
            "it must be valid, absolute and of http, https, ws or wss, "
            "as https://api.example.com/path is",
            param_hint="URL",
        )
    if not _TOKEN.fullmatch(method):
        raise click.BadParameter("a method is one word, such as GET", param_hint="--method")
    return Target(parsed, method.upper())
