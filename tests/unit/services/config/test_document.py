"""Files that cannot be read, and mappings that no file could be: a clear error, no traceback."""

from __future__ import annotations

import os
import sys
from collections import UserDict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from resilient import ConfigError, load_services
from resilient.services.config.document import read
from resilient.services.config.text import MAX_BYTES, MAX_DEPTH
from tests.unit.services.config.problems import error, places, service

VALID = b"[services.a]\nmatch = 'https://a.example'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "services.toml"


def refused(file: Path, content: bytes) -> str:
    """What is said of a file of this content, after its name."""
    file.write_bytes(content)
    found = error(file)
    assert found.file == str(file)
    assert found.problems == (found,)
    place = [str(each) for each in (file, found.line, found.column) if each is not None]
    label, separator, rest = str(found).partition(": ")
    assert (label, separator) == (":".join(place), ": ")
    return rest


def test_a_path_may_be_a_text_or_a_path(file: Path) -> None:
    class Elsewhere:
        def __fspath__(self) -> bytes:
            return os.fsencode(file)

    file.write_bytes(VALID)
    for source in (file, str(file), Elsewhere()):
        assert read(source).label == str(file)  # type: ignore[arg-type]  # bytes, as os.fsdecode takes
        assert list(load_services(source)) == ["a"]  # type: ignore[arg-type]  # as above


def test_a_mapping_has_no_label() -> None:
    document = read({"services": {}})
    assert document.label is None
    assert document.tables == {"services": {}}


@pytest.mark.parametrize("source", [None, 3, b"services.toml", ["services.toml"], object])
def test_anything_else_is_no_source(source: Any) -> None:
    assert "a file of services must be a path, or a mapping, not " in str(error(source))


def test_a_file_that_is_not_there(file: Path) -> None:
    found = error(file)
    assert str(found) == f"{file}: cannot be read: No such file or directory"
    assert found.file == str(file)
    assert isinstance(found.__cause__, FileNotFoundError)


def test_a_folder(tmp_path: Path) -> None:
    assert str(error(tmp_path)).startswith(f"{tmp_path}: cannot be read: ")


def test_a_file_without_permission(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> None:  # whoever runs this may read everything
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("resilient.services.config.text.open", refuse, raising=False)
    assert str(error(file)) == f"{file}: cannot be read: Permission denied"


@pytest.mark.parametrize("path", ["", "a\0b", "\udc80", "x" * 10_000])
def test_a_path_that_is_none(path: str) -> None:
    assert ": cannot be read: " in str(error(path))


def test_the_line_that_is_not_utf_8(file: Path) -> None:
    for content, line, column in (
        (VALID + b"# \xff\n", 3, 3),
        (VALID.decode().encode("utf-16"), 1, 1),
        ("# \ud800".encode(errors="surrogatepass"), 1, 3),
    ):
        assert refused(file, content) == "is not UTF-8"
        assert (error(file).line, error(file).column) == (line, column)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + VALID,
        VALID.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + VALID.replace(b"\n", b"\r\n"),
        VALID.rstrip(),
    ],
)
def test_what_editors_do_to_files(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    assert list(load_services(file)) == ["a"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file(content: bytes, file: Path) -> None:
    said = refused(file, content)
    assert said == "services must be given: a table such as [services.mavio]"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[services.a]\nmatch = \n", 2),
        (b"[services.a]\nmatch = 'x'\nmatch = 'y'\n", 3),
        (b"[services.a]\n[services.a]\n", 2),
        (b"a = 1\na.b = 2\n", 2),
        (b"services: {}\n", 1),
        (b'{"services": {}}\n', 1),
        (b"\n\n\x00", 3),
        (b"a = 1979-02-30\n", 1),
        (b"a = 00:00:61\n", 1),
        (b"[services.a]\rmatch = 'x'\r", 1),
    ],
)
def test_the_line_that_is_not_toml(content: bytes, line: int, file: Path) -> None:
    said = refused(file, content)
    assert said.startswith("is not valid TOML: ")
    assert " (at " not in said
    assert error(file).line == line


def test_a_file_that_is_cut_short(file: Path) -> None:
    whole = b"[services.a]\nmatch = ['https://a.example', \"b\"]\nretry = {max_attempts = 3}\n"
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        error(file)


def test_a_large_file(file: Path) -> None:
    assert refused(file, b"#" * 10_000_000) == "is larger than a file of services may be (2 MiB)"
    file.write_bytes(VALID + b"#" * (MAX_BYTES - len(VALID)))
    load_services(file)
    assert "is larger" in refused(file, VALID + b"#" * (MAX_BYTES - len(VALID) + 1))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_file_without_end() -> None:
    assert str(error("/dev/zero")).startswith("/dev/zero: is larger than ")


@pytest.mark.parametrize("digits", [b"9" * 5000, b"0x" + b"f" * 5000, b"9" * 4000, b"9" * 20])
@pytest.mark.parametrize(
    "key",
    [b"match", b"total_timeout", b"retry.max_attempts", b"extends", b"facts", b"x", b"facts.x"],
)
def test_an_integer_of_too_many_digits(digits: bytes, key: bytes, file: Path) -> None:
    said = refused(file, b"[services.a]\n" + key + b" = " + digits + b"\n")
    assert said.endswith("holds an integer of more than 64 bits")
    # Python does not read those of more than 4300 digits, and nobody knows the key then.
    if digits != b"9" * 5000:
        assert said.startswith(f"services.a.{key.decode()} ")
    assert len(said) < 200
    found = error(file)
    assert (found.line, found.column) == (2, len(key) + 4)


# What is longer cannot even be shown.
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**5000], ids=["above", "below", "far"])
def test_integers_end_where_those_of_toml_do(number: int) -> None:
    assert places(service(facts={"x": [{"y": number}]})) == ["services.a.facts.x[0].y"]
    inside = number - 1 if number > 0 else number + 1
    if abs(inside) < 2**64:
        load_services(service(facts={"x": [{"y": inside}]}))


DEEP = 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"x = " + b"[" * DEEP,
        b"x = " + b"[" * DEEP + b"]" * DEEP,
        b"x = " + b"{a = " * DEEP,
        b"[" + b".".join([b"x"] * DEEP) + b"]",
        b"[[" + b".".join([b"x"] * DEEP) + b"]]",
        b".".join([b"x"] * DEEP) + b" = 1",
        b"a = {" + b".".join([b"x"] * DEEP) + b" = 1}",
        b".".join([b"'x y'"] * DEEP) + b" = 1",
        b".".join([b'"="'] * DEEP) + b" = 1",
        b".".join([b"x"] * (MAX_DEPTH + 1)) + b" = 1",
        b"x = " + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
    ids=range(11),
)
def test_a_file_that_is_nested_too_deeply(content: bytes, file: Path) -> None:
    assert refused(file, content).endswith("is nested too deeply")


def test_the_line_of_a_key_of_too_many_parts(file: Path) -> None:
    key = b".".join([b"x"] * DEEP)
    assert refused(file, VALID + key + b" = 1\n") == "is nested too deeply"
    assert error(file).line == 3


def test_what_is_nested_as_deeply_as_may_be(file: Path) -> None:
    keys = ".".join(["x"] * (MAX_DEPTH - 3))
    file.write_bytes(VALID + f"facts.{keys} = [1]\n".encode())
    load_services(file)
    file.write_bytes(VALID + f"facts.{keys} = [[1]]\n".encode())
    assert str(error(file)) == f"{file}:3:1: services.a.facts is nested too deeply"


def test_many_dots_are_no_depth(file: Path) -> None:
    urls = ", ".join(f"'https://a{place}.b.c.example'" for place in range(500))
    dots = "." * 1000
    file.write_text(f"[services.a]\nmatch = [{urls}] # {dots}\nfacts.x = '{dots}'\n")
    assert len(load_services(file).services[0].match) == 500


@pytest.mark.parametrize(
    "key", [None, True, 1.5, b"a", ("a", "b"), 10**5000], ids=lambda it: type(it).__name__
)
def test_keys_that_are_no_texts(key: Any) -> None:
    kind = type(key).__name__
    for document, place in (
        ({key: {}, **service()}, "the top level"),
        ({"services": {key: {}}}, "services"),
        ({"presets": {key: {}, "b": {}}}, "presets"),
        ({"default": {key: 1, "x": 2}}, "default"),
        (service(x=1, retry={key: 1, "y": 2}), "services.a.retry"),
        (service(errors={"code_rules": [{key: 1}]}), "services.a.errors.code_rules[0]"),
        (service(facts={"a b": ([{key: 1}],)}), 'services.a.facts."a b"[0][0]'),
    ):
        found = error(document)
        assert str(found) == f"{place} must have texts for keys, not one of type {kind}"
        assert found.where == place


def test_all_keys_that_are_no_texts_are_named() -> None:
    document: Any = {"services": {1: {}}, "default": {2: 3}, 4: 5}
    found = error(document)
    assert {each.where for each in found.problems} == {"services", "default", "the top level"}


def loops() -> Iterator[Any]:
    array: list[Any] = []
    array.append(array)
    yield array
    table: dict[str, Any] = {}
    table["x"] = table
    yield table
    yield {"x": [table]}
    wide: list[Any] = []
    wide += [wide, wide]
    yield wide


@pytest.mark.parametrize(
    "key", ["match", "retry", "facts", "extends", "errors", "x", "total_timeout"]
)
def test_a_mapping_that_holds_itself(key: str) -> None:
    for value in loops():
        assert str(error(service(**{key: value}))) == f"services.a.{key} is nested too deeply"


def test_a_mapping_that_is_its_own_table() -> None:
    document: dict[str, Any] = {}
    document["services"] = document
    assert str(error(document)) == "services.services.services is nested too deeply"


def test_mappings_of_every_kind() -> None:
    table = MappingProxyType({"match": "https://a.example", "retry": UserDict({"max_attempts": 5})})
    services = load_services(UserDict({"services": UserDict({"a": table})}))
    policy = services["a"].policy
    assert policy is not None
    assert policy.retry is not None
    assert policy.retry.max_attempts == 5


def test_what_a_mapping_may_hold_that_a_file_may_not() -> None:
    def judge(request: object, outcome: object) -> bool:
        return True

    settings = {
        "total_timeout": None,
        "retry": {"judge": judge, "statuses": {502}, "codes": ("a",)},
        "errors": {"code_rules": ({"code": "a", "status": 400},)},
    }
    policy = load_services(service(**settings))["a"].policy
    assert policy is not None
    assert policy.retry is not None
    assert policy.errors is not None
    assert policy.total_timeout is None
    assert policy.retry.judge is judge
    assert policy.retry.statuses == {502}
    assert policy.errors.code_rules[0].status == 400


def test_dates_stay_as_they_are_in_facts(file: Path) -> None:
    file.write_bytes(VALID + b"facts = { day = 2030-01-02, at = 2030-01-02T03:04:05Z }\n")
    (found,) = load_services(file).services
    assert found.facts == {
        "day": date(2030, 1, 2),
        "at": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    }


def test_a_mapping_is_not_changed(file: Path) -> None:
    file.write_bytes(b"[services.a]\nmatch='x'\nextends='mavio'\nretry={x=1, max_attempts='y'}\n")
    tables = read(file).tables
    with pytest.raises(ConfigError):
        load_services(tables)
    assert tables == read(file).tables


def test_errors_of_a_document_pickle(file: Path) -> None:
    import pickle

    found = error(file)
    copied = pickle.loads(pickle.dumps(found))
    assert (str(copied), copied.file) == (str(found), str(file))
    assert sys.getrecursionlimit() > MAX_DEPTH * 4
