"""A response as a value, and what all steps of a script share.

Values, without behaviour: they compare, they show only what differs from the default, and
one that could not be carried out raises a `ConfigError` when it is made, not in the middle
of somebody's test. `sending.py` carries them out.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import NOTHING, Attribute, field, fields, frozen

from resilient.errors import ConfigError
from resilient.support.validation import at_least, check, instance, optional

__all__ = ["SECONDS", "Reply", "Shown"]

SECONDS = at_least(0.0, "seconds")
_FLAG = instance(bool, "True or False")


def _is_int(given: Any, least: int, most: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and least <= given <= most


def _is_text(given: Any) -> bool:
    """Whether it can stand in a head; bytes that are no UTF-8 come as surrogate escapes."""
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


class Shown:
    """The repr of what a script is made of: its call, without what is as by default."""

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
            shown.append(f"{name}{value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


@frozen(repr=False)
class Reply(Shown):
    """A response.

    What goes out is what stands here, a Content-Length (or the chunked framing) and, where
    the connection is about to be closed, `Connection: close`: no Date, no Server. A
    Content-Length or Transfer-Encoding among the headers takes the place of the true one,
    so that a server that lies about the length can be had. A HEAD request gets the head.

    Attributes:
        status: From 100 to 999. 1xx, 204 and 304 have no body.
        body: What follows the head.
        json: In the place of `body`, a value to send as JSON: as `application/json` unless
            the headers name another type.
        headers: A mapping, or pairs where a name occurs twice.
        reason: The reason phrase; None for the usual one of the status.
        delay: Seconds before the head.
        head_byte_delay: Seconds between two bytes of the head, which come one by one then.
        body_delay: Seconds between the head and the body.
        keep_alive: Whether the connection stays open.
        early: Answer when the head of the request is in, before its body is read. What
            follows of the body is read after that, as far as the connection lives.
        truncate: Send only so many bytes of the body, whatever the head has declared, then
            close.
        chunked: Transfer-Encoding: chunked, in the place of a Content-Length.
        chunk_size: Send the body in pieces of so many bytes; None for all of it at once,
            or byte by byte where there is a `chunk_delay`.
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
        """Whether the status rules a body out (RFC 9110, 6.4.1)."""
        return self.status < 200 or self.status in (204, 304)

    @property
    def is_json(self) -> bool:
        """Whether the body was given as a value."""
        return self.json is not ...
