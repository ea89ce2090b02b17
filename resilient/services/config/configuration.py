"""A file of services as a whole: its tables, what they extend, and what they come to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import define, field, frozen

from resilient.composition import Policy
from resilient.errors import ConfigError
from resilient.services.config.document import Document, read
from resilient.services.config.layers import DEFAULT, EXTENDS, PRESETS, SERVICES, Layer, layers
from resilient.services.config.problems import (
    KeyPath,
    Problem,
    from_error,
    misfit,
    unknown_key,
)
from resilient.services.config.structure import structure
from resilient.services.service import Service, clashes

__all__ = ["Configuration", "read_configuration"]

_MATCH: Final = "match"
_FACTS: Final = "facts"


@frozen
class Configuration:
    """What a file says.

    Attributes:
        file: The path as it was given; None for a mapping.
        services: In the order of the file.
        default: For the URLs that no service covers; None if the file leaves those alone.
        layers: Where settings come from, by the name of the service, and "default".
    """

    file: str | None
    services: tuple[Service, ...]
    default: Policy | None
    layers: Mapping[str, Layer]


def read_configuration(source: str | os.PathLike[str] | Mapping[str, Any]) -> Configuration:
    """Read a file of services, or a mapping of the same form.

    Raises:
        ConfigError: Everything that is wrong with it; its `problems` are each by itself.
    """
    document = read(source)
    try:
        return _Reader(document).read()
    except RecursionError:
        named = "the mapping" if document.label is None else document.label
        raise ConfigError(f"{named}: is nested too deeply", file=document.label) from None


@define
class _Reader:
    """Turns a document into a configuration, and gathers what is wrong on the way."""

    document: Document
    problems: list[Problem] = field(factory=list, init=False)

    def read(self) -> Configuration:
        self.problems += _shape_problems(self.document.tables)
        found, problems = layers(self.document.tables)
        self.problems += problems
        policies = self._policies(found)
        services = self._services(found, policies)
        for service, pattern, earlier in clashes(services):
            allowed = f"apart from what services.{earlier.name} covers"
            path = (SERVICES, service.name, _MATCH)
            self.problems.append(misfit(path, str(pattern), allowed))
        if self.problems:
            order: dict[KeyPath, int] = {path: place for place, path in enumerate(found)}
            self.problems.sort(key=lambda each: order.get(each.path[:2], -1))
            raise ConfigError.of_all([each.error(self.document.label) for each in self.problems])
        named = {path[-1]: layer for path, layer in found.items() if path[0] in (SERVICES, DEFAULT)}
        return Configuration(self.document.label, tuple(services), policies.get((DEFAULT,)), named)

    def _policies(self, found: Mapping[tuple[str, ...], Layer]) -> dict[tuple[str, ...], Policy]:
        """The policy of each layer, as far as there is one."""
        policies = {}
        # What is wrong with each layer, so that it is not said again of what extends it.
        said: dict[tuple[str, ...], set[Problem]] = {}
        for path, layer in found.items():
            own_keys = (_MATCH, _FACTS) if path[0] == SERVICES else (_FACTS,)
            settings = {key: each for key, each in layer.values.items() if key not in own_keys}
            policy, problems = structure(settings, also_known=(EXTENDS, *own_keys))
            facts = layer.values.get(_FACTS, {})
            if not isinstance(facts, Mapping):
                problems.append(misfit((_FACTS,), facts, "a table"))
            said[path] = set(problems).union(*(said[base.path] for base in layer.bases))
            inherited = said[layer.base.path] if layer.base else set()
            self.problems += [each.below(path) for each in problems if each not in inherited]
            if policy is not None:
                policies[path] = policy
        return policies

    def _services(
        self,
        found: Mapping[tuple[str, ...], Layer],
        policies: Mapping[tuple[str, ...], Policy],
    ) -> list[Service]:
        services = []
        for path, layer in found.items():
            if path[0] != SERVICES:
                continue
            if path[-1] == DEFAULT:
                message = "is reserved: [default] is for the URLs that no service covers"
                self.problems.append(Problem(path, message, DEFAULT, "another name"))
            if _MATCH not in layer.own:
                allowed = 'a pattern such as "https://api.example.com", or several'
                message = f"must be given: {allowed}"
                self.problems.append(Problem((*path, _MATCH), message, None, allowed))
                continue
            facts = layer.values.get(_FACTS)
            try:
                services.append(
                    Service(
                        path[-1],
                        layer.own[_MATCH],
                        policies.get(path, Policy()),
                        facts=facts if isinstance(facts, Mapping) else {},
                    )
                )
            except ConfigError as error:
                for each in error.problems:
                    _, _, key = (each.where or "").partition(".")
                    self.problems.append(from_error((*path, key), each))
        return services


def _shape_problems(tables: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the shape of the top level."""
    if not tables:
        allowed = "a table such as [services.mavio]"
        yield Problem((SERVICES,), f"must be given: {allowed}", None, allowed)
    for key, value in tables.items():
        if key not in (DEFAULT, PRESETS, SERVICES):
            yield unknown_key((key,), (DEFAULT, PRESETS, SERVICES))
        elif not isinstance(value, Mapping):
            allowed = "a table" if key == DEFAULT else f"a table of tables, [{key}.NAME]"
            yield misfit((key,), value, allowed)
        elif key != DEFAULT:
            for name, own in value.items():
                if not isinstance(own, Mapping):
                    yield misfit((key, name), own, "a table")
