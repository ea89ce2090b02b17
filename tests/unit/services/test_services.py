"""`Services` as a mapping of names to pipelines, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from yarl import URL

from resilient import (
    AttemptTimeout,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Policy,
    Service,
    Services,
)
from tests.unit.services.support import FRAGILE, MAVIO, MEETERGO, two


def test_services_are_a_mapping_of_names_to_pipelines() -> None:
    services = two()
    assert isinstance(services, Mapping)
    assert list(services) == list(services.keys()) == ["mavio", "meetergo"]
    assert len(services) == 2
    assert "mavio" in services
    assert "other" not in services
    assert services.get("other") is None
    assert [name for name, _ in services.items()] == ["mavio", "meetergo"]
    for name, pipeline in services.items():
        assert isinstance(pipeline, Pipeline)
        assert services[name] is services.get(name) is pipeline
        assert pipeline in services.values()


def test_the_pipeline_of_a_service_is_made_from_its_policy_under_its_name() -> None:
    services = two()
    for name, pipeline in services.items():
        assert pipeline.policy is not None
        assert pipeline.policy.name == name
        assert pipeline.policy == FRAGILE.__class__(
            name=name, retry=FRAGILE.retry, breaker=FRAGILE.breaker
        )
    assert FRAGILE.name == "default"


def test_what_a_policy_leaves_out_its_pipeline_lacks() -> None:
    policy = Policy(retry=None, throttle=None, breaker=None, total_timeout=None)
    services = Services([Service("a", MAVIO, policy)])
    assert [type(each) for each in services["a"]] == [NormalizeErrors, AttemptTimeout]


@pytest.mark.parametrize(
    ("services", "says"),
    [
        (two(), "no service is named 'mavoi'; there are: mavio, meetergo"),
        (Services([]), "no service is named 'mavoi'; there are: none"),
    ],
)
def test_an_unknown_name_is_answered_with_those_there_are(services: Services, says: str) -> None:
    with pytest.raises(KeyError) as caught:
        services["mavoi"]
    assert caught.value.args == (says,)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("number", "shown"), [(20, 20), (21, 20), (500, 20)])
def test_of_many_names_the_first_are_shown(number: int, shown: int) -> None:
    services = Services([Service(f"s{each}", f"http://s{each}") for each in range(number)])
    with pytest.raises(KeyError) as caught:
        services["other"]
    for text in (str(caught.value), repr(services), services.summary()):
        assert f"s{shown - 1}" in text
        assert f"s{shown}" not in text
        assert ("…" in text) == (number > shown)
    assert len(str(services).splitlines()) == number + 1


def test_services_are_the_same_only_if_they_share_their_state() -> None:
    made = [Service("mavio", MAVIO)]
    one, other = Services(made), Services(made)
    assert one == one
    assert one != other
    assert one != dict(one)
    assert dict(one) != one
    assert len({one, other, one}) == 2
    assert hash(one) == hash(one)


@pytest.mark.parametrize("default", [None, Policy()])
def test_services_are_true_whatever_they_hold(default: Policy | None) -> None:
    for made in ([], [Service("mavio", MAVIO)]):
        services = Services(made, default=default)
        assert bool(services) is True
        assert len(services) == len(made)


def test_the_default_is_a_policy_and_its_pipeline_a_pipeline() -> None:
    policy = Policy(total_timeout=50)
    services = Services([], default=policy)
    assert services.default is policy
    assert services.default_pipeline is not None
    assert services.default_pipeline.policy == policy
    assert (Services([]).default, Services([]).default_pipeline) == (None, None)


def test_services_tell_what_they_were_made_from() -> None:
    made = [Service("mavio", MAVIO, FRAGILE), Service("meetergo", [MEETERGO, "http://m"], FRAGILE)]
    services = Services(iter(made))
    assert services.services == tuple(made)
    assert repr(services) == "<Services mavio, meetergo>"
    assert str(services) == services.describe()
    assert services.describe() == (
        f"mavio: {MAVIO}\nmeetergo: {MEETERGO}, http://m\nthe rest: left to aiohttp alone"
    )
    assert services.summary() == "mavio, meetergo; the rest: left to aiohttp alone"
    with_default = Services(made, default=Policy())
    assert with_default.describe().splitlines()[-1] == "the rest: the default"
    assert with_default.summary() == "mavio, meetergo; the rest: the default"


def test_an_order_with_services_says_which() -> None:
    pipeline = Pipeline.of(Deadline(5), two())
    assert str(pipeline).splitlines() == [
        "1. Deadline: 5 s for the whole call",
        "2. Services: mavio, meetergo; the rest: left to aiohttp alone",
    ]
    assert repr(pipeline) == "<Pipeline Deadline > Services>"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (MAVIO, "mavio"),
        (URL(MAVIO) / "v4", "mavio"),
        ("wss://api.mavio.example/live", "mavio"),
        (MEETERGO + "/v4?x=1", "meetergo"),
        ("https://other.example", None),
        ("http://api.mavio.example", None),
        ("/v4", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("default", [None, Policy()])
def test_route_tells_which_service_a_url_belongs_to(
    url: str | URL, name: str | None, default: Policy | None
) -> None:
    services = two(default=default)
    route = services.route(url)
    if name is None:
        assert route is None
    else:
        assert route is not None
        assert route.target.name == name
        assert route.target in services.services
        assert route.pattern in route.target.patterns


def test_route_tells_the_pattern_that_decided() -> None:
    services = Services(
        [
            Service("old", ["https://*.mavio.example", MAVIO + "/v3"], Policy(name="other")),
            Service("new", MAVIO, Policy(name="other")),
        ]
    )
    told = {
        path: services.route(MAVIO.replace("api", host) + path)
        for host, path in [("api", "/v3/x"), ("api", "/v4"), ("www", "")]
    }
    assert {
        path: route and (route.target.name, str(route.pattern)) for path, route in told.items()
    } == {
        "/v3/x": ("old", MAVIO + "/v3"),
        "/v4": ("new", MAVIO),
        "": ("old", "https://*.mavio.example"),
    }
