"""What a storm is run with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import Attribute, field, frozen

from benchmarks.contenders import Contender, from_file
from resilient.errors import ConfigError
from resilient.validation import as_tuple, at_least, check, instance, optional

__all__ = ["STORIES", "StormSettings"]

STORIES = ("jitter", "throttling", "metastable", "crowd", "rate-limit")


def _within(least: float, most: float) -> Callable[[Any], bool]:
    """A condition: a number between two others, and whole if they are."""
    kinds = int if isinstance(least, int) else int | float

    def holds(given: Any) -> bool:
        return isinstance(given, kinds) and not isinstance(given, bool) and least <= given <= most

    return holds


@frozen(kw_only=True)
class StormSettings:
    """The settings of `measure`.

    Attributes:
        stories: Which to tell, in this order.
        clients: How many there are in "crowd".
        seconds: How long "crowd" goes on; simulated ones.
        policy_file: A file of services, whose policies stand beside the others.
        service: The one service of the file that counts; None for all.
        seed: Of everything random: the same seed gives the same figures.
        quick: Fewer repetitions, numbers of clients, and policies.
        own: The policies of the file.
    """

    stories: tuple[str, ...] = field(default=STORIES, converter=as_tuple)
    clients: int = field(
        default=10_000, validator=check("an integer from 10 to 100000", _within(10, 100_000))
    )
    seconds: float = field(
        default=60.0, validator=check("a number of seconds from 20 to 600", _within(20.0, 600.0))
    )
    policy_file: str | None = field(
        default=None, validator=optional(instance(str, "the path of a file"))
    )
    service: str | None = field(
        default=None, validator=optional(instance(str, "the name of a service"))
    )
    seed: int = field(default=1, validator=at_least(0))
    quick: bool = field(default=False, validator=instance(bool, "True or False"))
    own: tuple[Contender, ...] = field(init=False, repr=False)

    @stories.validator
    def _known(self, attribute: Attribute[Any], stories: Any) -> None:
        if not isinstance(stories, tuple) or not stories:
            raise ConfigError.of("StormSettings.stories", stories, f"some of {', '.join(STORIES)}")
        for name in stories:
            if name not in STORIES:
                raise ConfigError.of("StormSettings.stories", name, f"some of {', '.join(STORIES)}")

    @own.default
    def _read(self) -> tuple[Contender, ...]:
        if not isinstance(self.policy_file, str):
            if self.service is not None:
                raise ConfigError.of("StormSettings.service", self.service, "given with a file")
            return ()
        return from_file(self.policy_file, self.service)
