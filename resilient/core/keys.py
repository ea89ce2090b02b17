"""Keys: what one circuit, gate, bulkhead or budget is about.

A key is declared, in code and in files alike, by parts joined by "+":

    origin           scheme, host and port; the first part of every key, and the default
    path:2           the first two segments of the path; a token that is known to stand in some is
                     a keyed hash
    method           the method
    header:NAME      the value of a header, as a keyed hash, so that no credential is kept

or it is a function in code: of a request, returning anything hashable; None lets the request
pass unguarded.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Hashable
from typing import Final

from aiohttp import ClientRequest

from resilient.support.redact import origin_of, replace_tokens
from resilient.support.validation import Validator, check, is_plain_function
from resilient.telemetry.emitter import Emitter

__all__ = [
    "Key",
    "KeyFunction",
    "ask_key",
    "is_key",
    "key_function",
    "key_text",
    "origin",
    "secret_hash",
]

KeyFunction = Callable[[ClientRequest], Hashable | None]

Key = str | KeyFunction

_PART: Final = re.compile(r"origin|method|path:[1-9][0-9]?|header:[A-Za-z0-9!#$%&'*.^_`|~-]+")

# Of this process: the same value gives the same hash, and nobody can look a value up by it.
_SECRET: Final = secrets.token_bytes(16)


def origin(request: ClientRequest) -> str:
    """Return the origin as text: scheme, host, and a port that is not the scheme's."""
    return origin_of(request.url)


def secret_hash(value: str) -> str:
    """Return a short keyed hash of a credential, different in each process."""
    return hashlib.blake2b(
        value.encode(errors="surrogatepass"), digest_size=6, key=_SECRET
    ).hexdigest()


def _is_declared(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = [part.strip() for part in value.split("+")]
    return (
        parts[0] == "origin"
        and len(set(parts)) == len(parts)
        and all(_PART.fullmatch(part) for part in parts)
    )


def is_key() -> Validator:
    """Allow a declared key, or a function of a request."""
    return check(
        'a key: "origin", or that with "path:N", "method" and "header:NAME" joined by "+", '
        "or a plain (not async) function of a request",
        lambda value: (
            _is_declared(value) or (not isinstance(value, str) and is_plain_function(value))
        ),
    )


def key_text(key: Key) -> str:
    """Return a key as text, for whoever describes a policy."""
    return key if isinstance(key, str) else str(getattr(key, "__name__", type(key).__name__))


def key_function(key: Key) -> KeyFunction:
    """Return the function of a key that `is_key` allows; that of "origin" is `origin` itself."""
    if not isinstance(key, str):
        return key
    parts = tuple(_part(part.strip()) for part in key.split("+")[1:])
    if not parts:
        return origin

    def ask(request: ClientRequest) -> str:
        return " ".join([origin(request), *(part(request) for part in parts)])

    return ask


def _part(part: str) -> Callable[[ClientRequest], str]:
    kind, _, argument = part.partition(":")
    if kind == "method":
        return lambda request: request.method
    if kind == "path":
        count = int(argument)
        return lambda request: replace_tokens(
            "/" + "/".join(request.url.raw_parts[1 : count + 1]), secret_hash
        )
    name = argument

    def header(request: ClientRequest) -> str:
        value = request.headers.get(name)
        return f"{name}=" + ("" if value is None else secret_hash(value))

    return header


def ask_key(
    key: KeyFunction, request: ClientRequest, emitter: Emitter, what: str
) -> Hashable | None:
    """Ask a key of a request; None if there is none, or if a function of the user's fails.

    Args:
        key: As `key_function` returned it.
        request: The request.
        emitter: Logs the failure, once for each function.
        what: What the key is for, in words.
    """
    try:
        found = key(request)
        hash(found)
    except Exception as error:
        # Whoever looks a credential up in a table of tenants raises KeyError with it.
        emitter.complain(what, key, error, is_secret=True)
        return None
    return found
