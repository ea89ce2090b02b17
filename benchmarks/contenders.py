"""The policies that load and storms set side by side."""

from __future__ import annotations

from attrs import evolve, frozen

from resilient import ConfigError, Policy, RetryPolicy
from resilient.services.config.configuration import read_configuration

__all__ = ["STANDARD", "Contender", "from_file", "from_file_if_any"]

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


def from_file(path: str, service: str | None = None) -> tuple[Contender, ...]:
    """The policies of a file of services, or that of one service of it.

    Where a service is, and which URLs it covers, does not matter here: its policy is put under
    calls to a server of the benchmark. They are called "NAME (file)": a service may have the name
    of one of the standard policies, and is another one all the same.

    Raises:
        ConfigError: What is wrong with the file, or that it has no such service.
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
    """The same of a file that need not be given.

    Raises:
        ConfigError: As `from_file`; or there is a service without a file.
    """
    if path is not None:
        return from_file(path, service)
    if service is not None:
        raise ConfigError(f"the service {service!r} needs a policy file that has it")
    return ()
