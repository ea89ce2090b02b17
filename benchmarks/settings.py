"""Validate settings, choose things by name, and write the command that repeats a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any, Final, Protocol, TypeVar

from resilient.errors import ConfigError
from resilient.support.validation import Validator, at_least, check, instance, optional

__all__ = ["FLAG", "SEED", "TEXT", "between", "by_name", "check_names", "command"]

FLAG: Final = instance(bool, "True or False")
SEED: Final = at_least(0)
TEXT: Final = optional(check("text", lambda given: isinstance(given, str) and given != ""))


def between(least: float, most: float, unit: str = "", *, above: bool = False) -> Validator:
    """Return a validator for a number from `least` to `most`, both included.

    Args:
        least: The least number allowed; if it is an integer, the number has to be one.
        most: The greatest number allowed.
        unit: The unit, for the error message.
        above: Require a number above `least`. Default False.
    """
    whole = isinstance(least, int)
    kinds = int if whole else int | float
    kind = f"{'an integer' if whole else 'a number'}{unit and ' of ' + unit}"

    def holds(given: Any) -> bool:
        if not isinstance(given, kinds) or isinstance(given, bool):
            return False
        return least <= given <= most and not (above and given == least)

    start = f"above {least:.15g}, up to" if above else f"from {least:.15g} to"
    return check(f"{kind} {start} {most:.15g}", holds)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def by_name(names: Iterable[str], things: Iterable[_N], where: str) -> tuple[_N, ...]:
    """Return the things with these names, in the order of the names, each once.

    Args:
        names: The names to look up.
        things: The things to choose from.
        where: The setting that has the names, for the error message.

    Raises:
        ConfigError: A name is unknown.
    """
    known = {each.name: each for each in things}
    names = tuple(names)
    check_names(names, known, where)
    return tuple(known[name] for name in dict.fromkeys(names))


def check_names(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise if a name is unknown.

    Raises:
        ConfigError: A name is unknown; the message lists the known ones.
    """
    known = tuple(known)
    for name in names:
        if name not in known:
            raise ConfigError.of(where, name, f"some of {', '.join(known)}")


Value = str | float | bool | tuple[str, ...] | None


def command(benchmark: str, *arguments: str, **options: Value) -> str:
    """Return the command line that repeats a run exactly.

    Args:
        benchmark: The name of the benchmark.
        arguments: The positional arguments.
        options: The values of options, by name with underscores. True becomes a flag, a tuple
            one option per value; None, False and an empty tuple are left out.
    """
    words = ["python", "-m", "benchmarks", benchmark, *arguments]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, tuple):
            words += [word for each in value for word in (option, each)]
        elif value is not None and value is not False:
            words += [option, value if isinstance(value, str) else _digits(value)]
    return shlex.join(words)


def _digits(value: float) -> str:
    return repr(value).removesuffix(".0")
