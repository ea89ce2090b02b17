"""What response headers tell about an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from resilient.envelopes.leniency import string

__all__ = ["any_case", "header_request_id", "media_type"]


def any_case(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """The same headers, found whatever the case of their names (RFC 9110, 5.1)."""
    if isinstance(headers, CIMultiDict | CIMultiDictProxy):
        return headers
    pairs = ((name, value) for name, value in headers.items() if isinstance(name, str))
    return CIMultiDictProxy(CIMultiDict((n, value) for n, value in pairs if string(value)))


def media_type(headers: Mapping[str, str]) -> str:
    """The Content-Type without parameters, in lower case (RFC 9110, 8.3.1)."""
    given = string(any_case(headers).get("Content-Type")) or ""
    return given.partition(";")[0].strip().lower()


def header_request_id(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    """The first of these headers that holds anything."""
    found = any_case(headers)
    return next(filter(None, (string(found.get(name)) for name in names)), None)
