"""What is wrong with a file, as tests look at it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from resilient import ConfigError, load_services

__all__ = ["error", "places", "service"]


def error(
    source: str | os.PathLike[str] | Mapping[str, Any], code: bool | Iterable[str] = False
) -> ConfigError:
    """The error that loading comes to."""
    with pytest.raises(ConfigError) as caught:
        load_services(source, code=code)
    return caught.value


def places(source: str | os.PathLike[str] | Mapping[str, Any]) -> list[str | None]:
    """The dotted keys at fault, in the order in which they are reported."""
    return [each.where for each in error(source).problems]


def service(**settings: Any) -> dict[str, Any]:
    """A document of one service named "a"."""
    return {"services": {"a": {"match": "https://a.example", **settings}}}
