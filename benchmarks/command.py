"""The command line that runs a benchmark again."""

from __future__ import annotations

import shlex

__all__ = ["command"]

Value = str | float | bool | tuple[str, ...] | None


def command(benchmark: str, *arguments: str, **options: Value) -> str:
    """What to type, to the digit.

    Args:
        benchmark: Its name.
        arguments: What stands without an option.
        options: By the name of the option, with underscores. True is a flag, a tuple is an
            option for each of its values; of None, False and an empty tuple nothing is said.
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
