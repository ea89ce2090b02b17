"""Callables that a server's process can import; nothing heavy is imported with them."""

from __future__ import annotations

import ssl
import time

from resilient.testing import Answer, Received, Reply

__all__ = ["context_of", "echo", "fails", "stuck"]


def echo(request: Received) -> Answer:
    print("This goes to the standard error.")  # noqa: T201 (on purpose)
    return Reply(201, body=request.body)


def fails(request: Received) -> Answer:
    raise LookupError("oops")


def stuck(request: Received) -> Answer:
    time.sleep(60)
    return Reply()


def context_of(path: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context
