"""Settings that come from several files, or from variables of the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from resilient import ConfigError, load_services
from resilient.services.config.configuration import read_configuration
from tests.unit.services.config.problems import service


def written(folder: Path, files: dict[str, str]) -> Path:
    """Write files, of which the first is the one to load."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder / next(iter(files))


def refused(source: Any, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_services(source, **options)
    return caught.value


A = "[services.a]\nmatch = 'https://a.example'\n"
B = "[services.b]\nmatch = 'https://b.example'\n"


def test_a_file_takes_in_others_of_its_tree(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "main.toml": f"include = ['shared.toml', 'team/b.toml']\n{A}extends = 'slow'\n",
            "shared.toml": "[presets.slow]\ntotal_timeout = 50\n[default]\ntotal_timeout = 5\n",
            # Relative to itself; by two ways to the same file.
            "team/b.toml": f"include = ['deep/c.toml']\n{B}extends = 'services.a'\n",
            "team/deep/c.toml": "",
        },
    )
    read = read_configuration(file)
    assert [(each.name, each.policy.total_timeout) for each in read.services] == [
        ("a", 50.0),
        ("b", 50.0),
    ]
    assert read.default is not None
    assert read.default.total_timeout == 5.0
    assert [os.path.relpath(each, tmp_path) for each in read.files] == [
        "main.toml",
        "shared.toml",
        os.path.join("team", "b.toml"),
        os.path.join("team", "deep", "c.toml"),
    ]


def test_two_ways_may_lead_to_the_same_file(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "main.toml": f"include = ['b.toml', 'c.toml', './c.toml']\n{A}",
            "b.toml": "include = ['c.toml']",
            "c.toml": B,
        },
    )
    assert list(load_services(file)) == ["a", "b"]


INCLUDES = [
    # (include, what is said of it, where)
    ("'x.toml'", "include must be an array of paths", "1:11"),
    ("[3]", "include[0] must be the path of a file", "1:12"),
    ("['ok.toml', '']", "include[1] must be the path of a file", "1:23"),
    ("['/etc/x.toml']", "a path relative to this file, not an absolute one", "1:12"),
    ("['C:\\x.toml']", "a path relative to this file, not an absolute one", "1:12"),
    ("['../x.toml']", 'a path below the folder of this file, without ".."', "1:12"),
    ("['ok/../ok.toml']", 'a path below the folder of this file, without ".."', "1:12"),
    ("['*.toml']", "patterns are not expanded, list the files", "1:12"),
    ("['none.toml']", "which cannot be read: No such file or directory", "1:12"),
    ("['away.toml']", "(a link leads out of it)", "1:12"),
    ("['main.toml']", "main.toml -> {folder}/main.toml)", "1:12"),
    ("['back.toml']", "main.toml -> {folder}/back.toml -> {folder}/main.toml)", "back.toml:1:12"),
    ("['twice.toml']", "a is defined twice, first at {folder}/main.toml:2:11", "twice.toml:2:11"),
    ("['same.toml']", "default is defined twice, first at {folder}/main.toml:4:2", "same.toml:1:2"),
    ("['bad.toml']", "services.b.retri is no known key (did you mean retry?)", "bad.toml:3:1"),
    ("['broken.toml']", "is not valid TOML: ", "broken.toml:1:4"),
    ("['deep.toml']", "services.b.retry is nested too deeply", "deep.toml:3:1"),
    ("['pipe']", "include[0] must be the path of a regular file", "1:12"),
]  # fmt: skip


@pytest.mark.parametrize(("include", "said", "where"), INCLUDES)
def test_what_may_not_be_included_is_refused_with_a_reason(
    include: str, said: str, where: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tree"
    file = written(
        folder,
        {
            "main.toml": f"include = {include}\n{A}[default]\n",
            "ok.toml": "",
            "back.toml": "include = ['main.toml']",
            "twice.toml": f"\n{A}",
            "same.toml": "[default]\n",
            "bad.toml": f"{B}retri = 1\n",
            "broken.toml": "x =",
            "deep.toml": f"{B}retry{'.x' * 60} = {'[' * 9}{']' * 9}\n",
        },
    )
    if include == "['pipe']":
        if not hasattr(os, "mkfifo"):
            return
        os.mkfifo(folder / "pipe")
    written(tmp_path, {"outside.toml": ""})
    (folder / "away.toml").symlink_to(tmp_path / "outside.toml")
    (found,) = refused(file).problems
    assert said.format(folder=folder) in str(found)
    home = where if "toml" in where else f"main.toml:{where}"
    assert str(found).startswith(f"{folder / home}: ")


def test_of_a_link_to_a_file_the_folder_of_that_counts(tmp_path: Path) -> None:
    # As a mounted ConfigMap is laid out.
    written(tmp_path / "..data_1", {"a.toml": f"include = ['b.toml']\n{A}", "b.toml": B})
    (tmp_path / "..data").symlink_to("..data_1")
    (tmp_path / "a.toml").symlink_to("..data/a.toml")
    (tmp_path / "b.toml").symlink_to("..data/b.toml")
    written(tmp_path / "elsewhere", {"x": ""})
    (tmp_path / "elsewhere" / "link.toml").symlink_to(tmp_path / "..data_1" / "a.toml")
    for file in (tmp_path / "a.toml", tmp_path / "elsewhere" / "link.toml"):
        assert list(load_services(file)) == ["a", "b"]


def test_a_mapping_includes_nothing() -> None:
    found = refused({"include": ["x.toml"]})
    assert "include is for files: a mapping is in no folder" in str(found)


# Variables.

FILE = {
    "services": {
        "my-api": {"match": "https://a.example", "retry": {"max_attempts": 3, "statuses": [503]}},
        "a": {"match": "https://b.example"},
        "a__b": {"match": "https://c.example", "extends": "services.a"},
        "x.1": {"match": "https://d.example"},
        "x-1": {"match": "https://e.example"},
    },
    "presets": {"mine": {}},
    "default": {"total_timeout": 5},
}


def loaded(variables: dict[str, Any]) -> Any:
    prefixed = {f"RESILIENT__{name}": value for name, value in variables.items()}
    return load_services(FILE, environ={"PATH": "/", "RESILIENT_OTHER": "1", **prefixed})


@pytest.mark.parametrize(
    ("variable", "value", "setting", "expected"),
    [
        ("SERVICES__MY_API__TOTAL_TIMEOUT", "20s", "my-api.total_timeout", 20.0),
        ("services__my_api__Total_Timeout", "20", "my-api.total_timeout", 20.0),
        ("SERVICES__MY_API__RETRY__MAX_ATTEMPTS", "7", "my-api.retry.max_attempts", 7),
        # Tables are merged, other values replaced.
        ("SERVICES__MY_API__RETRY", "{ max_attempts = 7 }", "my-api.retry.statuses", {503}),
        ("SERVICES__MY_API__RETRY__STATUSES", "[429]", "my-api.retry.statuses", {429}),
        ("SERVICES__MY_API__BREAKER", "false", "my-api.breaker", None),
        ("SERVICES__A__TOTAL_TIMEOUT", "9", "a.total_timeout", 9.0),
        # What extends a table has its settings, from wherever they come.
        ("SERVICES__A__TOTAL_TIMEOUT", "9", "a__b.total_timeout", 9.0),
        ("SERVICES__A__B__TOTAL_TIMEOUT", "9", "a__b.total_timeout", 9.0),
        ("SERVICES__A__B__EXTENDS", "standard", "a__b.total_timeout", 100.0),
        ("DEFAULT__TOTAL_TIMEOUT", "'250ms'", "default.total_timeout", 0.25),
        # A text with a line break is one value.
        ("SERVICES__A__THROTTLE__LIMIT", "300/min", "a.throttle.limit", "300/min"),
    ],
)
def test_a_variable_outranks_the_file(
    variable: str, value: str, setting: str, expected: object
) -> None:
    services = loaded({variable: value})
    name, *keys = setting.split(".")
    found: Any = services.default if name == "default" else services[name].policy
    for key in keys:
        found = getattr(found, key)
    assert found == expected or str(found) == expected


VARIABLES = [
    # (variables, what is said)
    ({"FOO": "1"}, "must begin with one of DEFAULT, PRESETS, SERVICES"),
    ({"SERVICE__A__X": "1"}, "(did you mean RESILIENT__SERVICES__…?)"),
    ({"SERVICES__MY_APO__RETRY": "1"}, "(did you mean RESILIENT__SERVICES__MY_API__RETRY?)"),
    ({"SERVICES__X_1__RETRY": "false"}, "may mean [services.x.1] and [services.x-1]"),
    ({"SERVICES__A": "1"}, "must be like RESILIENT__SERVICES__A__TOTAL_TIMEOUT"),
    ({"SERVICES__A____X": "1"}, "names no setting"),
    ({"PRESETS__MAVIO__RETRY": "false"}, "names no table of the file; of [presets] it has MINE"),
    (
        {"SERVICES__A__TOTAL_TIMOUT": "s3cret"},
        "services.a.total_timout is no known key (did you mean total_timeout?)",
    ),
    ({"SERVICES__A__TOTAL_TIMEOUT": "5 m"}, '(did you mean "5min"?), not "5 m"'),
    ({"SERVICES__A__RETRY__STATUSES": "[503, 3]"}, "services.a.retry.statuses[1] is 3, and"),
    ({"SERVICES__A__MATCH": "https://u:s3cret@x.example"}, 'not "https://…@x.example"'),
    ({"SERVICES__A__TOTAL_TIMEOUT": "5\nx = 1"}, 'not "5\\nx = 1"'),
    (
        {"SERVICES__A__RETRY": "false", "SERVICES__A__RETRY__MAX_ATTEMPTS": "2"},
        "sets what RESILIENT__SERVICES__A__RETRY sets too",
    ),
    ({"": "1"}, "must begin with one of DEFAULT, PRESETS, SERVICES"),
    ({"SERVICES": "1"}, "names no table of the file; of [services] it has A, A__B, MY_API"),
    ({"SERVICES__": "1"}, "names no table of the file"),
    ({"SERVICES__A__RETRY__MAX_ATTEMPTS": 3}, "must be a text, not an integer"),
    ({"__".join(["SERVICES__A", *["X"] * 10_000]): "1"}, "is nested too deeply"),
    ({"SERVICES__A__FACTS__X": str(2**64)}, "holds an integer of more than 64 bits"),
]


@pytest.mark.parametrize(("variables", "said"), VARIABLES)
def test_a_problem_in_a_variable_names_it(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(variables)
    found = [each for each in caught.value.problems if "a__b" not in str(each.where)]
    assert len(found) == 1
    assert said in str(found[0])
    name = f"RESILIENT__{[*variables][-1]}"
    assert str(found[0]).startswith(f"{name}: ")
    assert (found[0].variable, found[0].file) == (name, None)
    assert "s3cret" not in str(caught.value)


ODD_FILES = [
    # (the file, variable, what is said)
    ({"services": 5}, "SERVICES__A__RETRY", "changes a table [services.NAME], and the file has"),
    ({"services": "a"}, "SERVICES__A__RETRY", "changes a table [services.NAME], and the file has"),
    ({"services": ["a"]}, "SERVICES__A__RETRY", "changes a table [services.NAME], and the file"),
    ({"services": {"a": 5}}, "SERVICES__A__RETRY", "changes a table [services.NAME], and the file"),
    ({"presets": {"a": [{}]}}, "PRESETS__A__RETRY", "changes a table [presets.NAME], and the"),
    ({"default": 5}, "DEFAULT__RETRY", "changes [default], which the file does not have"),
    # In capitals a name may be longer; and it may have what some systems let a variable have.
    ({"services": {"straße": {}}}, "SERVICES__STRASSE__RETRY", 'services."straße".retry must be'),
    ({"services": {"straße": {}}}, "SERVICES__STRAßE__RETRY", 'services."straße".retry must be'),
    ({"services": {"ä.b": {}}}, "SERVICES__Ä_B__RETRY", 'services."ä.b".retry must be a table'),
    # A table in the place of another value is the variable's.
    ({"services": {"a": {"reset_headers": [{"name": "x"}]}}}, "SERVICES__A__RESET_HEADERS__0__NAME",
     "services.a.reset_headers must be an array of tables, not { 0 = { name ="),
    ({"services": {"a": {"total_timeout": 5}}}, "SERVICES__A__TOTAL_TIMEOUT__X",
     "services.a.total_timeout must be false or a positive"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "variable", "said"), ODD_FILES)
def test_a_variable_and_a_file_of_another_form(
    document: dict[str, Any], variable: str, said: str
) -> None:
    name = f"RESILIENT__{variable}"
    found = refused(document, environ={name: "[1]"}).problems
    assert [said in str(each) for each in found if each.variable == name] == [True]


def test_the_environment_counts_only_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESILIENT__SERVICES__A__TOTAL_TIMEOUT", "9")
    assert load_services(service())["a"].policy.total_timeout == 100.0  # type: ignore[union-attr]  # made from one
    found = load_services(service(), environ=True)["a"].policy
    assert found is not None
    assert found.total_timeout == 9.0
    assert "must be True, False, or a mapping" in str(refused(service(), environ="x"))
