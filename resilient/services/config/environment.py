"""Lay settings from variables of the environment over those of a file, for who asks for it.

    RESILIENT__SERVICES__MAVIO__TOTAL_TIMEOUT=20s
    RESILIENT__SERVICES__MAVIO__RETRY__MAX_ATTEMPTS=5
    RESILIENT__DEFAULT__BREAKER=false

The keys of the file, joined by two underscores, after the prefix. The rules:

- A variable changes a table that the file has: it makes no service, so that a slip in a name is
  told.
- A name is found whatever its case, and an underscore stands for any character that a variable
  cannot have (`MY_API` for `my-api`). Where two names come to the same, none is chosen.
- A value is read as TOML; where that fails, it is a text: `20s`, `true`, `5`, `[429, 503]`.
- Every variable that begins with the prefix has to mean something.
- Tables are merged, any other value replaces that of the file; two variables that contradict each
  other (`RETRY=false`, `RETRY__MAX_ATTEMPTS=5`) are refused.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from resilient.errors import ConfigError
from resilient.services.config.document import Document, checked
from resilient.services.config.layers import DEFAULT, PRESETS, SERVICES, merged
from resilient.services.config.problems import KeyPath, nearest
from resilient.services.config.spelling import kind_of
from resilient.services.config.text import MAX_DEPTH

__all__ = ["with_variables"]

PREFIX: Final = "RESILIENT__"
_JOINT: Final = "__"


def with_variables(document: Document, environ: bool | Mapping[str, str]) -> Document:
    """Return a document with the settings that variables set.

    Args:
        document: The document.
        environ: The variables; True for those of the process.

    Raises:
        ConfigError: Variables mean nothing in this document, or contradict each other; or
            `environ` is neither a bool nor a mapping.
    """
    if environ is True:
        environ = os.environ
    if not isinstance(environ, Mapping):
        raise ConfigError.of("load_services.environ", environ, "True, False, or a mapping")
    tables: Mapping[str, Any] = document.tables
    variables: dict[KeyPath, str] = {}
    # Values of the file in whose place a variable puts a table.
    replaced: dict[KeyPath, str] = {}
    errors: list[ConfigError] = []
    names = [each for each in environ if isinstance(each, str)]
    for name in sorted(each for each in names if each.upper().startswith(PREFIX)):
        try:
            path = _path(name, document.tables)
            value = _value(name, environ[name])
            _check_alone(name, path, variables)
        except ConfigError as error:
            errors.append(error)
            continue
        variables.update(dict.fromkeys(_leaves(path, value), name))
        replaced.update(dict.fromkeys(_replaced(path, document.tables), name))
        for key in reversed(path):
            value = {key: value}
        tables = merged(tables, value)
    if errors:
        raise ConfigError.of_all(errors)
    return checked(evolve(document, tables=tables, variables={**replaced, **variables}))


def _path(name: str, tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that a variable means."""
    group, _, rest = name[len(PREFIX) :].partition(_JOINT)
    group = group.lower()
    if group in (SERVICES, PRESETS):
        table, rest = _table_of(name, rest, group, tables.get(group))
        above: tuple[str, ...] = (group, table)
    elif group == DEFAULT:
        if not isinstance(tables.get(DEFAULT), Mapping):
            raise _refused(name, "changes [default], which the file does not have")
        above = (DEFAULT,)
    else:
        known = [DEFAULT, PRESETS, SERVICES]
        example = f"{PREFIX}{(nearest(group, known) or SERVICES).upper()}{_JOINT}…"
        raise _refused(name, f"must begin with one of {_listed(known)} (did you mean {example}?)")
    keys = rest.lower().split(_JOINT) if rest else []
    if not keys or not all(keys):
        example = f"{PREFIX}{_JOINT.join(map(_spelled, above))}{_JOINT}TOTAL_TIMEOUT"
        raise _refused(name, f"names no setting: it must be like {example}")
    if len(keys) > MAX_DEPTH:
        raise _refused(name, "is nested too deeply")
    return (*above, *keys)


def _table_of(name: str, rest: str, group: str, members: Any) -> tuple[str, str]:
    """Return the table that a variable names, and what comes after it."""
    names = []
    if isinstance(members, Mapping):
        names = [each for each, table in members.items() if isinstance(table, Mapping)]
    # In capitals a text may be longer.
    rest = _spelled(rest)
    found = [
        each for each in names if rest == _spelled(each) or rest.startswith(_spelled(each) + _JOINT)
    ]
    # Of "a" and "a__b" the one that takes more.
    longest = max(map(_spelled, found), key=len, default="")
    found = [each for each in found if _spelled(each) == longest]
    if len(found) > 1:
        listed = " and ".join(f"[{group}.{each}]" for each in found)
        raise _refused(name, f"may mean {listed}: give them names that differ in letters or digits")
    if found:
        return found[0], rest[len(longest) + len(_JOINT) :]
    given, _, after = rest.partition(_JOINT)
    there = {_spelled(each): each for each in names}
    meant = nearest(given, there)
    if not names:
        raise _refused(name, f"changes a table [{group}.NAME], and the file has none")
    right = _JOINT.join(filter(None, (group.upper(), meant, after)))
    hint = f" (did you mean {PREFIX}{right}?)" if meant else ""
    first = _listed(sorted(there)[:20])
    raise _refused(name, f"names no table of the file; of [{group}] it has {first}{hint}")


def _check_alone(name: str, path: KeyPath, variables: Mapping[KeyPath, str]) -> None:
    """Raise ConfigError if another variable sets the whole, or a part, of the same."""
    for other, variable in variables.items():
        if other == path[: len(other)] or path == other[: len(path)]:
            raise _refused(name, f"sets what {variable} sets too, in whole or in part: set it once")


def _leaves(path: KeyPath, value: Any) -> Iterator[KeyPath]:
    """Return the paths of the values that are no tables."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves((*path, key), each)
    else:
        yield path


def _replaced(path: KeyPath, tables: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Return the path of the value on the way to a setting that is there and is no table."""
    found: Any = tables
    for place, key in enumerate(path[:-1], 1):
        if key not in found:
            return
        found = found[key]
        if not isinstance(found, Mapping):
            yield path[:place]
            return


def _value(name: str, text: object) -> Any:
    """Read a value as TOML, or take it for a text."""
    if not isinstance(text, str):
        raise _refused(name, f"must be a text, not {kind_of(text)}")
    try:
        read = tomllib.loads(f"x = {text}")
    except (ValueError, RecursionError):
        return text
    # A line break in it could begin another key.
    return read["x"] if read.keys() == {"x"} else text


def _spelled(name: str) -> str:
    """Return a name as a variable has it."""
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _listed(names: list[str]) -> str:
    return ", ".join(each.upper() for each in names)


def _refused(name: str, message: str) -> ConfigError:
    return ConfigError.at(message, variable=name)
