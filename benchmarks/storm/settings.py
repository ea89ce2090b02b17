"""What a storm is run with."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from benchmarks.choice import check_names
from benchmarks.command import command
from benchmarks.contenders import Contender, from_file_if_any
from benchmarks.fields import FLAG, SEED, TEXT, between
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple

__all__ = ["STORIES", "StormSettings"]

STORIES = ("jitter", "throttling", "metastable", "crowd", "rate-limit")

# Those in which the policies of a file stand beside the others.
_OF_POLICIES = ("metastable", "crowd", "rate-limit")


_SECONDS = 60.0
_CLIENTS, _QUICK_CLIENTS = 10_000, 1_000


@frozen(kw_only=True)
class StormSettings:
    """The settings of `measure`.

    Attributes:
        stories: Which to tell, in this order.
        quick: Fewer repetitions, numbers of clients, and policies.
        clients: How many there are in "crowd"; ten thousand, or a tenth of that in a quick run,
            if nobody says.
        seconds: How long "crowd" goes on; simulated ones.
        policy_file: A file of services, whose policies stand beside the others.
        service: The one service of the file that counts; None for all.
        seed: Of everything random: the same seed gives the same figures.
        own: The policies of the file.
    """

    stories: tuple[str, ...] = field(default=STORIES, converter=as_tuple)
    quick: bool = field(default=False, validator=FLAG)
    clients: int = field(validator=between(10, 100_000))
    seconds: float = field(default=_SECONDS, validator=between(20.0, 600.0, "seconds"))
    policy_file: str | None = field(default=None, validator=TEXT)
    service: str | None = field(default=None, validator=TEXT)
    seed: int = field(default=1, validator=SEED)
    own: tuple[Contender, ...] = field(init=False, repr=False)

    @stories.validator
    def _known(self, attribute: Attribute[Any], stories: Any) -> None:
        where = "StormSettings.stories"
        if not isinstance(stories, tuple) or not stories:
            raise ConfigError.of(where, stories, f"some of {', '.join(STORIES)}")
        check_names(stories, STORIES, where)

    @clients.default
    def _as_many(self) -> int:
        return _QUICK_CLIENTS if self.quick else _CLIENTS

    @own.default
    def _read(self) -> tuple[Contender, ...]:
        # This is before anything is validated.
        path = self.policy_file if isinstance(self.policy_file, str) else None
        return from_file_if_any(path, self.service)

    def __attrs_post_init__(self) -> None:
        if self.policy_file is not None and not set(self.stories) & set(_OF_POLICIES):
            raise ConfigError(
                f"a policy file is of no use to {' and '.join(self.stories)}: its policies stand "
                f"beside others in {', '.join(_OF_POLICIES)}"
            )

    @property
    def command(self) -> str:
        """What runs it again."""
        return command(
            "storm",
            *(self.stories if self.stories != STORIES else ()),
            clients=self.clients,
            seconds=None if self.seconds == _SECONDS else self.seconds,
            policy_file=self.policy_file,
            service=self.service,
            seed=self.seed,
            quick=self.quick,
        )
