"""The policies that the load and storm benchmarks compare."""

from __future__ import annotations

from attrs import evolve, frozen

from resilient import ConfigError, Policy, RetryPolicy
from resilient.services.config.configuration import read_configuration

__all__ = ["STANDARD", "Contender", "from_file", "from_file_if_any"]

_NOTHING = Policy(
    name="none",
    errors=None,
    total_timeout=None,
    retry=None,
    throttle=None,
    breaker=None,
    attempt_timeout=None,
)
_RETRY = evolve(_NOTHING, name="retry", retry=RetryPolicy(budget=None))


@frozen
class Contender:
    """A policy under a name.

    Attributes:
        name: The name, in one word.
        what: The parts of the policy in a few words.
        policy: The policy. That of "none" has no parts: aiohttp alone.
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


def from_file(path: str, service: str | None = None) -> tuple[Contender, ...]:
    """Return the policies of a file of services, or that of one service.

    The URLs that a service covers do not matter: its policy is applied to calls to a server of
    the benchmark. The names become "NAME (file)", since a service may have the name of one of
    the standard policies.

    Args:
        path: The file of services.
        service: The name of the only service to use; None, the default, for all.

    Raises:
        ConfigError: The file is wrong, or has no such service.
    """
    configuration = read_configuration(path)
    policies = {each.name: each.policy for each in configuration.services}
    if configuration.default is not None:
        policies["default"] = configuration.default
    if service is not None and service not in policies:
        raise ConfigError.of("service", service, f"one of {', '.join(policies)} in {path}")
    wanted = policies if service is None else {service: policies[service]}
    return tuple(
        Contender(f"{name} (file)", f"from {path}", policy) for name, policy in wanted.items()
    )


def from_file_if_any(path: str | None, service: str | None) -> tuple[Contender, ...]:
    """Return the policies of a file as `from_file` does, or none without a file.

    Raises:
        ConfigError: As `from_file`, or a service was named without a file.
    """
    if path is not None:
        return from_file(path, service)
    if service is not None:
        raise ConfigError(f"the service {service!r} needs a policy file that has it")
    return ()
