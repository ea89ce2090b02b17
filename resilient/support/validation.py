"""Validate policies: an error names the field, its value, and the allowed values."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar

from attrs import Attribute

from resilient.errors import ConfigError

__all__ = [
    "Seconds",
    "as_set",
    "as_tuple",
    "at_least",
    "check",
    "each",
    "fraction",
    "instance",
    "optional",
    "plain_function",
    "positive",
    "statuses",
    "validated",
]

Validator = Callable[[Any, "Attribute[Any]", Any], None]

_T = TypeVar("_T")

# Marks a duration, which a file may give with its unit.
Seconds = Annotated[float, "seconds"]


def check(allowed: str, holds: Callable[[Any], bool]) -> Validator:
    """Make a validator of a condition; `allowed` says in words which values meet it."""

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if not holds(value):
            raise ConfigError.of(f"{type(instance).__name__}.{attribute.alias}", value, allowed)

    validate.__doc__ = allowed
    return validate


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def positive(unit: str = "seconds") -> Validator:
    """Allow a finite number above zero."""
    return check(
        f"a positive, finite number of {unit}",
        lambda value: _is_number(value) and 0 < value < math.inf,
    )


def at_least(least: float, unit: str = "") -> Validator:
    """Allow a number of at least `least`: a whole one if that is an int, else any finite one."""
    whole = isinstance(least, int)
    kind = "an integer" if whole else "a finite number"
    return check(
        f"{kind} of at least {least:g}{unit and ' ' + unit}",
        lambda value: (
            _is_number(value)
            and least <= value < math.inf
            and (not whole or isinstance(value, int))
        ),
    )


def fraction() -> Validator:
    """Allow a number above 0 and at most 1."""
    return check(
        "a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1
    )


def instance(kind: type[Any] | tuple[type[Any], ...], words: str) -> Validator:
    """Allow an instance of a class, or of one of several."""
    return check(words, lambda value: isinstance(value, kind))


def optional(validator: Validator) -> Validator:
    """Allow None, and the values that `validator` allows."""

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is not None:
            try:
                validator(instance, attribute, value)
            except ConfigError as error:
                where = f"{type(instance).__name__}.{attribute.alias}"
                raise ConfigError.of(where, value, f"None or {error.allowed}") from None

    return validate


def plain_function(words: str) -> Validator:
    """Allow a callable that is no coroutine function: nobody would await its result."""
    return check(
        f"a plain (not async) function {words}",
        lambda value: callable(value) and not inspect.iscoroutinefunction(value),
    )


def each(kind: type[Any], words: str) -> Validator:
    """Allow a collection of instances of a class; no empty text in it."""
    return check(
        words,
        lambda value: (
            isinstance(value, tuple | frozenset)
            and all(isinstance(item, kind) and item != "" for item in value)
        ),
    )


def statuses(least: int) -> Validator:
    """Allow a set of HTTP statuses, from `least` to 999."""
    return check(
        f"a set of statuses from {least} to 999",
        lambda value: (
            isinstance(value, frozenset)
            and all(type(status) is int and least <= status <= 999 for status in value)
        ),
    )


def validated(owner: object, name: str, value: _T, validator: Validator) -> _T:
    """Validate an argument of a class that is not made by attrs, and return it.

    Raises:
        ConfigError: `validator` does not allow the value.
    """
    attribute: Any = SimpleNamespace(alias=name)
    validator(owner, attribute, value)
    return value


# A value that is no collection is left as it is, for the validator to complain of.


def as_set(value: Iterable[Any]) -> frozenset[Any]:
    """Convert a collection that a policy was given to a frozen set."""
    kinds = (list, set, tuple, frozenset, range)
    try:
        return frozenset(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
    except TypeError:  # of things that have no hash
        return value  # type: ignore[return-value]  # see above


def as_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    """Convert a collection that a policy was given to a tuple."""
    kinds = (list, set, tuple, frozenset)
    return tuple(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
