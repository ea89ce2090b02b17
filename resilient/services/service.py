"""A service: a name, what URLs it covers, and a policy."""

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
    """A tuple; a lone pattern is one of one."""
    # A URL object is refused by `Pattern`, which knows what not to show of it.
    return (value,) if isinstance(value, str | URL) else as_tuple(value)


def _copied(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping of one's own: those of presets are shared by everyone."""
    return dict(value) if isinstance(value, Mapping) else value


@frozen
class Service:
    """A name, what URLs it covers, and a policy.

        Service("mavio", "https://api.mavio.example", Policy(total_timeout=20))
        Service("internal", ["https://*.corp.example", "http://legacy.corp.example/v1"])

    Attributes:
        name: What it is looked up by, and what events and logs call it.
        match: Patterns of URLs: an origin, whose host may begin with a wildcard, and perhaps
            a path prefix; `Pattern` has the details.
        policy: What its pipeline is made from. The policy's own name does not count.
        facts: What its documentation says and nothing here acts on, such as a rate limit.
        patterns: What it covers, parsed.
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
    """Each service that covers what an earlier one covers: it, the pattern, and that one."""
    router: Router[Service] = Router()
    for service in services:
        for pattern in service.patterns:
            earlier = router.add(pattern, service)
            if earlier is not None and earlier is not service:
                yield service, pattern, earlier
