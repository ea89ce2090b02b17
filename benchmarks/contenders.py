"""The policies that load and storms set side by side."""

from __future__ import annotations

from attrs import evolve, frozen

from benchmarks.choice import chosen
from resilient import ConfigError, Policy, RetryPolicy
from resilient.services.config.configuration import read_configuration

__all__ = ["STANDARD", "Contender", "from_file", "named"]

_NOTHING = Policy(
    name="none", errors=None, total_timeout=None, retry=None, breaker=None, attempt_timeout=None
)
_RETRY = evolve(_NOTHING, name="retry", retry=RetryPolicy(budget=None))


@frozen
class Contender:
    """A policy, and what to call it.

    Attributes:
        name: In one word.
        what: What is in it, in a few.
        policy: None of its parts are there in "none", which is aiohttp alone.
    """

    name: str
    what: str
    policy: Policy


STANDARD = (
    Contender("none", "aiohttp alone", _NOTHING),
    Contender("retry", "three attempts, no budget", _RETRY),
    Contender(
        "retry+breaker",
        "three attempts, no budget, a breaker",
        evolve(_RETRY, name="retry+breaker", breaker=Policy().breaker),
    ),
    Contender("pipeline", "the standard pipeline", Policy(name="pipeline")),
)


def named(names: tuple[str, ...]) -> tuple[Contender, ...]:
    """Some of the standard ones.

    Raises:
        ConfigError: There is none of that name.
    """
    return chosen(names, STANDARD, "policies")


def from_file(path: str, service: str | None = None) -> tuple[Contender, ...]:
    """The policies of a file of services, or that of one service of it.

    Where a service is, and which URLs it covers, does not matter here: its policy is put under
    calls to a server of the benchmark.

    Raises:
        ConfigError: What is wrong with the file, or that it has no such service.
    """
    configuration = read_configuration(path)
    policies = {each.name: each.policy for each in configuration.services}
    if configuration.default is not None:
        policies["default"] = configuration.default
    if service is not None and service not in policies:
        raise ConfigError.of("service", service, f"one of {', '.join(policies)} in {path}")
    chosen = policies if service is None else {service: policies[service]}
    return tuple(Contender(name, f"from {path}", policy) for name, policy in chosen.items())
