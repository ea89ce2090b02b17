"""Parse patterns of the URLs that a service covers: an origin, a wildcard host, a path prefix.

    https://api.mavio.example          every path of an origin
    https://api.mavio.example:8443     a port other than the scheme's own
    https://*.mavio.example            every host below mavio.example, but not that itself
    https://api.mavio.example/v4       /v4 and what is below it, but not /v40

A WebSocket belongs to the origin of its handshake: wss to https, ws to http. The case and a
final dot of the host, default ports, and the percent-encoding of a path make no difference;
query and fragment do not count. Slashes count as they are: //v4 is not /v4.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from attrs import frozen
from yarl import URL

from resilient.errors import ConfigError
from resilient.support.redact import origin_of, public_text

__all__ = ["Pattern", "parse_url"]

_WILDCARD: Final = "*."

# The field that errors name.
_WHERE: Final = "Service.match"

_WEBSOCKET: Final = {"http": "ws", "https": "wss"}

# Underscores are in no host name by RFC 1123, and in many inside container networks.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# These make a path stand for another one: URLs resolve encoded dots as well, and drop the rest.
_DOT: Final = re.compile("%2e", re.IGNORECASE)
_STRIPPED: Final = re.compile(r"[\t\r\n]")

# The beginning of a URL whose scheme is missing, or incomplete.
_SLIP: Final = re.compile(r"(?:https?:)?/*", re.IGNORECASE)


@frozen
class Pattern:
    """A parsed pattern; two that cover the same are equal.

    Attributes:
        origin: Scheme, host and port as text; the host begins with "*." for a wildcard.
        path: The prefix, percent-encoded, without a slash at its end; "" for every path.
    """

    origin: str
    path: str = ""

    @classmethod
    def parse(cls, text: object) -> Pattern:
        """Parse a pattern.

        Raises:
            ConfigError: It is no pattern, or nothing could match it.
        """
        if not isinstance(text, str):
            raise _misfit(text, 'a text such as "https://api.example.com"')
        scheme, separator, rest = text.strip().partition("://")
        if not separator:
            raise _misfit(text, f"a URL with its scheme{cls._hint(text)}")
        if scheme.lower() not in _WEBSOCKET:
            raise _misfit(text, "a URL of scheme http or https (which cover ws and wss)")
        wildcard = rest.startswith(_WILDCARD)
        try:
            url = parse_url(f"{scheme.lower()}://{rest.removeprefix(_WILDCARD)}")
        except ValueError as error:
            # A part that cannot be parsed may be a password.
            reason = f" ({error})" if public_text(text) == text else ""
            raise _misfit(text, f"a valid URL{reason}") from None
        if url.user is not None or url.password is not None:
            raise _misfit(text, "without user and password")
        _check_host(text, url, wildcard=wildcard)
        _check_path(text, rest)
        origin = origin_of(url)
        if wildcard:
            origin = origin.replace("://", "://" + _WILDCARD, 1)
        return cls(origin, url.raw_path.rstrip("/"))

    @classmethod
    def _hint(cls, text: str) -> str:
        """Return what a text without a scheme may have been meant for."""
        with suppress(ConfigError):
            meant = cls.parse(_SLIP.sub("https://", text.strip(), count=1))
            return f', perhaps "{meant}"'
        return ""

    @property
    def origins(self) -> tuple[str, str]:
        """The origin, and that of the WebSockets that belong to it."""
        scheme, _, rest = self.origin.partition("://")
        return self.origin, f"{_WEBSOCKET[scheme]}://{rest}"

    @property
    def kind(self) -> str:
        """The kind of pattern, in words."""
        host = "a wildcard host" if f"://{_WILDCARD}" in self.origin else "its origin"
        return f"{host} and a path prefix" if self.path else host

    def __str__(self) -> str:
        return self.origin + self.path


def parse_url(text: str) -> URL:
    """Parse a URL that somebody wrote.

    Raises:
        ValueError: It is no URL.
    """
    try:
        return URL(text)
    except IndexError:
        # yarl 1.25, where nothing is left of the host: "https://[]@".
        raise ValueError("Invalid URL: no host") from None


def _misfit(given: object, allowed: str) -> ConfigError:
    shown = public_text(str(given)) if isinstance(given, str | URL) else given
    return ConfigError.of(_WHERE, shown, allowed)


def _check_host(text: str, url: URL, *, wildcard: bool) -> None:
    """Raise ConfigError for a host that no URL can have."""
    host = (url.raw_host or "").rstrip(".")
    if host == "*":
        raise _misfit(text, "for some host; a default takes the rest")
    if "*" in host:
        raise _misfit(text, 'with a wildcard in the place of whole first labels: "*.example.com"')
    if url.port == 0:
        raise _misfit(text, "a URL with a port from 1 to 65535")
    is_address = ":" in host or host.rpartition(".")[2].isdecimal()
    if is_address:
        if wildcard:
            raise _misfit(text, "without a wildcard: an address has no hosts below it")
        if not _is_address(host):
            raise _misfit(text, "a URL of a valid host")
        return
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise _misfit(text, "a URL of a valid host")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _check_path(text: str, rest: str) -> None:
    """Raise ConfigError for a path that stands for another one, or for none."""
    if "?" in rest or "#" in rest:
        raise _misfit(text, "without query and fragment")
    if _STRIPPED.search(rest):
        raise _misfit(text, "without tabs and line breaks")
    _, _, path = rest.partition("/")
    if "*" in path:
        raise _misfit(text, "without a * in its path: a path covers all that is below it")
    if {".", ".."} & set(_DOT.sub(".", path).split("/")):
        raise _misfit(text, "without . and .. in its path")
