"""The settings of the storm benchmark."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from benchmarks.contenders import Contender, from_file_if_any
from benchmarks.settings import FLAG, SEED, TEXT, between, check_names, command
from benchmarks.storm.trouble_rows import ROWS, choose_rows
from benchmarks.storm.trouble_simulation import COLUMNS
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple

__all__ = ["SCENARIOS", "StormSettings"]

SCENARIOS = ("trouble", "jitter", "throttling", "metastable", "crowd", "rate-limit")

# About how many seconds each takes: thorough, and quick.
_EXPECTED = {
    "trouble": (290.0, 50.0),
    "jitter": (8.0, 2.0),
    "throttling": (4.0, 1.0),
    "metastable": (30.0, 8.0),
    "crowd": (30.0, 2.0),
    "rate-limit": (1.0, 0.2),
}

# The scenarios that compare policies, and so take those of a file.
_POLICY_SCENARIOS = ("metastable", "crowd", "rate-limit")

_SEEDS, _QUICK_SEEDS = 3, 1
_SECONDS = 60.0
_CLIENTS, _QUICK_CLIENTS = 10_000, 1_000


def _texts(given: Any) -> Any:
    """Split each text at its commas."""
    texts = as_tuple(given)
    if not isinstance(texts, tuple) or not all(isinstance(each, str) for each in texts):
        return texts
    return tuple(part.strip() for each in texts for part in each.split(",") if part.strip())


def _checked_texts(where: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, tuple) or not all(isinstance(each, str) for each in given):
        raise ConfigError.of(where, given, "texts")
    return given


@frozen(kw_only=True)
class StormSettings:
    """The settings of the storm benchmark.

    Attributes:
        scenarios: The scenarios to measure, in this order. Default: all.
        quick: Use fewer repetitions, fewer clients and fewer policies. Default False.
        rows: Rows of "trouble": groups ("a"), or the words with which a row's name begins ("a 50/s
            6.5 s"); one text may have several, with commas. Default: all, in a quick run a
            few groups.
        columns: Columns of "trouble". Default: all.
        seeds: Seeds of "trouble", from 1 to 100: `seed` and those that follow it; heavy rows are
            run with a third of them. Default 3, in a quick run 1.
        workers: Processes that simulate "trouble", from 1 to 64; the figures do not depend on it.
            Default 1.
        clients: Clients in "crowd", from 10 to 100,000. Default 10,000, in a quick run 1,000.
        seconds: Simulated seconds of "crowd", from 20 to 600. Default 60.
        policy_file: A file of services whose policies are compared with the others. Default None.
        service: The only service of the file to use; None, the default, for all.
        seed: The seed of everything random; the same seed gives the same figures. Default 1.
        own: The policies of the file.
    """

    scenarios: tuple[str, ...] = field(default=SCENARIOS, converter=as_tuple)
    quick: bool = field(default=False, validator=FLAG)
    rows: tuple[str, ...] = field(default=(), converter=_texts)
    columns: tuple[str, ...] = field(default=(), converter=_texts)
    seeds: int = field(validator=between(1, 100))
    workers: int = field(default=1, validator=between(1, 64))
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

    @rows.validator
    def _known_rows(self, attribute: Attribute[Any], rows: Any) -> None:
        for text in _checked_texts("StormSettings.rows", rows):
            if not choose_rows((text,)):
                groups = ", ".join(dict.fromkeys(row.group for row in ROWS))
                allowed = f"one of {groups}, or the beginning of a row's name"
                raise ConfigError.of("StormSettings.rows", text, allowed)

    @columns.validator
    def _known_columns(self, attribute: Attribute[Any], columns: Any) -> None:
        where = "StormSettings.columns"
        check_names(_checked_texts(where, columns), [each.name for each in COLUMNS], where)

    @seeds.default
    def _default_seeds(self) -> int:
        return _QUICK_SEEDS if self.quick else _SEEDS

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
    def expected_seconds(self) -> tuple[float, ...]:
        """The seconds of each scenario, about: in proportion to one another."""
        return tuple(_EXPECTED[each][self.quick] for each in dict.fromkeys(self.scenarios))

    @property
    def command(self) -> str:
        """The command line that runs the benchmark with these settings again."""
        return command(
            "storm",
            *(self.scenarios if self.scenarios != SCENARIOS else ()),
            rows=self.rows,
            columns=self.columns,
            seeds=None if self.seeds == (_QUICK_SEEDS if self.quick else _SEEDS) else self.seeds,
            clients=self.clients,
            seconds=None if self.seconds == _SECONDS else self.seconds,
            policy_file=self.policy_file,
            service=self.service,
            seed=self.seed,
            quick=self.quick,
        )
