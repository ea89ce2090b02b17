"""Templates: the longest literal first, a {name} is one segment, no match is no template."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from resilient import ConfigError, TelemetryPolicy, override
from resilient.telemetry.templates import Templates

MATCHES = [
    # Templates, path, which of them.
    (["/meetings", "/meetings/{id}"], "/meetings", "/meetings"),
    (["/meetings", "/meetings/{id}"], "/meetings/7", "/meetings/{id}"),
    (["/meetings/{id}", "/meetings/next"], "/meetings/next", "/meetings/next"),
    (["/meetings/{id}/notes", "/meetings/next/{x}"], "/meetings/next/7", "/meetings/next/{x}"),
    # Where the literal leads nowhere, the placeholder is tried.
    (["/{a}/x", "/b/y"], "/b/x", "/{a}/x"),
    (["/meetings/{id}"], "/meetings/7/notes", None),
    (["/meetings/{id}"], "/meetings", None),
    (["/meetings/{id}"], "/meetings/", None),
    (["/meetings/{id}"], "/Meetings/7", None),
    (["/meetings"], "/meetings/", None),
    (["/meetings/"], "/meetings/", "/meetings/"),
    (["/"], "/", "/"),
    (["/"], "/x", None),
    (["/{x}"], "/", None),
    (["/a//b"], "/a//b", "/a//b"),
    (["/a/{x}/b"], "/a//b", None),
    (["/käse/{id}"], "/k%C3%A4se/7", "/käse/{id}"),
    (["/k%C3%A4se"], "/käse", "/k%C3%A4se"),
    (["/a b"], "/a%20b", "/a b"),
    (["/x:y/{id}"], "/x:y/a%2Fb", "/x:y/{id}"),
    ([], "/x", None),
]


@pytest.mark.parametrize(("templates", "path", "expected"), MATCHES)
def test_a_path_has_the_template_that_fits_best(
    templates: list[str], path: str, expected: str | None
) -> None:
    for order in (templates, templates[::-1]):
        made = Templates(TelemetryPolicy(templates=order).templates)
        assert made.find(URL(f"http://x{path}").raw_path) == expected
        assert bool(made) is bool(templates)


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ([""], "paths such as"),
        (["meetings"], "must be paths such as \"/meetings/{id}\", not 'meetings'"),
        ([5], "paths such as"),
        (["https://api.example/x"], "paths such as"),
        (["/x?y=1"], "without a query"),
        (["/x#y"], "without a query"),
        (["/a/../b"], "without . and .."),
        (["/./a"], "without . and .."),
        (["/files/{name}.json"], "a whole segment"),
        (["/{}"], "a whole segment"),
        (["/{a}{b}"], "a whole segment"),
        (["/{a"], "a whole segment"),
        (["/a}"], "a whole segment"),
        (["/m/{id}", "/m/{name}"], "apart from '/m/{id}': they match the same paths"),
        (["/m", "/m"], "apart from '/m'"),
        (["/%61", "/a"], "apart from '/%61'"),
        ("/meetings", "paths such as"),
        ({"/x": 1}, "paths such as"),
    ],
)
def test_templates_that_make_no_sense_are_refused(templates: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TelemetryPolicy(templates=templates)
    assert words in str(caught.value)
    assert "TelemetryPolicy.templates" in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        TelemetryPolicy(templates=["x", "/{a}b", "/m/{id}", "/m/{x}"])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("value", ["meetings", "", 5, "/x?y", "/{a}b"])
def test_a_template_of_one_call_is_judged_alike(value: Any) -> None:
    with pytest.raises(ConfigError, match="url_template must be None or a path such as"):
        override(url_template=value)


def test_many_templates_take_no_longer_to_search() -> None:
    wide = Templates(TelemetryPolicy(templates=[f"/a/{n}/{{x}}" for n in range(2000)]).templates)
    assert wide.find("/a/1999/z") == "/a/1999/{x}"


def test_a_path_cannot_make_the_search_long() -> None:
    deep = [
        f"/{'/'.join(['{x}' if bit == '1' else 'a' for bit in f'{n:08b}'])}" for n in range(256)
    ]
    made = Templates(TelemetryPolicy(templates=deep).templates)
    assert made.find("/" + "/".join(["a"] * 8)) == "/" + "/".join(["a"] * 8)
    assert made.find("/" + "/".join(["a"] * 9)) is None
    assert made.find("/a" * 100_000) is None
