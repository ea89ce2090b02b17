"""Define a service: a name, patterns of URLs, and a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen
from yarl import URL

from resilient.errors import ConfigError
from resilient.pipeline.policy import Policy
from resilient.services.pattern import Pattern
from resilient.services.router import Router
from resilient.support.validation import as_tuple, check, instance

__all__ = ["Service", "clashes"]


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return a tuple; a single pattern makes a tuple of one."""
    # A URL object is refused by `Pattern`, which knows what not to show of it.
    return (value,) if isinstance(value, str | URL) else as_tuple(value)


def _copied(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a mapping: those of presets are shared by everyone."""
    return dict(value) if isinstance(value, Mapping) else value


@frozen
class Service:
    """A name, patterns of URLs, and a policy.

        Service("mavio", "https://api.mavio.example", Policy(total_timeout=20))
        Service("internal", ["https://*.corp.example", "http://legacy.corp.example/v1"])

    Attributes:
        name: The name in `Services`, in events and in logs.
        match: Patterns of the URLs that it covers: an origin, whose host may begin with a
            wildcard, and perhaps a path prefix; `Pattern` has the details.
        policy: The policy of its pipeline, by default `Policy()`. Its own name does not count.
        facts: Facts from its documentation that nothing here acts on, such as a rate limit. By
            default there are none.
        patterns: The patterns of `match`, parsed.

    Raises:
        ConfigError: A value of the wrong type, or a pattern that nothing can match.
    """

    name: str = field(
        validator=check("a name", lambda it: isinstance(it, str) and bool(it.strip()))
    )
    match: tuple[str, ...] = field(
        converter=_texts,
        validator=check(
            "a pattern of URLs, or a list of them", lambda it: isinstance(it, tuple) and bool(it)
        ),
    )
    policy: Policy = field(factory=Policy, validator=instance(Policy, "a Policy"))
    facts: Mapping[str, Any] = field(
        factory=dict,
        converter=_copied,
        hash=False,
        validator=instance(Mapping, "a mapping"),
        kw_only=True,
    )

    patterns: tuple[Pattern, ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        patterns, problems = [], []
        for text in self.match:
            try:
                patterns.append(Pattern.parse(text))
            except ConfigError as error:
                problems.append(error)
        if problems:
            raise ConfigError.of_all(problems)
        object.__setattr__(self, "patterns", tuple(patterns))


def clashes(services: Iterable[Service]) -> Iterator[tuple[Service, Pattern, Service]]:
    """Return each service that has a pattern of an earlier one: it, the pattern, that one."""
    router: Router[Service] = Router()
    for service in services:
        for pattern in service.patterns:
            earlier = router.add(pattern, service)
            if earlier is not None and earlier is not service:
                yield service, pattern, earlier
