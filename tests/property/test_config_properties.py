"""Whatever a file holds, it loads as code would build it, or says what is wrong with it."""

from __future__ import annotations

import copy
import pickle
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from attrs import asdict
from hypothesis import assume, example, given, strategies as st

from resilient import BulkheadPolicy, ConfigError, Policy, Service, Services, load_services
from resilient.envelopes import resolve
from resilient.services.config import code
from resilient.services.config.configuration import Configuration, read_configuration
from resilient.services.config.durations import to_seconds
from resilient.services.config.keys import dotted_keys, fields_of, nested_kind
from resilient.services.config.positions import Positions
from tests.unit.services.config.settings import HERE, SETTINGS, always, steps
from tests.unit.services.config.toml import dumps

pytestmark = pytest.mark.slow


# Values of TOML.

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.sampled_from(
    [*dotted_keys(), "match", "extends", "facts", "services", "presets", "default", "name"]
)
WORDS = st.sampled_from(
    ["mavio", "a", "b", "p", "default", "30s", "5m", "https://a.example", "https://*.a.example",
     "https://user:pw@a.example", "flat", "expo", "os:getcwd", "nowhere:x", "builtins:KeyError"]
)  # fmt: skip
SCALARS = (
    st.booleans()
    | st.integers(-10, 1000)
    | st.integers()
    | st.floats()
    | st.dates()
    | st.times().map(lambda it: it.replace(fold=0))
    | st.datetimes().map(lambda it: it.replace(fold=0))
    | TEXTS
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS | TEXTS, VALUES, max_size=5)
NAMES = st.sampled_from(["a", "b", "c", "mavio", "default"]) | TEXTS
DOCUMENTS = (
    st.dictionaries(KEYS | TEXTS, VALUES, max_size=4)
    | st.fixed_dictionaries(
        {},
        optional={
            "services": st.dictionaries(NAMES, TABLES, max_size=4),
            "presets": st.dictionaries(NAMES, TABLES, max_size=3),
            "default": TABLES,
        },
    )
)  # fmt: skip


def load(source: Mapping[str, Any]) -> Configuration | ConfigError:
    """What a document comes to; nothing but these two."""
    try:
        read = read_configuration(source, code=True)
    except ConfigError as error:
        assert_clear(error)
        return error
    # What was read can be run.
    assert list(load_services(source, code=True)) == [each.name for each in read.services]
    return read


def assert_clear(error: ConfigError) -> None:
    said = [str(each) for each in error.problems]
    assert said
    # Two values of an array may be wrong in the same way.
    places = [each.where for each in error.problems if not str(each.where).endswith(".match")]
    keys = [(each.where, str(each)) for each in error.problems if each.where in places]
    assert len(set(keys)) == len(keys)
    assert "user:pw" not in str(error)
    for each in error.problems:
        assert each.where is None or str(each).startswith(f"{each.where} ")
        assert str(each).isprintable()
        assert len(str(each)) < 2000
    copied = pickle.loads(pickle.dumps(error))
    assert [str(each) for each in copied.problems] == said


def same(one: Configuration | ConfigError, other: Configuration | ConfigError) -> bool:
    if isinstance(one, ConfigError) or isinstance(other, ConfigError):
        return type(one) is type(other) and str(one) == str(other)
    return (one.services, one.default) == (other.services, other.default)


@given(DOCUMENTS)
def test_any_document_loads_or_says_what_is_wrong(document: dict[str, Any]) -> None:
    before = repr(document)
    load(document)
    assert repr(document) == before


def paths_of(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    yield above
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_of(each, *above, key)


@given(DOCUMENTS)
def test_every_key_of_a_document_has_its_position(document: dict[str, Any]) -> None:
    positions = Positions(dumps(document))
    assert [path for path in paths_of(document) if path not in positions] == []


@given(DOCUMENTS)
@example({"default": {"errors": {"parsers": {"os:getcwd"}}}})  # a mapping may hold a set
@example({"default": {"errors": {"parsers": [["os:getcwd"]]}}})
@example({"default": {"retry": {"backoff": {"wait": "subprocess:getoutput"}}}})
@example({"presets": {"p": {"retry": {"exceptions": ("builtins:KeyError",)}}}, "default": {}})
def test_without_permission_no_document_imports_anything(document: dict[str, Any]) -> None:
    with (
        patch.object(code, "load_reference") as ours,
        patch.object(resolve, "load_reference") as of_parsers,
    ):
        with suppress(ConfigError):
            load_services(document)
        with suppress(ConfigError):
            load_services(document, code=["no_such_package.rules"])
    assert not ours.called
    assert not of_parsers.called


# Every setting that there is, set to something right.


def whole(kind: type[Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for attribute in fields_of(kind):
        setting = SETTINGS[kind][attribute.name]
        nested = nested_kind(attribute)
        if nested is None:
            table |= {**setting.along, attribute.name: setting.right[0][0]}
        else:
            is_array = isinstance(setting.right[0][0], list)
            table[attribute.name] = [whole(nested)] if is_array else whole(nested)
    # Each is right by itself, but not all of them together.
    contradicting = {"fatal_codes": ["c"], "wait": f"{HERE}:steps", "total_timeout": 90}
    contradicting["max_concurrent"] = BulkheadPolicy().max_concurrent
    return table | {key: each for key, each in contradicting.items() if key in table}


WHOLE: dict[str, Any] = {
    "default": {"extends": "standard", "total_timeout": 70},
    "presets": {"p": {"extends": "mavio", "facts": {"x": [1]}}},
    "services": {
        "a": {"match": ["https://a.example", "https://*.a.example/v1"], **whole(Policy)},
        "b": {"match": "https://b.example", "extends": "a", "breaker": False},
        "c": {"match": "https://c.example", "extends": "p", "retry": {"max_attempts": 2}},
    },
}


def test_a_document_of_every_setting_is_right() -> None:
    assert isinstance(load(WHOLE), Configuration)


def containers(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values."""
    items: Any = []
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, each in items:
        yield (*above, key)
        yield from containers(each, (*above, key))


@st.composite
def mutated(draw: Callable[..., Any]) -> dict[str, Any]:
    """The document above, with up to four things done to it."""
    document = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 4))):
        paths = list(containers(document))
        if not paths:
            break
        *above, key = draw(st.sampled_from(paths))
        table: Any = document
        for each in above:
            table = table[each]
        match draw(st.sampled_from(["change", "drop", "rename", "add", "copy"])):
            case "change":
                table[key] = draw(VALUES)
            case "drop":
                del table[key]
            case "rename" if isinstance(table, dict):
                table[draw(KEYS | NAMES)] = table.pop(key)
            case "add" if isinstance(table, dict):
                table[draw(KEYS | NAMES)] = draw(VALUES)
            case "copy" if isinstance(table, dict):
                table[draw(KEYS | NAMES)] = copy.deepcopy(table[key])
            case _:
                table.append(draw(VALUES)) if isinstance(table, list) else None
    return document


@given(mutated())
def test_a_right_document_that_was_changed_loads_or_says_what_is_wrong(
    document: dict[str, Any],
) -> None:
    load(document)


@given(mutated() | DOCUMENTS)
def test_a_mapping_is_taken_as_its_file_is(document: dict[str, Any]) -> None:
    parsed = tomllib.loads(dumps(document))
    assert same(load(parsed), load(document))


@given(st.sampled_from(list(containers(WHOLE))), VALUES)
def test_one_wrong_value_is_at_fault_alone(path: tuple[Any, ...], value: object) -> None:
    document = copy.deepcopy(WHOLE)
    table: Any = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    found = load(document)
    if isinstance(found, ConfigError) and path[:2] == ("services", "c"):
        # Nothing extends it, so that nothing else can be wrong.
        for each in found.problems:
            assert str(each.where).startswith("services.c")


# Combinations of right settings.


@st.composite
def tables(draw: Callable[..., Any], kind: type[Any]) -> tuple[dict[str, Any], Callable[[], Any]]:
    """A table of some settings, and what builds the same in code."""
    table: dict[str, Any] = {}
    build: dict[str, Callable[[], Any]] = {}
    for attribute in fields_of(kind):
        key, setting = attribute.name, SETTINGS[kind][attribute.name]
        is_needed = key in ("code", "name", "form")
        if not is_needed and not draw(st.booleans()):
            continue
        nested = nested_kind(attribute)
        right = setting.right
        if nested is not None and draw(st.integers(0, 3)):
            if isinstance(right[0][0], list):
                inner = draw(st.lists(tables(nested), max_size=3))
                table[key] = [each for each, _ in inner]
                build[key] = partial(lambda inner: [each() for _, each in inner], inner)
            else:
                table[key], build[key] = draw(tables(nested))
        else:
            given, built = draw(st.sampled_from(right))
            table[key] = given
            build[key] = partial(lambda built: built, built)
            if key == "options" and given:
                table["wait"], build["wait"] = f"{HERE}:steps", lambda: steps
    return table, lambda: kind(**{key: each() for key, each in build.items()})


@given(tables(Policy), st.booleans())
def test_a_file_comes_to_what_code_builds(
    drawn: tuple[dict[str, Any], Callable[[], Policy]], in_a_preset: bool
) -> None:
    table, build = drawn
    match = {"match": "https://a.example"}
    document: dict[str, Any] = {"services": {"a": {**match, **table}}, "default": table}
    if in_a_preset:
        document = {
            "presets": {"p": table},
            "services": {"a": {**match, "extends": "p"}},
            "default": {"extends": "p"},
        }
    found = load(tomllib.loads(dumps(document)))
    expected = made(build)
    if isinstance(expected, ConfigError):
        assert isinstance(found, ConfigError)
        # Code stops at the first part that contradicts itself.
        said = {each.allowed for each in found.problems}
        assert {each.allowed for each in expected.problems} <= said
    else:
        assert isinstance(found, Configuration)
        assert found.default == found.services[0].policy == expected


def made(build: Callable[[], Policy]) -> Policy | ConfigError:
    try:
        return build()
    except ConfigError as error:
        return error


# There and back.


def dump(policy: Any) -> dict[str, Any]:
    """A policy as a table; what is the default is left out, as it gives way in silence."""
    table = {}
    for attribute in fields_of(type(policy)):
        value = getattr(policy, attribute.name)
        standard = getattr(Policy(), attribute.name) if type(policy) is Policy else None
        if type(policy).__name__ not in ("CodeRule", "ResetHeader"):
            standard = getattr(type(policy)(), attribute.name)
            if value == standard:
                continue
        table[attribute.name] = plain(value)
    return table


def plain(value: Any) -> Any:
    if value is None:
        return False
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    if hasattr(value, "__attrs_attrs__"):
        return dump(value)
    return value


@given(tables(Policy))
def test_a_policy_that_is_written_down_is_read_again(
    drawn: tuple[dict[str, Any], Callable[[], Policy]],
) -> None:
    policy = made(drawn[1])
    assume(isinstance(policy, Policy))
    assert isinstance(policy, Policy)
    document = {"services": {"a": {"match": "https://a.example", **dump(policy)}}}
    found = load(tomllib.loads(dumps(document)))
    assert isinstance(found, Configuration), found
    assert found.services == (Service("a", "https://a.example", policy),)
    assert asdict(found.services[0].policy) == asdict(policy)


def test_functions_are_written_down_by_name() -> None:
    # Else the test above would say nothing of them.
    assert plain(always) == f"{HERE}:always"
    (found,) = read_configuration(
        {"services": {"a": {"match": "https://a.example", "retry": {"judge": plain(always)}}}},
        code=True,
    ).services
    assert found.policy.retry is not None
    assert found.policy.retry.judge is always
    assert isinstance(Services([found])["a"].policy, Policy)


# Durations.

UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3600)}


@given(st.decimals(0, 10**9, places=6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
@example(Decimal("0.3"), "s", "")
def test_durations_are_what_they_say(number: Decimal, unit: str, gap: str) -> None:
    text = f"{number:f}"
    assert to_seconds(f"{text}{gap}{unit}") == pytest.approx(float(number * UNITS[unit]), rel=1e-15)
    if unit == "s":
        assert to_seconds(text + unit) == float(text)


@given(st.floats(0, 10**12).map(lambda each: round(each, 6)))
def test_seconds_that_are_written_down_are_read_again(seconds: float) -> None:
    text = f"{Decimal(repr(seconds)):f}"
    assert to_seconds(f"{text}s") == seconds


@given(TEXTS | st.from_regex(r"[0-9.,eE+-]{0,6} ?[a-zA-Zµ]{0,7}", fullmatch=True))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    try:
        seconds = to_seconds(text)
    except ConfigError:
        return
    number = text.strip().rstrip("minsh").rstrip()
    unit = text.strip()[len(number) :].strip()
    assert number.replace(".", "", 1).isdecimal()
    assert seconds >= 0
    assert seconds == pytest.approx(float(Decimal(number) * UNITS[unit]), rel=1e-15)
