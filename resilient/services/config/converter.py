"""The converter that reads tables: cattrs goes through them, the policies judge each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin

from attrs import Attribute, fields
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from resilient.errors import ConfigError
from resilient.retry import Backoff, RetryPolicy
from resilient.services.config.durations import to_seconds
from resilient.services.config.keys import KINDS, fields_of, is_duration, nested_kind
from resilient.support.references import load_reference

__all__ = ["converter"]

_Hook = Callable[[Any, Any], Any]

# Functions and classes, which a file can only name.
_REFERENCES: Final = frozenset(
    {(RetryPolicy, "judge"), (RetryPolicy, "exceptions"), (Backoff, "wait")}
)


@cache
def converter() -> Converter:
    """A converter for policies. What it raises names the keys in the notes of cattrs."""
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
    """Reads one value, and has the policy's own converter and validator judge it."""
    kinds = get_args(attribute.type) or (attribute.type,)
    is_optional = NoneType in kinds
    has_unit = is_duration(attribute)
    is_reference = (kind, attribute.name) in _REFERENCES
    is_array = get_origin(attribute.type) is tuple
    nested = nested_kind(attribute)
    # Whose field it is, as a validator puts it.
    probe = object.__new__(kind)
    where = f"{kind.__name__}.{attribute.alias}"
    hint = ' (or a text such as "30s")' if has_unit else ""
    hint = ' (by its name, "package.module:name")' if is_reference else hint

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
        return _referred(value) if is_reference else value

    def hook(value: Any, _: Any) -> Any:
        if is_optional and (value is None or value is False):
            return None
        made = read(value)
        convert: Any = attribute.converter
        if convert is not None:
            made = convert(made)
        if attribute.validator is not None:
            try:
                attribute.validator(probe, attribute, made)
            except ConfigError as error:
                if error.where != where:
                    raise
                # As it stands in the file: what a name stands for may hold anything.
                raise ConfigError.of("", value, f"{error.allowed}{hint}") from None
        return made

    return hook


def _referred(value: Any) -> Any:
    """References "package.module:name" as what they stand for; anything else as it is."""
    if isinstance(value, list | tuple):
        return [_referred(each) for each in value]
    return load_reference(value) if isinstance(value, str) and ":" in value else value
