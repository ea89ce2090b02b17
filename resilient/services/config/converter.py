"""Read tables as policies: cattrs walks the tables, the policies judge each value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin

from attrs import Attribute, fields
from cattrs import Converter
from cattrs.errors import IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from resilient.errors import ConfigError
from resilient.pipeline.policy import Policy
from resilient.services.config.code import Code, Need, need_of
from resilient.services.config.durations import to_seconds
from resilient.services.config.keys import KINDS, fields_of, is_duration, nested_kind
from resilient.services.config.problems import ElementError
from resilient.support.references import is_reference

__all__ = ["to_policy"]

_Hook = Callable[[Any, Any], Any]

# Collections of names: a mapping that was read elsewhere may hold any of them.
_COLLECTIONS: Final = (list, tuple, set, frozenset)

# How policies put a collection; a file has arrays.
_COLLECTED: Final = re.compile(r"^(?:None or )?(?:a (?:set|list) of )?")

# Elements of an array that are blamed at most; the rest are as a rule wrong in the same way.
_MOST_BLAMED: Final = 20

# The code that the table being read may name. A converter takes a hundred times as long to make
# as to use, so there is one for all files, and this is how its hooks know.
_code: Final[ContextVar[Code]] = ContextVar("resilient_code")


def to_policy(values: Mapping[str, Any], code: Code) -> Policy:
    """Read a table as a policy.

    Args:
        values: The table.
        code: Imports the code that it names.

    Raises:
        cattrs.errors.BaseValidationError: Everything that is wrong; notes name the keys.
    """
    token = _code.set(code)
    try:
        return _converter().structure(values, Policy)
    finally:
        _code.reset(token)


@cache
def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in KINDS:
        made.register_structure_hook(kind, _table_hook(kind, made))
    return made


def _table_hook(kind: type[Any], converter: Converter) -> _Hook:
    overrides: dict[str, Any] = {each.name: override(omit=True) for each in fields(kind)}
    for each in fields_of(kind):
        overrides[each.name] = override(struct_hook=_field_hook(kind, each, converter))
    structure_table = make_dict_structure_fn(kind, converter, **overrides)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ConfigError.of(kind.__name__, value, "a table")
        return structure_table(value, kind)

    return hook


def _field_hook(kind: type[Any], attribute: Attribute[Any], converter: Converter) -> _Hook:
    """Return a function that reads one value; the policy's converter and validator judge it."""
    kinds = get_args(attribute.type) or (attribute.type,)
    is_optional = NoneType in kinds
    has_unit = is_duration(attribute)
    need = need_of(attribute)
    takes_text = str in kinds
    is_array = get_origin(attribute.type) is tuple
    is_collection = get_origin(attribute.type) is not Mapping and any(
        get_origin(each) in (tuple, frozenset) for each in (attribute.type, *kinds)
    )
    nested = nested_kind(attribute)
    # Whose field it is, as a validator puts it.
    probe = object.__new__(kind)
    where = f"{kind.__name__}.{attribute.alias}"
    hint = ' (or a text such as "30s")' if has_unit else ""
    hint = ' (by its name, "package.module:name")' if need is not None else hint

    def read(value: Any) -> Any:
        if nested is not None:
            wanted, kind_of_value = ((list, tuple), list[nested]) if is_array else (Mapping, nested)  # type: ignore[valid-type]  # known at run time
            if not isinstance(value, wanted):
                allowed = "an array of tables" if is_array else "a table"
                allowed += ", or false to leave it out" if is_optional else ""
                raise ConfigError.of("", value, allowed)
            return converter.structure(value, kind_of_value)
        if has_unit and isinstance(value, str):
            return to_seconds(value)
        if takes_text and isinstance(value, str) and not is_reference(value):
            # A text that the policy knows, such as "origin+path:1", or nothing at all.
            return value
        return value if need is None else _with_code(value, need)

    def judge(made: Any) -> Any:
        if attribute.converter is not None:
            convert: Any = attribute.converter
            made = convert(made)
        if attribute.validator is not None:
            attribute.validator(probe, attribute, made)
        return made

    def hook(value: Any, _: Any) -> Any:
        if is_optional and (value is None or value is False):
            return None
        made = read(value)
        try:
            return judge(made)
        except ConfigError as error:
            if is_collection:
                _blame_elements(made, judge, where, hint)
            if error.where != where:
                raise
            # As it stands in the file: what a name stands for may hold anything.
            allowed = _array_of(error, hint) if is_collection else f"{error.allowed}{hint}"
            raise ConfigError.of("", value, allowed) from None

    return hook


def _array_of(error: ConfigError, hint: str) -> str:
    """Return what a field allows that takes several, in words."""
    return f"an array of {_COLLECTED.sub('', error.allowed or '')}{hint}"


def _blame_elements(made: Any, judge: Callable[[Any], Any], where: str, hint: str) -> None:
    """Raise the errors of those elements of an array that are not allowed by themselves.

    Args:
        made: The array.
        judge: Judges an array, and raises `ConfigError`.
        where: The field; an error of another place is about the element itself.
        hint: Words to add to what the field allows.
    """
    errors: list[Exception] = []
    for place, each in enumerate(made if isinstance(made, list | tuple) else ()):
        try:
            judge([each])
        except ConfigError as error:
            is_of_field = error.where == where
            found = ElementError("", allowed=_array_of(error, hint)) if is_of_field else error
            _note_place(found, place)
            errors.append(found)
            if len(errors) == _MOST_BLAMED:
                break
    if errors:
        raise IterableValidationError("", errors, list)


def _note_place(error: Exception, place: int) -> None:
    error.add_note(IterableValidationNote("", place, list))


def _with_code(value: Any, need: Need) -> Any:
    """Import what a value names, alone or in a collection; leave anything else as it is."""
    if not isinstance(value, _COLLECTIONS):
        return _load(value, need)
    loaded: list[Any] = []
    errors: list[Exception] = []
    for place, each in enumerate(value):
        try:
            loaded.append(_load(each, need))
        except ConfigError as error:
            errors.append(error)
            if isinstance(value, list | tuple):
                _note_place(error, place)
    if errors:
        raise IterableValidationError("", errors, list)
    return loaded


def _load(value: Any, need: Need) -> Any:
    is_name = isinstance(value, str) and ":" in value
    return _code.get().load(value, need) if is_name else value
