"""Validators for policies: a value that makes no sense is named, with what is allowed."""

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
    "is_plain_function",
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
    """A validator for a condition, and the words for what it allows."""

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if not holds(value):
            raise ConfigError.of(f"{type(instance).__name__}.{attribute.alias}", value, allowed)

    validate.__doc__ = allowed
    return validate


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def positive(unit: str = "seconds") -> Validator:
    """A finite number above zero."""
    return check(
        f"a positive, finite number of {unit}",
        lambda value: _is_number(value) and 0 < value < math.inf,
    )


def at_least(least: float, unit: str = "") -> Validator:
    """A whole number if `least` is one, else any finite number; not below `least`."""
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
    """Above 0, and at most 1."""
    return check(
        "a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1
    )


def instance(kind: type[Any] | tuple[type[Any], ...], words: str) -> Validator:
    """An instance of a class."""
    return check(words, lambda value: isinstance(value, kind))


def optional(validator: Validator) -> Validator:
    """None, or what `validator` allows."""

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is not None:
            try:
                validator(instance, attribute, value)
            except ConfigError as error:
                where = f"{type(instance).__name__}.{attribute.alias}"
                raise ConfigError.of(where, value, f"None or {error.allowed}") from None

    return validate


def is_plain_function(value: Any) -> bool:
    """Return whether a value can be called, and returns no coroutine: nobody would await it."""
    if not callable(value):
        return False
    # An object is called by the method of its class.
    return not any(map(inspect.iscoroutinefunction, (value, type(value).__call__)))


def plain_function(words: str) -> Validator:
    """Allow what `is_plain_function` says is one."""
    return check(f"a plain (not async) function {words}", is_plain_function)


def each(kind: type[Any], words: str) -> Validator:
    """A collection of instances of a class, blank texts excepted."""
    return check(
        words,
        lambda value: (
            isinstance(value, tuple | frozenset)
            and all(isinstance(item, kind) and item != "" for item in value)
        ),
    )


def statuses(least: int) -> Validator:
    """A set of HTTP statuses."""
    return check(
        f"a set of statuses from {least} to 999",
        lambda value: (
            isinstance(value, frozenset)
            and all(type(status) is int and least <= status <= 999 for status in value)
        ),
    )


def validated(owner: object, name: str, value: _T, validator: Validator) -> _T:
    """What `validator` allows, for an argument of a class that is not made by attrs."""
    attribute: Any = SimpleNamespace(alias=name)
    validator(owner, attribute, value)
    return value


# What is no collection is left as it is, for the validator to name.


def as_set(value: Iterable[Any]) -> frozenset[Any]:
    """A frozen set of what a policy was given."""
    kinds = (list, set, tuple, frozenset, range)
    try:
        return frozenset(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
    except TypeError:  # of things that have no hash
        return value  # type: ignore[return-value]  # see above


def as_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    """A tuple of what a policy was given."""
    kinds = (list, set, tuple, frozenset)
    return tuple(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
