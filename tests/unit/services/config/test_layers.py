"""`extends`: whose setting counts, where it comes from, and chains that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from resilient import BreakerPolicy, ConfigError, Policy, RetryPolicy, load_services
from resilient.services.config.configuration import read_configuration
from resilient.services.config.layers import Layer, layers, preset_names
from resilient.services.config.spelling import spelled
from tests.unit.services.config.problems import error, places

SHIPPED = ", ".join(sorted(preset_names()))


def tables(**members: Mapping[str, Any]) -> dict[str, Any]:
    """Services of these names, each with a URL of its own."""
    return {name: {"match": f"https://{name}.example", **own} for name, own in members.items()}


def policies(document: Mapping[str, Any]) -> dict[str, Policy]:
    return {each.name: each.policy for each in read_configuration(document).services}


def layer(document: Mapping[str, Any], name: str) -> Layer:
    return read_configuration(document).layers[name]


def retry(policy: Policy) -> RetryPolicy:
    assert policy.retry is not None
    return policy.retry


# Whose setting counts.


def test_its_own_setting_before_that_of_the_base_before_the_default() -> None:
    base = {"total_timeout": 50, "attempt_timeout": 5}
    found = policies({"services": tables(a=base, b={"extends": "a", "total_timeout": 60})})
    assert found["b"] == Policy(total_timeout=60, attempt_timeout=5)
    assert found["a"] == Policy(total_timeout=50, attempt_timeout=5)


def test_the_nearest_of_many_bases() -> None:
    found = policies(
        {
            "services": tables(
                c={"extends": "b", "retry": {"max_attempts": 7}},
                a={"extends": "p", "total_timeout": 40},
                b={"extends": "a", "total_timeout": 50, "retry": {"statuses": [503]}},
            ),
            "presets": {
                "p": {"total_timeout": 30, "attempt_timeout": 3, "retry": {"codes": ["x"]}}
            },
        }
    )
    assert found["c"] == Policy(
        total_timeout=50,
        attempt_timeout=3,
        retry=RetryPolicy(max_attempts=7, statuses=[503], codes=["x"]),
    )
    assert found["a"] == Policy(total_timeout=40, attempt_timeout=3, retry=RetryPolicy(codes=["x"]))


def test_a_shipped_preset() -> None:
    found = policies({"services": tables(a={"extends": "mavio", "retry": {"max_attempts": 2}})})
    assert retry(found["a"]).max_attempts == 2
    assert "validation_error" in retry(found["a"]).fatal_codes
    assert retry(found["a"]).backoff.jitter == "equal"


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_every_shipped_preset_is_right(name: str) -> None:
    assert list(policies({"services": tables(a={"extends": name})})) == ["a"]


def test_the_standard_preset_is_the_defaults() -> None:
    assert policies({"services": tables(a={"extends": "standard"})})["a"] == Policy()


def test_tables_are_merged_at_every_depth() -> None:
    found = policies(
        {
            "services": tables(
                a={"retry": {"max_attempts": 5, "backoff": {"base": 1, "cap": 9}}},
                b={
                    "extends": "a",
                    "retry": {"codes": ["x"], "backoff": {"cap": 8}, "judge": False, "budget": {}},
                },
            )
        }
    )
    assert retry(found["b"]).max_attempts == 5
    assert retry(found["b"]).codes == {"x"}
    assert (retry(found["b"]).backoff.base, retry(found["b"]).backoff.cap) == (1, 8)
    # The base keeps its own.
    assert retry(found["a"]).codes == frozenset()
    assert retry(found["a"]).backoff.cap == 9


def test_arrays_are_replaced() -> None:
    found = policies(
        {
            "services": tables(
                a={"errors": {"ignore": [404], "code_rules": [{"code": "x", "status": 400}]}},
                b={"extends": "a", "errors": {"ignore": [410]}},
                c={"extends": "a", "errors": {"code_rules": []}},
            )
        }
    )
    assert found["b"].errors is not None
    assert found["b"].errors.ignore == {410}
    assert [each.code for each in found["b"].errors.code_rules] == ["x"]
    assert found["c"].errors is not None
    assert found["c"].errors.ignore == {404}
    assert found["c"].errors.code_rules == ()


def test_false_over_a_table_leaves_the_part_out() -> None:
    found = policies(
        {"services": tables(a={"retry": {"max_attempts": 5}}, b={"extends": "a", "retry": False})}
    )
    assert found["b"] == Policy(retry=None)


def test_a_table_over_false_begins_with_the_defaults() -> None:
    found = policies(
        {
            "services": tables(
                a={"breaker": {"probes": 9}},
                b={"extends": "a", "breaker": False},
                c={"extends": "b", "breaker": {"observe": True}},
                d={"extends": "b"},
            )
        }
    )
    assert found["c"] == Policy(breaker=BreakerPolicy(observe=True))
    assert found["d"] == Policy(breaker=None)


def test_false_over_a_value_and_a_value_over_false() -> None:
    found = policies(
        {
            "services": tables(
                a={"total_timeout": 50},
                b={"extends": "a", "total_timeout": False},
                c={"extends": "b", "total_timeout": "60s"},
            )
        }
    )
    assert [found[name].total_timeout for name in "abc"] == [50, None, 60]


def test_facts_are_merged() -> None:
    read = read_configuration(
        {
            "presets": {"p": {"facts": {"a": 1, "deep": {"x": 1}}}},
            "services": tables(s={"extends": "p", "facts": {"b": 2, "deep": {"y": 2}}}),
        }
    )
    assert read.services[0].facts == {"a": 1, "b": 2, "deep": {"x": 1, "y": 2}}


def test_match_is_never_taken_over() -> None:
    document = {"services": {**tables(a={}), "b": {"extends": "a"}}}
    assert places(document) == ["services.b.match"]
    assert "must be given" in str(error(document))


# What a name stands for.


def test_a_service_of_the_name_of_a_preset_extends_that() -> None:
    found = policies({"services": tables(mavio={"extends": "mavio", "total_timeout": 50})})
    assert "validation_error" in retry(found["mavio"]).fatal_codes
    assert found["mavio"].total_timeout == 50


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_a_service_does_not_change_what_the_name_of_a_preset_means(name: str) -> None:
    """A name that a preset has means the preset; `services.NAME` means the service."""
    plain = policies({"services": tables(other={"extends": name})})["other"]
    document: dict[str, Any] = {
        "presets": {"p": {"extends": name}},
        "default": {"extends": name},
        "services": {
            **tables(other={"extends": name}, on_p={"extends": "p"}),
            **tables(**{name: {"extends": name, "total_timeout": 70, "retry": {"codes": ["x"]}}}),
            **tables(meant={"extends": f"services.{name}"}),
        },
    }
    read = read_configuration(document)
    found = {each.name: each.policy for each in read.services}
    assert found["other"] == found["on_p"] == read.default == plain
    assert found["meant"] == found[name]
    assert found["meant"].total_timeout == 70
    assert "x" in retry(found["meant"]).codes
    # Also where the service itself extends nothing.
    del document["services"][name]["extends"]
    found = policies(document)
    assert found["other"] == plain
    assert found["meant"] == Policy(total_timeout=70, retry=RetryPolicy(codes=["x"]))


def test_the_same_of_presets_of_the_file() -> None:
    document = {
        "presets": {"x": {"total_timeout": 50}},
        "services": tables(
            x={"extends": "x", "attempt_timeout": 5},
            y={"extends": "x"},
            z={"extends": "services.x"},
        ),
    }
    assert policies(document)["x"] == Policy(total_timeout=50, attempt_timeout=5)
    assert policies(document)["y"] == Policy(total_timeout=50)
    assert policies(document)["z"] == policies(document)["x"]


def test_any_service_may_be_written_in_full() -> None:
    document: dict[str, Any] = {
        "services": {
            **tables(a={"total_timeout": 50}, b={"extends": "services.a"}),
            # Whatever the names are.
            **tables(**{"services.a": {"total_timeout": 60}, "a.b": {"total_timeout": 70}}),
            **tables(c={"extends": "services.a.b"}, d={"extends": "services.services.a"}),
        },
        "default": {"extends": "services.a"},
    }
    for name, own in document["services"].items():
        own["match"] = f"https://s{list(document['services']).index(name)}.example"
    found = policies(document)
    assert [found[name].total_timeout for name in "bcd"] == [50, 70, 60]
    assert read_configuration(document).default == Policy(total_timeout=50)


@pytest.mark.parametrize("name", ["services.a", "services.nothing", "services.", "services.mavio"])
def test_a_service_in_full_that_is_none(name: str) -> None:
    document = {"services": tables(a={"extends": name})}
    assert places(document) == ["services.a.extends"]
    preset = {"presets": {"p": {"extends": "services.a"}}, "services": tables(a={})}
    assert places(preset) == ["presets.p.extends"]


def test_what_a_name_may_be_is_offered_in_full_where_that_matters() -> None:
    document = {"services": tables(a={"extends": "b"}, mavio={})}
    (found,) = error(document).problems
    assert str(found.allowed).startswith(
        f'the name of a preset or of another service: "services.mavio", {SHIPPED}'
    )


def test_a_preset_of_the_file_comes_before_one_of_the_package() -> None:
    document: dict[str, Any] = {
        "presets": {"mavio": {"total_timeout": 50}},
        "services": tables(a={"extends": "mavio"}),
    }
    assert policies(document)["a"] == Policy(total_timeout=50)
    document["presets"]["mavio"]["extends"] = "mavio"
    assert "validation_error" in retry(policies(document)["a"]).fatal_codes
    assert policies(document)["a"].total_timeout == 50


def test_presets_extend_presets_but_no_services() -> None:
    document: dict[str, Any] = {
        "presets": {"p": {"extends": "q", "total_timeout": 50}, "q": {"attempt_timeout": 5}},
        "services": tables(a={"extends": "p"}),
    }
    assert policies(document)["a"] == Policy(total_timeout=50, attempt_timeout=5)
    document["presets"]["q"]["extends"] = "a"
    (found,) = error(document).problems
    assert found.where == "presets.q.extends"
    assert found.allowed == f"the name of another preset: p, {SHIPPED}"


def test_the_default_extends_and_is_extended() -> None:
    document: dict[str, Any] = {
        "default": {"extends": "mavio", "total_timeout": 50},
        "services": tables(a={"extends": "default", "attempt_timeout": 5}),
    }
    read = read_configuration(document)
    assert read.default is not None
    assert read.default.total_timeout == 50
    assert retry(read.default) == retry(read.services[0].policy)
    assert read.services[0].policy.attempt_timeout == 5


def test_the_default_may_extend_a_service_whose_match_stays_its_own() -> None:
    document = {"default": {"extends": "a"}, "services": tables(a={"total_timeout": 50})}
    assert read_configuration(document).default == Policy(total_timeout=50)
    assert read_configuration(document).services[0].match == ("https://a.example",)


def test_a_preset_named_default() -> None:
    document: dict[str, Any] = {
        "presets": {"default": {"total_timeout": 50}},
        "default": {"extends": "default"},
        "services": tables(a={"extends": "default", "attempt_timeout": 5}),
    }
    assert read_configuration(document).default == Policy(total_timeout=50)
    assert policies(document)["a"] == Policy(total_timeout=50, attempt_timeout=5)
    del document["default"]
    assert policies(document)["a"] == Policy(total_timeout=50, attempt_timeout=5)


# What a name cannot stand for.


@pytest.mark.parametrize("name", ["nonsense", "", "a", "services.c", 3, False, ["mavio"], {"b": 1}])
def test_a_base_that_is_none(name: Any) -> None:
    # Nothing extends itself.
    document = {"services": tables(a={"extends": name}, b={})}
    (found,) = error(document).problems
    assert found.where == "services.a.extends"
    assert found.given == spelled(name)
    assert found.allowed == (f"the name of a preset or of another service: b, {SHIPPED}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("mavo", "mavio"), ("Standard", "standard"), ("bokings", "bookings"), ("b.c", '"b.cd"')],
)
def test_the_base_that_was_meant(name: str, meant: str) -> None:
    document = {"services": tables(a={"extends": name}, bookings={}) | {"b.cd": {"match": "x"}}}
    assert f"(did you mean {meant}?)" in str(error(document).problems[0])


def test_the_default_is_offered_if_there_is_one() -> None:
    document = {"services": tables(a={"extends": "defalt"})}
    assert "default" not in str(error(document))
    assert "(did you mean default?)" in str(error({**document, "default": {}}))


def test_many_slips_among_many_names() -> None:
    members = {f"service{place:03}": {"extends": f"servixe{place:03}"} for place in range(300)}
    found = error({"services": tables(**members)}).problems
    assert [each.where for each in found] == [f"services.{name}.extends" for name in members]
    # To look for what each was meant to be takes minutes among a thousand.
    assert "service001, service002, " in str(found[0])
    assert f"service020, ..., {SHIPPED} (did you mean service" in str(found[0])
    assert f'service019, ..., {SHIPPED}, not "servixe299"' in str(found[-1])


# Where a setting comes from.

DOCUMENT: Mapping[str, Any] = {
    "default": {"total_timeout": 70, "breaker": {"probes": 5}},
    "presets": {
        "p": {
            "extends": "mavio",
            "attempt_timeout": 5,
            "retry": {"max_attempts": 9},
            "breaker": {"probes": 9},
        }
    },
    "services": tables(
        a={
            "extends": "p",
            "total_timeout": 50,
            "retry": {"codes": ["x"], "backoff": {"cap": "9s"}},
            "breaker": False,
            "facts": {"x": 1},
        },
        b={"extends": "a", "breaker": {"observe": True}, "match": ["https://b.example"]},
        c={"extends": "default"},
    ),
}


@pytest.mark.parametrize(
    ("name", "key", "source"),
    [
        ("a", "total_timeout", "services.a"),
        ("a", "attempt_timeout", "presets.p"),
        ("a", "retry", "services.a"),
        ("a", "retry.codes", "services.a"),
        ("a", "retry.max_attempts", "presets.p"),
        ("a", "retry.fatal_codes", "preset.mavio"),
        ("a", "retry.backoff.cap", "services.a"),
        ("a", "retry.backoff.jitter", "preset.mavio"),
        ("a", "retry.backoff.options", None),
        ("a", "retry.heed_should_retry", None),
        ("a", "errors.parsers", "preset.mavio"),
        ("a", "breaker", "services.a"),
        ("a", "breaker.probes", None),
        ("a", "facts.x", "services.a"),
        ("a", "facts.error_format", "preset.mavio"),
        ("a", "match", "services.a"),
        ("b", "match", "services.b"),
        ("b", "total_timeout", "services.a"),
        ("b", "retry.max_attempts", "presets.p"),
        ("b", "breaker.observe", "services.b"),
        # `a` leaves the breaker out; what is set below that comes from nowhere.
        ("b", "breaker.probes", None),
        ("c", "breaker.probes", "default"),
        ("c", "breaker.observe", None),
        ("c", "match", "services.c"),
        ("default", "total_timeout", "default"),
        ("default", "match", None),
        ("default", "retry", None),
    ],
)
def test_where_a_setting_comes_from(name: str, key: str, source: str | None) -> None:
    found = layer(DOCUMENT, name).source(tuple(key.split(".")))
    assert (found and ".".join(found.path)) == source


def test_match_comes_from_nowhere_else() -> None:
    found, _ = layers({"services": {**tables(a={}), "b": {"extends": "a"}}})
    assert found["services", "b"].source(("match",)) is None


def test_parts_of_an_array_come_from_where_the_array_does() -> None:
    document = {
        "presets": {"p": {"errors": {"code_rules": [{"code": "x", "status": 400}]}}},
        "services": tables(a={"extends": "p", "errors": {"ignore": [404]}}),
    }
    found = layer(document, "a")
    for path in (("code_rules",), ("code_rules", 0), ("code_rules", 0, "status")):
        source = found.source(("errors", *path))
        assert source is not None
        assert source.path == ("presets", "p")


def test_the_bases_of_a_layer_nearest_first() -> None:
    found = [".".join(each.path) for each in layer(DOCUMENT, "b").bases]
    assert found == ["services.a", "presets.p", "preset.mavio"]
    assert list(layer(DOCUMENT, "default").bases) == []


def test_extends_is_no_setting() -> None:
    found = layer(DOCUMENT, "b")
    assert "extends" not in found.values
    assert "extends" not in found.own
    assert found.values["total_timeout"] == 50


def test_layers_come_after_what_they_extend() -> None:
    found, problems = layers(DOCUMENT)
    assert problems == []
    order = list(found)
    for each in found.values():
        assert all(order.index(base.path) < order.index(each.path) for base in each.bases)


# Chains.


def test_a_long_chain() -> None:
    members: dict[str, dict[str, Any]] = {
        f"s{place}": {"extends": f"s{place + 1}"} for place in range(2000)
    }
    members["s2000"] = {"total_timeout": 50}
    for document in (members, dict(reversed(members.items()))):
        found = policies({"services": tables(**document)})
        assert len(found) == 2001
        assert set(found.values()) == {Policy(total_timeout=50)}


@pytest.mark.parametrize(
    ("extends", "place", "way"),
    [
        ({"a": "b", "b": "a"}, "a", "a -> b -> a"),
        ({"a": "b", "b": "c", "c": "a"}, "a", "a -> b -> c -> a"),
        # What leads into a cycle is no part of it.
        ({"x": "b", "a": "b", "b": "a"}, "b", "b -> a -> b"),
        ({"x": "y", "y": "c", "c": "d", "d": "c", "z": "x"}, "c", "c -> d -> c"),
        ({"a b": "c.d", "c.d": "a b"}, '"a b"', '"a b" -> "c.d" -> "a b"'),
    ],
)
@pytest.mark.parametrize("group", ["services", "presets"])
def test_a_cycle_is_reported_once(
    extends: dict[str, str], place: str, way: str, group: str
) -> None:
    members = {
        name: {"extends": base} | ({"match": f"https://s{at}.example"} if group[0] == "s" else {})
        for at, (name, base) in enumerate(extends.items())
    }
    (found,) = error({group: members}).problems
    assert found.where == f"{group}.{place}.extends"
    assert found.allowed == f"something that does not lead back here ({way})"


def test_two_cycles_are_reported_each() -> None:
    members = tables(a={"extends": "b"}, b={"extends": "a"}, c={"extends": "d"}, d={"extends": "c"})
    assert places({"services": members}) == ["services.a.extends", "services.c.extends"]


def test_a_cycle_of_the_default() -> None:
    document = {"default": {"extends": "a"}, "services": tables(a={"extends": "default"})}
    assert places(document) == ["default.extends"]
    assert "(default -> a -> default)" in str(error(document))


def test_a_cycle_of_one() -> None:
    # Its own name is that of a preset, and there is none.
    for document in (
        {"services": tables(a={"extends": "a"})},
        {"presets": {"a": {"extends": "a"}}},
        {"default": {"extends": "default"}},
    ):
        (found,) = error(document).problems
        assert found.where is not None
        assert found.where.endswith(".extends")
        assert SHIPPED in str(found.allowed)


def test_a_long_cycle() -> None:
    members = {f"s{place}": {"extends": f"s{(place + 1) % 2000}"} for place in range(2000)}
    (found,) = error({"services": tables(**members)}).problems
    assert found.where == "services.s0.extends"
    assert "(s0 -> s1 -> " in str(found)
    assert " -> ... -> s0)" in str(found)
    assert len(str(found)) < 300


def test_what_is_wrong_besides_a_cycle_is_reported_with_it() -> None:
    members = tables(
        a={"extends": "b", "retry": {"x": 1}}, b={"extends": "a", "total_timeout": "x"}
    )
    found = places({"services": members})
    assert found == ["services.a.extends", "services.a.retry.x", "services.b.total_timeout"]


def test_a_table_that_is_none_cannot_be_extended() -> None:
    with pytest.raises(ConfigError) as caught:
        load_services({"services": {**tables(a={"extends": "b"}), "b": 3}})
    assert {each.where for each in caught.value.problems} == {"services.a.extends", "services.b"}
