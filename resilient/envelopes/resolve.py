"""Find parsers by name, for policies that come from a file.

A name is that of a built-in format (`formats.table`), "any" for all of these, that of an entry
point that an installed distribution declares in the group `resilient.envelopes`, or a reference
"package.module:name". There is no register to add to: everybody in the process would share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.formats.table import FORMATS, parse_any
from resilient.errors import ConfigError
from resilient.support.references import load_reference

__all__ = [
    "BUILT_IN_NAMES",
    "DEFAULT_PARSERS",
    "ENTRY_POINT_GROUP",
    "FORMAT_NAMES",
    "resolve_parser",
    "unknown_format",
]

ENTRY_POINT_GROUP = "resilient.envelopes"

_BUILT_IN: Final[Mapping[str, EnvelopeParser]] = MappingProxyType(
    {"any": parse_any, **{each.name: each for each in FORMATS}}
)
BUILT_IN_NAMES: Final = tuple(_BUILT_IN)
DEFAULT_PARSERS: Final = ("any",)
FORMAT_NAMES: Final = tuple(each.name for each in FORMATS)


def resolve_parser(parser: EnvelopeParser | str) -> EnvelopeParser:
    """Return the parser of a name; a parser is returned as it is.

    Raises:
        ConfigError: There is none of that name, it cannot be imported, or it cannot be called.
    """
    found: object = parser
    if isinstance(parser, str):
        found = _BUILT_IN.get(parser) or _load(parser)
    if not callable(found):
        raise ConfigError.of("a parser of error bodies", parser, "callable, or the name of one")
    return cast("EnvelopeParser", found)


def _load(name: str) -> object:
    # Imported only when a policy names a parser that is not built in.
    from importlib.metadata import entry_points

    declared = entry_points(group=ENTRY_POINT_GROUP)
    for entry_point in declared.select(name=name):
        return load_reference(f"{entry_point.module}:{entry_point.attr}")
    if ":" in name:
        return load_reference(name)
    known = sorted({*BUILT_IN_NAMES, *declared.names})
    besides = ', or a reference "package.module:name"'
    raise _unknown("a parser of error bodies", name, known, besides)


def unknown_format(where: str, name: str) -> ConfigError:
    """Return the error for a name of a format that there is not, with the nearest."""
    return _unknown(where, name, sorted(FORMAT_NAMES))


def _unknown(where: str, name: str, known: list[str], besides: str = "") -> ConfigError:
    from difflib import get_close_matches

    allowed = f"one of {', '.join(known)}{besides}"
    if nearest := get_close_matches(name, known, n=1):
        allowed += f' (did you mean "{nearest[0]}"?)'
    return ConfigError.of(where, name, allowed)
