"""What a server says of one field of a request."""

from __future__ import annotations

from attrs import frozen

__all__ = ["FieldError"]


@frozen
class FieldError:
    """One field that a server found fault with, and what it said of it."""

    field: str
    message: str
