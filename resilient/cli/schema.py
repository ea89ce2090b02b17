"""Write a JSON Schema of the file of services, from which editors complete and check it.

It is made from the fields of the policies, as everything is that reads the file: their types, the
bounds of their validators, their defaults and their descriptions. It is a little wider than
`resilient check`: what several values have to be together, and patterns of URLs, it does not know.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from attrs import NOTHING, Attribute, Factory

from resilient.cli.plain import FACTS, plain
from resilient.envelopes.envelope import EnvelopeParser
from resilient.envelopes.formats.table import FORMATS
from resilient.pipeline.policy import Policy
from resilient.services.config.code import need_of
from resilient.services.config.document import INCLUDE
from resilient.services.config.durations import ALLOWED, PATTERN
from resilient.services.config.keys import KINDS, described, fields_of, is_duration, nested_kind
from resilient.services.config.layers import (
    DEFAULT,
    EXTENDS,
    MATCH,
    PRESETS,
    SERVICES,
    preset_names,
)
from resilient.support.validation import Seconds, bounds_of

__all__ = ["schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE: Final = {
    "type": "string",
    "pattern": r"^[^:]+:[^:]+$",
    "description": 'Code by its name, "package.module:name", which the program has to allow.',
}
_STATUS_RANGE: Final = {"type": "string", "pattern": "^[1-9][0-9]{2}-[1-9][0-9]{2}$"}
_LEFT_OUT: Final = {"const": False}


def schema() -> dict[str, Any]:
    """Return the schema, as JSON has it."""
    return {
        "$schema": _DIALECT,
        "title": "Services of resilient",
        "description": "Which policy the calls to each service are under.",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            INCLUDE: {
                "description": "Other files to take in: paths relative to this one, below the "
                "folder of the first.",
                "type": "array",
                "items": {"type": "string", "minLength": 1},
            },
            SERVICES: {
                "description": "The services, by their names.",
                "type": "object",
                "propertyNames": {"minLength": 1, "not": {"const": DEFAULT}},
                "additionalProperties": _ref("Service"),
            },
            PRESETS: {
                "description": "Settings to extend that are no service, by their names.",
                "type": "object",
                "additionalProperties": _ref("Settings"),
            },
            DEFAULT: {
                **_ref("Settings"),
                "description": "The settings for URLs that no service covers.",
            },
        },
        "$defs": {
            "Service": _table(Policy, _of_service(), required=[MATCH]),
            "Settings": _table(Policy, _of_any_table()),
            "Duration": {"type": "string", "pattern": PATTERN, "description": f"{ALLOWED}."},
            **{each.__name__: _table(each, {}) for each in KINDS if each is not Policy},
        },
    }


def _of_any_table() -> dict[str, Any]:
    """Return the keys of a table of settings that are no fields of a policy."""
    return {
        EXTENDS: {
            "description": "The preset, or the service (services.NAME), whose settings it takes "
            "where it has none of its own.",
            "anyOf": [{"enum": sorted(preset_names())}, {"type": "string"}],
        },
        FACTS: {
            "description": "Facts about the service that nothing acts on.",
            "type": "object",
        },
    }


def _of_service() -> dict[str, Any]:
    pattern = {"type": "string", "pattern": r"^\s*[Hh][Tt][Tt][Pp][Ss]?://"}
    return {
        MATCH: {
            "description": "A pattern of the URLs that it covers, or several: an origin, whose "
            "host may begin with a wildcard, and perhaps a path prefix.",
            "anyOf": [pattern, {"type": "array", "items": pattern, "minItems": 1}],
        },
        **_of_any_table(),
    }


def _table(
    kind: type[Any], others: Mapping[str, Any], required: list[str] | None = None
) -> dict[str, Any]:
    """Return the schema of the table that describes a policy.

    Args:
        kind: The class of the policy.
        others: The keys that it has besides.
        required: Those of them that have to be given.
    """
    words = described(kind)
    properties = dict(others)
    needed = list(required or ())
    for attribute in fields_of(kind):
        found = _field(attribute)
        if attribute.name in words:
            # Files know no None.
            found["description"] = words[attribute.name].replace("None", "false")
        if attribute.default is NOTHING:
            needed.append(attribute.name)
        elif nested_kind(attribute) is None and (value := _default(attribute)) is not NOTHING:
            found["default"] = plain(value)
        properties[attribute.name] = found
    made: dict[str, Any] = {
        "description": inspect.cleandoc(kind.__doc__ or "").partition("\n")[0],
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return {**made, "required": needed} if needed else made


def _default(attribute: Attribute[Any]) -> Any:
    default = attribute.default
    # attrs' Factory is a class, and a function to type checkers.
    if isinstance(default, cast("type[Any]", Factory)):
        made: Any = default
        return NOTHING if made.takes_self else made.factory()
    return default


def _field(attribute: Attribute[Any]) -> dict[str, Any]:
    """Return the schema of the values that a field takes."""
    kind: Any = attribute.type
    nested = nested_kind(attribute)
    bounds = bounds_of(attribute.validator)
    alternatives: list[dict[str, Any]] = []
    for each in _alternatives(kind):
        if each is NoneType:
            alternatives.append(_LEFT_OUT)
        elif nested is not None:
            one = _ref(nested.__name__)
            is_array = get_origin(each) is tuple
            alternatives.append({"type": "array", "items": one} if is_array else one)
        elif is_duration(attribute):
            alternatives += [{"type": "number", **bounds}, _ref("Duration")]
        else:
            alternatives += _value(each, bounds)
            if get_origin(each) is tuple and need_of(attribute) is not None:
                # Code that is named may stand alone.
                alternatives += _items(get_args(each)[0], bounds)
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if kind is Seconds or get_origin(kind) is Annotated:
        return (kind,)
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _value(kind: Any, bounds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the schemas of the values of a type."""
    origin = get_origin(kind)
    if kind is bool:
        return [{"type": "boolean"}]
    if kind is int:
        return [{"type": "integer", **bounds}]
    if kind is float:
        return [{"type": "number", **bounds}]
    if kind is str:
        return [{"type": "string"}]
    if kind is EnvelopeParser:
        return [{"enum": [*(each.name for each in FORMATS), "any"]}, _REFERENCE]
    if origin is Literal:
        return [{"enum": list(get_args(kind))}]
    if origin in (tuple, frozenset):
        return [_array(kind, bounds)]
    if origin is type or origin is Callable or getattr(kind, "_is_protocol", False):
        return [_REFERENCE]
    if origin is not None and issubclass(origin, Mapping):
        (_, inner) = get_args(kind)
        simple = inner is Any
        return [{"type": "object"} if simple else {
            "type": "object", "additionalProperties": _value(inner, {})[0]
        }]  # fmt: skip
    raise AssertionError(f"a file cannot give a {kind}")


def _array(kind: Any, bounds: Mapping[str, float]) -> dict[str, Any]:
    items = [one for each in get_args(kind) if each is not Ellipsis for one in _items(each, bounds)]
    return {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}


def _items(kind: Any, bounds: Mapping[str, float]) -> list[dict[str, Any]]:
    found = [one for each in _alternatives(kind) for one in _value(each, bounds)]
    # Sets of numbers are statuses, which may be given as ranges.
    return [*found, _STATUS_RANGE] if kind is int else found


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}
