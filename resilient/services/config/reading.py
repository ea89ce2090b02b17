"""Read a configuration; what that needs is imported when one is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilient.services.config.configuration import Configuration

__all__ = ["read_services"]


def read_services(
    source: str | os.PathLike[str] | Mapping[str, Any],
    code: bool | Iterable[str],
    environ: bool | Mapping[str, str],
) -> Configuration:
    """Read a file of services, or a mapping of the same form, as `load_services` has it.

    Raises:
        ConfigError: Everything that is wrong with it.
        ModuleNotFoundError: The extra `config` is not installed.
    """
    try:
        import cattrs  # noqa: F401 (only to say what is missing)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'a file of services needs cattrs: pip install "resilient-aiohttp[config]"',
            name="cattrs",
        ) from error
    from resilient.services.config.configuration import read_configuration

    return read_configuration(source, code, environ)
