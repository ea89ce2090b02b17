"""Read a file of services as a whole: its tables, what they extend, and their policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import define, field, frozen

from resilient.errors import ConfigError
from resilient.pipeline.policy import Policy
from resilient.services.config.code import Code
from resilient.services.config.document import INCLUDE, Document, Source, read
from resilient.services.config.environment import with_variables
from resilient.services.config.layers import (
    DEFAULT,
    EXTENDS,
    MATCH,
    PRESETS,
    SERVICES,
    Layer,
    layers,
)
from resilient.services.config.problems import (
    KeyPath,
    Problem,
    dotted,
    from_error,
    misfit,
    unknown_keys,
)
from resilient.services.config.spelling import kind_of
from resilient.services.config.structure import structure
from resilient.services.service import Service, clashes
from resilient.support.redact import public_text

__all__ = ["Configuration", "read_configuration"]

_FACTS: Final = "facts"


@frozen
class Configuration:
    """The services and the default that a file describes.

    Attributes:
        file: The path as it was given; None for a mapping.
        services: The services, in the order of the file.
        default: The policy for URLs that no service covers; None if the file has none.
        layers: The layers that settings come from, by the name of the service, and "default".
        code: The names of code that were imported, in their order.
        files: The file and those that it includes; none for a mapping.
    """

    file: str | None
    services: tuple[Service, ...]
    default: Policy | None
    layers: Mapping[str, Layer]
    code: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_configuration(
    source: Source,
    code: bool | Iterable[str] = False,
    environ: bool | Mapping[str, str] = False,
) -> Configuration:
    """Read a file of services, or a mapping of the same form.

    Args:
        source: The path of a file, a mapping, or the content of a file that was read elsewhere.
        code: The code that it may name, as `load_services` has it.
        environ: The variables that change it, as `load_services` has it.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
        ConfigError: Everything that is wrong with it; its `problems` are each by itself.
    """
    document = read(source)
    if environ is not False:
        document = with_variables(document, environ)
    return _Reader(document, Code.allowed_by(code, document.folder)).read()


@define
class _Reader:
    """Turns a document into a configuration, and gathers the problems on the way."""

    document: Document
    code: Code
    problems: list[Problem] = field(factory=list, init=False)

    def read(self) -> Configuration:
        self.problems += _shape_problems(self.document.tables)
        found, problems = layers(self.document.tables, self.document.variables)
        self.problems += problems
        policies = self._policies(found)
        places = {path: place for place, path in enumerate(_paths(self.document.tables))}
        found = dict(sorted(found.items(), key=lambda each: places.get(each[0], -1)))
        services = self._services(found, policies)
        self.problems += dict.fromkeys(_clash_problems(services, found))
        if self.problems:
            raise ConfigError.of_all(self._errors(places))
        named = {path[-1]: layer for path, layer in found.items() if path[0] in (SERVICES, DEFAULT)}
        return Configuration(
            self.document.label,
            tuple(services),
            policies.get((DEFAULT,)),
            named,
            tuple(self.code.imported),
            tuple(self.document.texts),
        )

    def _errors(self, places: Mapping[KeyPath, int]) -> list[ConfigError]:
        """Return the problems as errors, in the order of the file."""

        def place(problem: Problem) -> int:
            return places.get(problem.path[:2], places.get(problem.path[:1], -1))

        files = [*self.document.texts]

        def position(error: ConfigError) -> tuple[int, int, int]:
            # Those of a mapping, and of variables, have no lines.
            at = files.index(error.file) if error.file in files else 0
            return at, error.line or 0, error.column or 0

        return sorted(map(self.document.error, sorted(self.problems, key=place)), key=position)

    def _policies(self, found: Mapping[tuple[str, ...], Layer]) -> dict[tuple[str, ...], Policy]:
        """Return the policy of each layer that describes one."""
        policies = {}
        # What is wrong with each layer, so that it is not said again of what extends it.
        said: dict[Layer | None, set[tuple[KeyPath, str | None]]] = {None: set()}
        for path, layer in found.items():
            own_keys = (MATCH, _FACTS) if path[0] == SERVICES else (_FACTS,)
            settings = {key: each for key, each in layer.values.items() if key not in own_keys}
            policy, problems = structure(settings, self.code, (EXTENDS, *own_keys))
            facts = layer.values.get(_FACTS, {})
            if not isinstance(facts, Mapping):
                problems.append(misfit((_FACTS,), facts, "a table"))
            said[layer] = {(each.path, each.given) for each in problems}
            self.problems += [
                each.below(path)
                for each in problems
                if (each.path, each.given) not in said[layer.base]
                or layer.source(each.path) is layer
            ]
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
                problem = Problem(path, message, DEFAULT, "another name", is_of_key=True)
                self.problems.append(problem)
            if MATCH not in layer.own:
                allowed = 'a pattern such as "https://api.example.com", or several'
                message = f"must be given: {allowed}"
                for key, each in layer.own.items():
                    if isinstance(each, Mapping) and MATCH in each:
                        name = dotted((SERVICES, f"{path[-1]}.{key}"))
                        message += f" (did you mean [{name}]? a name with a dot is in quotes)"
                at = (*path, MATCH)
                self.problems.append(Problem(at, message, None, allowed, is_of_key=True))
                continue
            facts = layer.values.get(_FACTS)
            match = layer.own[MATCH]
            try:
                services.append(
                    Service(
                        path[-1],
                        match,
                        policies.get(path) or Policy(),
                        facts=facts if isinstance(facts, Mapping) else {},
                    )
                )
            except ConfigError as error:
                of_match = list(_match_problems((*path, MATCH), match))
                # The name is no key in the table: it is that of the table.
                others = [each for each in error.problems if each.where != "Service.match"]
                self.problems += of_match
                self.problems += [from_error(path, each, path[-1]) for each in others]
        return services


def _paths(tables: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Return the keys of the two upper levels, in the order of the file."""
    for key, value in tables.items():
        yield (key,)
        if isinstance(value, Mapping):
            yield from ((key, name) for name in value)


def _match_problems(path: KeyPath, match: Any) -> Iterator[Problem]:
    """Find the patterns of a service that are none; each of an array has its place."""
    is_array = isinstance(match, list | tuple)
    for place, each in enumerate(match if is_array else (match,)):
        try:
            Service("a", each)
        except ConfigError as error:
            at = (*path, place) if is_array else path
            yield from_error(at, error, public_text(each) if isinstance(each, str) else each)
    if is_array and not match:
        yield misfit(path, match, "a pattern of URLs, or a list of them")


def _clash_problems(
    services: Iterable[Service], found: Mapping[tuple[str, ...], Layer]
) -> Iterator[Problem]:
    """Find patterns that two services have."""
    for service, pattern, earlier in clashes(services):
        path: KeyPath = (SERVICES, service.name)
        allowed = f"apart from what {dotted((SERVICES, earlier.name))} covers"
        is_array = isinstance(found[SERVICES, service.name].own[MATCH], list | tuple)
        place = (service.patterns.index(pattern),) if is_array else ()
        yield misfit((*path, MATCH, *place), str(pattern), allowed)


def _shape_problems(tables: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what is wrong with the shape of the top level."""
    if not tables:
        allowed = "a table such as [services.mavio]"
        yield Problem((SERVICES,), f"must be given: {allowed}", None, allowed)
    known = (DEFAULT, INCLUDE, PRESETS, SERVICES)
    yield from unknown_keys((), (key for key in tables if key not in known), known)
    for key, value in tables.items():
        if key not in known:
            continue
        if not isinstance(value, Mapping):
            allowed = "a table" if key == DEFAULT else f"a table of tables, [{key}.NAME]"
            # What is in it may be a secret, as below.
            kind = kind_of(value)
            yield Problem((key,), f"must be {allowed}, not {kind}", kind, allowed)
        elif key != DEFAULT:
            for name, own in value.items():
                if not isinstance(own, Mapping):
                    # A key that means nothing here: its value may be a secret.
                    kind = kind_of(own)
                    yield Problem((key, name), f"must be a table, not {kind}", kind, "a table")
