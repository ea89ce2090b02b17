"""Objects by name, for policies that come from a file: "package.module:name"."""

from __future__ import annotations

from pkgutil import resolve_name

from resilient.errors import ConfigError

__all__ = ["load_reference"]


def load_reference(text: str) -> object:
    """The object that a reference "package.module:name" stands for.

    Raises:
        ConfigError: It is no such reference, or what it names cannot be imported.
    """
    if ":" not in text:
        raise ConfigError.of("a reference", text, '"package.module:name"')
    try:
        return resolve_name(text)
    # Whatever a module raises when it is imported; a script may end in sys.exit().
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError.of("a reference", text, f"importable ({reason})") from error
