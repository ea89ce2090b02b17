"""Make a policy of a table of settings, or find everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, reduce
from typing import Any

from attrs import frozen
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from resilient.errors import ConfigError
from resilient.pipeline.policy import Policy
from resilient.services.config.code import Code
from resilient.services.config.converter import to_policy
from resilient.services.config.document import INCLUDE
from resilient.services.config.keys import dotted_keys, keys_of
from resilient.services.config.problems import (
    ElementError,
    KeyPath,
    NotGiven,
    Problem,
    dotted,
    from_error,
    unknown_keys,
)
from resilient.services.config.spelling import spelled

__all__ = ["structure"]


def structure(
    values: Mapping[str, Any], code: Code, also_known: tuple[str, ...] = ()
) -> tuple[Policy | None, list[Problem]]:
    """Return the policy that a table describes, or None and everything that is wrong with it.

    Args:
        values: The table.
        code: Imports the code that it names.
        also_known: Keys that such a table may hold besides, which are read elsewhere.
    """
    problems: list[Problem] = []
    incomplete: set[KeyPath] = set()
    while True:
        try:
            policy = to_policy(values, code)
        except BaseValidationError as group:
            found = list(_found(group, (), values, also_known))
        else:
            return (None if problems else policy), problems
        # Whether values contradict each other shows only where each is right by itself. So
        # go on without those that are not, but judge no table by what it lacks now.
        for each in found:
            if not (each.is_contradiction and each.table in incomplete):
                problems.append(each.problem)
            if not each.is_contradiction:
                incomplete.add(each.table)
        if any(not each.pruned for each in found):
            return None, problems
        values = _without(values, [each.pruned for each in found])


@frozen
class _Finding:
    """A problem, and the value to leave out in order to look for more.

    Attributes:
        problem: The problem.
        table: The path of the table that is at fault.
        pruned: The path of the value to leave out.
        is_contradiction: True if each value of the table is right by itself.
    """

    problem: Problem
    table: KeyPath
    pruned: KeyPath
    is_contradiction: bool = False


def _found(
    group: BaseValidationError, table: KeyPath, values: object, also_known: tuple[str, ...] = ()
) -> Iterator[_Finding]:
    """Return the problems in a group of cattrs' errors.

    Args:
        group: The errors.
        table: The path of the table or the array that they are about.
        values: The whole table that was read.
        also_known: Keys that the table at the top may hold besides.
    """
    for error in group.exceptions:
        path = (*table, *_place(error))
        if isinstance(error, BaseValidationError):
            yield from _found(error, path, values)
        elif isinstance(error, ForbiddenExtraKeysError):
            known = (*keys_of(error.cl), *also_known)
            extra = sorted(error.extra_fields)
            for problem in unknown_keys(table, extra, known, _elsewhere()):
                yield _finding(problem, problem.path)
        elif isinstance(error, KeyError) and error.args == path[-1:]:
            yield _finding(Problem(path, "must be given", is_of_key=True), path)
        elif not isinstance(error, ConfigError):
            message = f"is wrong: {type(error).__name__}: {error}"
            yield _finding(Problem(path, message), path)
        elif isinstance(error, ElementError):
            shown = spelled(_value(values, path))
            message = f"is {shown}, and {dotted((*table[-1:],))} must be {error.allowed}"
            yield _finding(Problem(path, message, shown, error.allowed), path)
        elif path == table:
            # Raised when the table as a whole was judged.
            for each in error.problems:
                _, _, keys = (each.where or "").partition(".")
                at = (*table, *keys.split(".")) if keys else table
                problem = from_error(at, each, _value(values, at))
                yield _Finding(problem, table, _whole(table), is_contradiction=True)
        else:
            for each in error.problems:
                yield _finding(from_error(path, each, _value(values, path)), path)


@cache
def _elsewhere() -> Mapping[str, str]:
    """Return where keys belong that stand in the wrong table."""
    return {**dotted_keys(), INCLUDE: "include at the top of the file, before the first table"}


def _value(values: Any, path: KeyPath) -> Any:
    """Return the value at a path, or `NotGiven`."""
    try:
        return reduce(lambda found, key: found[key], path, values)
    except (LookupError, TypeError):
        return NotGiven.NOT_GIVEN


def _finding(problem: Problem, path: KeyPath) -> _Finding:
    pruned = _whole(path)
    return _Finding(problem, pruned[:-1], pruned)


def _place(error: Exception) -> KeyPath:
    """Return the key or the index that cattrs noted on an error, or nothing."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return (note.name,)
        if isinstance(note, IterableValidationNote):
            return (note.index,)
    return ()


def _whole(path: KeyPath) -> KeyPath:
    """Return the path as far as the first array: a part of an array cannot be left out."""
    place = next((place for place, key in enumerate(path) if isinstance(key, int)), len(path))
    return path[:place]


def _without(values: Mapping[str, Any], paths: Iterable[KeyPath]) -> Mapping[str, Any]:
    """Return the values without those at some paths."""
    rest = _copied(values)
    for *above, key in paths:
        table = reduce(lambda found, each: found.get(each, {}), above, rest)
        table.pop(key, None)
    return rest


def _copied(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Copy tables within tables."""
    return {
        key: _copied(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
