"""A response as a value, and the repr that all parts of a script share.

Steps are values without behaviour: they compare, they show only what differs from the
default, and one that could not be carried out raises a `ConfigError` when it is made, not
in the middle of somebody's test. The server's `sending` carries them out.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import NOTHING, Attribute, field, fields, frozen

from resilient.errors import ConfigError
from resilient.support.validation import at_least, check, instance, optional

__all__ = ["SECONDS", "Reply", "ShortRepr"]

SECONDS = at_least(0.0, "seconds")
_FLAG = instance(bool, "True or False")


def _is_int(given: Any, least: int, most: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and least <= given <= most


def _is_text(given: Any) -> bool:
    """Return whether a value can stand in a head; bytes that are no UTF-8 come as surrogates."""
    if not isinstance(given, str) or any(c in given for c in "\r\n\0"):
        return False
    try:
        given.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _pairs(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    allowed = "a mapping or pairs of text, in one line each"
    try:
        items = given.items() if isinstance(given, Mapping) else given
        pairs = tuple((name, value) for name, value in items)
    except (TypeError, ValueError):
        raise ConfigError.of("Reply.headers", given, allowed) from None
    if not all(name and _is_text(name) and _is_text(value) for name, value in pairs):
        raise ConfigError.of("Reply.headers", given, allowed)
    return pairs


class ShortRepr:
    """Show a part of a script as the call that makes it, without default arguments."""

    __slots__ = ()
    __attrs_attrs__: ClassVar[tuple[Attribute[Any], ...]]  # its subclasses are attrs'

    def __repr__(self) -> str:
        shown = []
        for each in sorted(fields(type(self)), key=lambda each: each.kw_only):
            value = getattr(self, each.name)
            if not each.init or (each.default is not NOTHING and value == each.default):
                continue
            name = "" if not each.kw_only else f"{each.name}="
            if each.name == "headers" and len(dict(value)) == len(value):
                value = dict(value)
            # One that is not to be shown may hold secrets.
            shown.append(f"{name}{value!r}" if each.repr else f"{name}...")
        return f"{type(self).__name__}({', '.join(shown)})"


@frozen(repr=False)
class Reply(ShortRepr):
    """Send a response.

    The server adds a Content-Length (or the chunked framing) and, where the connection is
    about to be closed, `Connection: close`; no Date, no Server. A Content-Length or
    Transfer-Encoding among the headers takes the place of the true one, to test a server
    that lies about the length. A HEAD request gets the head alone.

    Attributes:
        status: The status, from 100 to 999; by default 200. 1xx, 204 and 304 have no body.
        body: The body as bytes; by default empty.
        json: A value to send as JSON in the place of `body`: as `application/json` unless
            the headers name another type.
        headers: A mapping, or pairs where a name occurs twice; by default none.
        reason: The reason phrase; None, the default, for the usual one of the status.
        delay: Seconds before the head; by default 0, as for all delays.
        head_byte_delay: Seconds between two bytes of the head, which come one by one then.
        body_delay: Seconds between the head and the body.
        keep_alive: Whether the connection stays open; by default it does.
        early: Whether to answer when the head of the request is in, before its body is
            read; by default not. The rest of the body is read after that, as far as the
            connection lives.
        truncate: The number of bytes of the body to send, whatever the head has declared,
            before the connection is closed; None, the default, for all of them.
        chunked: Whether to send `Transfer-Encoding: chunked` in the place of a
            Content-Length; by default not.
        chunk_size: The number of bytes in a piece of the body; None, the default, for all
            of it at once, or for one byte where there is a `chunk_delay`.
        chunk_delay: Seconds between two pieces of the body.
    """

    status: int = field(
        default=200, validator=check("an integer from 100 to 999", lambda n: _is_int(n, 100, 999))
    )
    body: bytes = field(default=b"", kw_only=True, validator=instance(bytes, "bytes"))
    # Left out of the hash, which a dictionary has none of: steps are keys of mixtures.
    json: Any = field(default=..., kw_only=True, hash=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), kw_only=True, converter=_pairs)
    reason: str | None = field(
        default=None, kw_only=True, validator=optional(check("one line of text", _is_text))
    )
    delay: float = field(default=0.0, kw_only=True, validator=SECONDS)
    head_byte_delay: float = field(default=0.0, kw_only=True, validator=SECONDS)
    body_delay: float = field(default=0.0, kw_only=True, validator=SECONDS)
    keep_alive: bool = field(default=True, kw_only=True, validator=_FLAG)
    early: bool = field(default=False, kw_only=True, validator=_FLAG)
    truncate: int | None = field(default=None, kw_only=True)
    chunked: bool = field(default=False, kw_only=True, validator=_FLAG)
    chunk_size: int | None = field(default=None, kw_only=True, validator=optional(at_least(1)))
    chunk_delay: float = field(default=0.0, kw_only=True, validator=SECONDS)
    # The bytes of the body, wherever they come from.
    content: bytes = field(init=False, eq=False)

    @content.default
    def _content(self) -> bytes:
        if self.json is ...:
            return self.body
        if self.body:
            raise ConfigError("Reply takes a body or json, not both")
        try:
            return jsonlib.dumps(self.json).encode()
        except (TypeError, ValueError) as error:
            raise ConfigError.of("Reply.json", self.json, "what JSON can express") from error

    @content.validator
    def _bodiless_statuses(self, attribute: Attribute[bytes], content: bytes) -> None:
        if content and self.bodiless:
            raise ConfigError.of("Reply.body", content, f"empty for the status {self.status}")

    @truncate.validator
    def _less_than_the_body(self, attribute: Attribute[Any], given: Any) -> None:
        if given is not None and not _is_int(given, 0, len(self.content) - 1):
            size = len(self.content)
            raise ConfigError.of("Reply.truncate", given, f"less than the {size} bytes of body")

    @property
    def bodiless(self) -> bool:
        """Return whether the status rules a body out (RFC 9110, 6.4.1)."""
        return self.status < 200 or self.status in (204, 304)

    @property
    def is_json(self) -> bool:
        """Return whether the body was given as `json`."""
        return self.json is not ...
