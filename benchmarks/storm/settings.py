"""The settings of the storm benchmark."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from benchmarks.contenders import Contender, from_file_if_any
from benchmarks.settings import FLAG, SEED, TEXT, between, check_names, command
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple

__all__ = ["SCENARIOS", "StormSettings"]

SCENARIOS = ("jitter", "throttling", "metastable", "crowd", "rate-limit")

# The scenarios that compare policies, and so take those of a file.
_POLICY_SCENARIOS = ("metastable", "crowd", "rate-limit")

_SECONDS = 60.0
_CLIENTS, _QUICK_CLIENTS = 10_000, 1_000


@frozen(kw_only=True)
class StormSettings:
    """The settings of the storm benchmark.

    Attributes:
        scenarios: The scenarios to measure, in this order. Default: all.
        quick: Use fewer repetitions, fewer clients and fewer policies. Default False.
        clients: Clients in "crowd", from 10 to 100,000. Default 10,000, in a quick run 1,000.
        seconds: Simulated seconds of "crowd", from 20 to 600. Default 60.
        policy_file: A file of services whose policies are compared with the others. Default None.
        service: The only service of the file to use; None, the default, for all.
        seed: The seed of everything random; the same seed gives the same figures. Default 1.
        own: The policies of the file.
    """

    scenarios: tuple[str, ...] = field(default=SCENARIOS, converter=as_tuple)
    quick: bool = field(default=False, validator=FLAG)
    clients: int = field(validator=between(10, 100_000))
    seconds: float = field(default=_SECONDS, validator=between(20.0, 600.0, "seconds"))
    policy_file: str | None = field(default=None, validator=TEXT)
    service: str | None = field(default=None, validator=TEXT)
    seed: int = field(default=1, validator=SEED)
    own: tuple[Contender, ...] = field(init=False, repr=False)

    @scenarios.validator
    def _known(self, attribute: Attribute[Any], scenarios: Any) -> None:
        where = "StormSettings.scenarios"
        if not isinstance(scenarios, tuple) or not scenarios:
            raise ConfigError.of(where, scenarios, f"some of {', '.join(SCENARIOS)}")
        check_names(scenarios, SCENARIOS, where)

    @clients.default
    def _default_clients(self) -> int:
        return _QUICK_CLIENTS if self.quick else _CLIENTS

    @own.default
    def _read_policies(self) -> tuple[Contender, ...]:
        # attrs calls this before it validates anything.
        path = self.policy_file if isinstance(self.policy_file, str) else None
        return from_file_if_any(path, self.service)

    def __attrs_post_init__(self) -> None:
        if self.policy_file is not None and not set(self.scenarios) & set(_POLICY_SCENARIOS):
            raise ConfigError(
                f"a policy file is of no use to {' and '.join(self.scenarios)}: its policies stand "
                f"beside others in {', '.join(_POLICY_SCENARIOS)}"
            )

    @property
    def command(self) -> str:
        """The command line that runs the benchmark with these settings again."""
        return command(
            "storm",
            *(self.scenarios if self.scenarios != SCENARIOS else ()),
            clients=self.clients,
            seconds=None if self.seconds == _SECONDS else self.seconds,
            policy_file=self.policy_file,
            service=self.service,
            seed=self.seed,
            quick=self.quick,
        )
