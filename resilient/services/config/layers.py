"""Lay one table of settings on another (`extends`), and tell where each setting comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import dropwhile, islice
from types import MappingProxyType
from typing import Any, Final

from attrs import define, field, frozen

from resilient.services.config.problems import KeyPath, Problem, dotted, misfit, nearest

__all__ = [
    "DEFAULT",
    "EXTENDS",
    "MATCH",
    "PRESETS",
    "SERVICES",
    "Layer",
    "layers",
    "merged",
    "preset_names",
    "preset_table",
]

DEFAULT: Final = "default"
EXTENDS: Final = "extends"
MATCH: Final = "match"

SERVICES: Final = "services"
PRESETS: Final = "presets"
# The group of those that come with the package.
_SHIPPED: Final = "preset"

# Names that an error lists, and errors that look for the nearest one: among a thousand names
# that takes 40 ms.
_MOST_NAMES: Final = 20


@frozen(eq=False)
class Layer:
    """A table of settings, on the one that it extends.

    Attributes:
        path: The keys of the table: ("services", "mavio"); ("preset", "mavio") for one that
            comes with the package.
        own: The settings of the table itself.
        base: The layer that it extends, or None.
        values: Its own settings, and those of the base where it has none; `match` is never
            taken over.
        variables: The variables of the environment that settings come from, by their keys from
            the top of the document on.
    """

    path: tuple[str, ...]
    own: Mapping[str, Any]
    base: Layer | None
    values: Mapping[str, Any]
    variables: Mapping[KeyPath, str] = MappingProxyType({})

    @property
    def label(self) -> str:
        """The place of the table, in words."""
        shipped = self.path[0] == _SHIPPED
        return f"preset {self.path[1]}" if shipped else dotted(self.path)

    @property
    def bases(self) -> Iterator[Layer]:
        """The layers below it, the nearest first."""
        base = self.base
        while base is not None:
            yield base
            base = base.base

    def source(self, path: KeyPath) -> Layer | None:
        """Return the layer that a setting comes from, or None if it is a default."""
        if path[:1] == (MATCH,):
            return self if MATCH in self.own else None
        for layer in (self, *self.bases):
            found: Any = layer.own
            for key in path:
                if isinstance(key, int):
                    # An array is taken over as a whole.
                    return layer
                if not isinstance(found, Mapping):
                    # A whole part was left out here; what is set below it stands further up.
                    return None
                if key not in found:
                    break
                found = found[key]
            else:
                return layer
        return None

    def source_label(self, path: KeyPath) -> str | None:
        """Return the variable or the table that a setting comes from; None for a default."""
        layer = self.source(path)
        if layer is None:
            return None
        whole = (*layer.path, *path)
        for end in range(len(whole), len(layer.path), -1):
            if whole[:end] in self.variables:
                return self.variables[whole[:end]]
        return layer.label


def layers(
    tables: Mapping[str, Any], variables: Mapping[KeyPath, str] = MappingProxyType({})
) -> tuple[dict[tuple[str, ...], Layer], list[Problem]]:
    """Return the layers of a document by their paths, each after its base, and what is wrong.

    Args:
        tables: The document.
        variables: The variables of the environment that settings in it come from.
    """
    resolver = _Resolver(dict(_tables(tables)), variables)
    for path in resolver.tables:
        resolver.resolve(path)
    return resolver.done, resolver.problems


def _tables(tables: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Return the tables that settings stand in, with their paths."""
    if isinstance(tables.get(DEFAULT), Mapping):
        yield (DEFAULT,), tables[DEFAULT]
    for group in (PRESETS, SERVICES):
        members = tables.get(group)
        if isinstance(members, Mapping):
            for name, own in members.items():
                if isinstance(own, Mapping):
                    yield (group, name), own


@define
class _Resolver:
    """Finds the table that each table extends."""

    tables: dict[tuple[str, ...], Mapping[str, Any]]
    variables: Mapping[KeyPath, str]
    done: dict[tuple[str, ...], Layer] = field(factory=dict, init=False)
    problems: list[Problem] = field(factory=list, init=False)
    # Every name that the document has besides those of the package, as `extends` has it.
    names: list[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        own = {path[-1] for path in self.tables if path[0] == PRESETS}
        others = {path[-1] for path in self.tables if path[0] != PRESETS}
        both = {f"{SERVICES}.{name}" for name in others & (own | preset_names())}
        self.names = sorted((own | others | both) - preset_names())

    def resolve(self, path: tuple[str, ...]) -> None:
        """Make the layer of a table, and before it those of all that it extends."""
        # Without recursion: a thousand services may extend one another in a row.
        chain: dict[tuple[str, ...], None] = {}
        following: tuple[str, ...] | None = path
        while following is not None and following not in self.done:
            if following in chain:
                self._complain_of_cycle(list(dropwhile(following.__ne__, chain)))
                following = None
                break
            chain[following] = None
            following = self._base(following)
        base = None if following is None else self.done[following]
        for each in reversed(chain):
            base = self._layer(each, base)

    def _layer(self, path: tuple[str, ...], base: Layer | None) -> Layer:
        own = {key: value for key, value in self._own(path).items() if key != EXTENDS}
        taken = {} if base is None else {**base.values}
        taken.pop(MATCH, None)
        values = merged(taken, own)
        layer = self.done[path] = Layer(path, own, base, values, self.variables)
        return layer

    def _own(self, path: tuple[str, ...]) -> Mapping[str, Any]:
        return preset_table(path[1]) if path[0] == _SHIPPED else self.tables[path]

    def _base(self, path: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the path of the table that a table extends, or None."""
        name = self._own(path).get(EXTENDS)
        if name is None:
            return None
        base = self._find(path, name)
        if base is None:
            self._complain_of_base(path, name)
        return base

    def _find(self, path: tuple[str, ...], name: object) -> tuple[str, ...] | None:
        """Return the path of the table that a name means in the table at `path`, or None.

        A name that a preset has means the preset, that of the file before that of the package,
        so that a service cannot change what other tables extend. No table means itself.
        """
        if not isinstance(name, str):
            return None
        candidates: list[tuple[str, ...]] = [(PRESETS, name), (_SHIPPED, name)]
        if path[0] in (SERVICES, DEFAULT):
            group, _, service = name.partition(".")
            if group == SERVICES:
                candidates.insert(0, (SERVICES, service))
            if name == DEFAULT:
                candidates.append((DEFAULT,))
            candidates.append((SERVICES, name))
        for each in candidates:
            exists = name in preset_names() if each[0] == _SHIPPED else each in self.tables
            if exists and each != path:
                return each
        return None

    def _known(self, path: tuple[str, ...]) -> Iterator[str]:
        """Return the names of the document that a table may extend."""
        return (name for name in self.names if self._find(path, name))

    def _complain_of_base(self, path: tuple[str, ...], name: object) -> None:
        meant = None
        if isinstance(name, str) and len(self.problems) < _MOST_NAMES:
            meant = nearest(name, [*self._known(path), *preset_names()])
        known = [dotted((each,)) for each in islice(self._known(path), _MOST_NAMES + 1)]
        if len(known) > _MOST_NAMES:
            known[-1] = "..."
        known += sorted(preset_names())
        group = "another preset" if path[0] == PRESETS else "a preset or of another service"
        hint = f" (did you mean {dotted((meant,))}?)" if meant else ""
        allowed = f"the name of {group}: {', '.join(known)}{hint}"
        self.problems.append(misfit((*path, EXTENDS), name, allowed))

    def _complain_of_cycle(self, cycle: list[tuple[str, ...]]) -> None:
        first = cycle[0]
        names = [dotted((each[-1],)) for each in (*cycle, first)]
        if len(names) > _MOST_NAMES:
            names[_MOST_NAMES // 2 : -1] = ["..."]
        way = " -> ".join(names)
        given = self._own(first).get(EXTENDS)
        allowed = f"something that does not lead back here ({way})"
        self.problems.append(misfit((*first, EXTENDS), given, allowed))


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables key by key; any other value of `own` replaces that of `base`."""
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def _folder() -> Traversable:
    return files("resilient.services").joinpath("presets")


@cache
def preset_names() -> frozenset[str]:
    """Return the names of the presets of the package, each of which has a file of its name."""
    names = (file.name for file in _folder().iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def preset_table(name: str) -> Mapping[str, Any]:
    """Return the table of a preset of the package, which is read when it is first asked for.

    Nothing in it can be changed, since all who extend it have the same.
    """
    text = _folder().joinpath(f"{name}.toml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = _frozen(tomllib.loads(text)["presets"][name])
    return found


def _frozen(value: Any) -> Any:
    """Return tables and arrays that cannot be changed; any other value as it is."""
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(each) for key, each in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
