"""Refuse values of policies that make no sense: name the field, the value, and what is allowed."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Annotated, Any, Final, TypeVar

from attrs import Attribute

from resilient.errors import ConfigError

__all__ = [
    "Seconds",
    "Validator",
    "as_set",
    "as_statuses",
    "as_tuple",
    "at_least",
    "bounds_of",
    "check",
    "each",
    "fraction",
    "instance",
    "is_number",
    "is_plain_function",
    "optional",
    "plain_function",
    "positive",
    "statuses",
    "validated",
]

Validator = Callable[[Any, "Attribute[Any]", Any], None]

# The bounds of numbers that a validator allows, in words of JSON Schema; of those in a collection
# if it takes one.
_BOUNDS: Final = "bounds"

_T = TypeVar("_T")

# Marks a duration, which a file may give with its unit.
Seconds = Annotated[float, "seconds"]


def check(allowed: str, holds: Callable[[Any], bool], **bounds: float) -> Validator:
    """Make a validator of a condition, and of the words for what it allows.

    The validator raises `ConfigError` for a value for which `holds` returns False.

    Args:
        allowed: The words.
        holds: The condition.
        **bounds: The bounds of a number in it, as JSON Schema has them: "minimum".
    """

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if not holds(value):
            raise ConfigError.of(f"{type(instance).__name__}.{attribute.alias}", value, allowed)

    validate.__doc__ = allowed
    setattr(validate, _BOUNDS, bounds)
    return validate


def bounds_of(validator: object) -> dict[str, float]:
    """Return the bounds of the numbers that a validator allows, in words of JSON Schema."""
    found: dict[str, float] = getattr(validator, _BOUNDS, {})
    return found


def is_number(value: object) -> bool:
    """Return whether a value is a number; neither a bool nor NaN is one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def positive(unit: str = "seconds") -> Validator:
    """Allow a finite number above zero."""
    return check(
        f"a positive, finite number of {unit}",
        lambda value: is_number(value) and 0 < value < math.inf,
        exclusiveMinimum=0,
    )


def at_least(least: float, unit: str = "") -> Validator:
    """Allow a finite number from `least` on; an integer if `least` is one."""
    whole = isinstance(least, int)
    kind = "an integer" if whole else "a finite number"
    return check(
        f"{kind} of at least {least:g}{unit and ' ' + unit}",
        lambda value: (
            is_number(value) and least <= value < math.inf and (not whole or isinstance(value, int))
        ),
        minimum=least,
    )


def fraction() -> Validator:
    """Allow a number above 0 and at most 1."""
    return check(
        "a number above 0 and at most 1",
        lambda value: is_number(value) and 0 < value <= 1,
        exclusiveMinimum=0,
        maximum=1,
    )


def instance(kind: type[Any] | tuple[type[Any], ...], words: str) -> Validator:
    """Allow an instance of a class."""
    return check(words, lambda value: isinstance(value, kind))


def optional(validator: Validator) -> Validator:
    """Allow None, and what `validator` allows."""

    def validate(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is not None:
            try:
                validator(instance, attribute, value)
            except ConfigError as error:
                where = f"{type(instance).__name__}.{attribute.alias}"
                raise ConfigError.of(where, value, f"None or {error.allowed}") from None

    setattr(validate, _BOUNDS, bounds_of(validator))
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
    """Allow a tuple or a frozen set of instances of a class, but no empty text in it."""
    return check(
        f"{words} (texts that are not empty)" if kind is str else words,
        lambda value: (
            isinstance(value, tuple | frozenset)
            and all(isinstance(item, kind) and item != "" for item in value)
        ),
    )


def statuses(least: int) -> Validator:
    """Allow a frozen set of HTTP statuses from `least` to 999."""
    return check(
        f'a set of statuses from {least} to 999, or of ranges such as "500-504"',
        lambda value: (
            isinstance(value, frozenset)
            and all(type(status) is int and least <= status <= 999 for status in value)
        ),
        minimum=least,
        maximum=999,
    )


def validated(owner: object, name: str, value: _T, validator: Validator) -> _T:
    """Return an argument of a class that is not made by attrs, if `validator` allows it.

    Raises:
        ConfigError: It does not.
    """
    attribute: Any = SimpleNamespace(alias=name)
    validator(owner, attribute, value)
    return value


# Both return anything that is no collection as it is, for the validator to name.


def as_set(value: Iterable[Any]) -> frozenset[Any]:
    """Return a collection as a frozen set."""
    kinds = (list, set, tuple, frozenset, range)
    try:
        return frozenset(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
    except TypeError:  # of things that have no hash
        return value  # type: ignore[return-value]  # see above


_RANGE: Final = re.compile(r"([1-9][0-9]{2})-([1-9][0-9]{2})")


def as_statuses(value: Iterable[Any]) -> frozenset[Any]:
    """Return a collection of statuses as a frozen set of numbers, ranges taken apart."""
    given: Any = as_set(value)
    if not isinstance(given, frozenset):
        return given  # type: ignore[no-any-return]  # for the validator to name
    found: set[Any] = set()
    for each in given:
        ends = _RANGE.fullmatch(each) if isinstance(each, str) else None
        # A range that is empty stays as it is, for the validator to name.
        found.update((ends and range(int(ends[1]), int(ends[2]) + 1)) or [each])
    return frozenset(found)


def as_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    """Return a collection as a tuple."""
    kinds = (list, set, tuple, frozenset)
    return tuple(value) if isinstance(value, kinds) else value  # type: ignore[return-value]  # see above
