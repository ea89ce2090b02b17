"""Files that a report is written to, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks.report import outputs, pictures
from benchmarks.report.outputs import Outputs, check_directory, check_file, write_atomically
from resilient import ConfigError
from tests.unit.benchmarks.report.samples import CHART, NASTY, REPORT, RESULT, report

MARKS = "a\r\n<!-- benchmarks:overhead -->\r\n<!-- /benchmarks:overhead -->\r\nb"


def test_everything_that_is_asked_for_is_written(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(MARKS.encode())
    wanted = Outputs(
        json=str(tmp_path / "r.json"),
        html=str(tmp_path / "r.html"),
        svg=str(tmp_path / "svg"),
        markdown=str(tmp_path / "r.md"),
        into=str(readme),
    )
    wanted.check()
    written = list(wanted.write(REPORT))
    picture = tmp_path / "svg" / "overhead-goodput-over-time.svg"
    assert written == [wanted.json, wanted.markdown, wanted.into, wanted.html, str(picture)]
    assert json.loads((tmp_path / "r.json").read_text())["version"] == 1
    assert "µs" in (tmp_path / "r.md").read_text("utf-8")
    assert "<svg" in (tmp_path / "r.html").read_text("utf-8")
    assert picture.read_text("utf-8").startswith("<svg xmlns")
    inserted = readme.read_bytes()
    assert inserted.startswith(b"a\r\n<!-- benchmarks:overhead -->\r\nRun again with ")
    assert inserted.endswith(b".\r\n<!-- /benchmarks:overhead -->\r\nb")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "README.md",
        "r.html",
        "r.json",
        "r.md",
        "svg",
    ]


def test_nothing_is_written_unasked() -> None:
    assert not Outputs().any_requested
    Outputs().check()
    assert list(Outputs().write(REPORT)) == []


def test_pictures_of_any_title_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "as_file", lambda _: "")
    charts = tuple(evolve(CHART, title=each) for each in ("時間", "../../x", "../../x", NASTY * 9))
    several = report(evolve(RESULT, charts=charts), evolve(RESULT, name="../a", charts=charts[:1]))
    list(Outputs(svg=str(tmp_path)).write(several))
    names = sorted(each.name for each in tmp_path.iterdir())
    assert {"a.svg", "overhead.svg", "overhead-x.svg", "overhead-x-2.svg"} < {*names}
    assert len(names) == 5
    assert all(name.isascii() and len(name) < 100 for name in names)


@pytest.mark.parametrize("kind", ["json", "html", "markdown", "svg"])
def test_what_cannot_be_written_is_refused_beforehand(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.x: cannot be written: No such file"):
        Outputs(**{kind: str(tmp_path / "missing" / "x")}).check()


def test_the_same_file_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="given twice"):
        Outputs(json=str(tmp_path / "x"), html=str(tmp_path / "." / "x")).check()


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), (b"\xff\xff", "is not UTF-8")]
)
def test_a_document_that_cannot_be_read_is_refused(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "README.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        Outputs(into=str(path)).check()


def test_a_library_that_is_missing_is_noticed_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError) as caught:
        Outputs(html=str(tmp_path / "x")).check()
    assert caught.value.name == "jinja2"
    Outputs(json=str(tmp_path / "z"), svg=str(tmp_path / "svg")).check()


def test_one_that_fails_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    wanted = Outputs(
        json=str(tmp_path / "gone" / "r.json"),
        into=str(tmp_path / "README.md"),
        markdown=str(tmp_path / "r.md"),
    )
    (tmp_path / "README.md").write_text("no marks")
    writing = wanted.write(REPORT)
    assert next(writing) == wanted.markdown
    with pytest.raises(ConfigError) as caught:
        next(writing)
    first, second = caught.value.problems
    assert "r.json: cannot be written" in str(first)
    assert "README.md: nothing can be inserted" in str(second)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_files_of_odd_names(tmp_path: Path) -> None:
    wanted = Outputs(json=str(tmp_path / "\udcff \x1b[31m\n|.json"))
    wanted.check()
    assert list(wanted.write(REPORT)) == [wanted.json]


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_what_was_there_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b"old, and longer")
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["r.json"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_was_there_stays_if_something_goes_wrong(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(error):
        write_atomically(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["r.json"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    check_file(str(path))
    write_atomically(str(path), b"x")
    assert names(tmp_path) == [path.name]


@POSIX
def test_a_link_keeps_pointing_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(str(link), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@POSIX
def test_a_device_stays_a_device() -> None:
    check_file(os.devnull)
    write_atomically(os.devnull, b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    check_file(str(path))
    assert names(tmp_path) == []
    path.write_bytes(b"old")
    check_file(str(path))
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["missing/r.json", "file/r.json", ".", "", "directory"])
def test_a_file_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "directory").mkdir()
    path = os.path.join(tmp_path, name)
    with pytest.raises(ConfigError) as caught:
        check_file(path)
    assert str(caught.value).startswith(f"{path}: cannot be written: ")
    assert "None" not in str(caught.value)


@POSIX
@pytest.mark.parametrize("name", ["r.json", "device"])
def test_what_may_not_be_written_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A superuser may do what permissions forbid, so it is the system that says no here.
    (tmp_path / "device").symlink_to(os.devnull)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=r"(?i)permission denied"):
        check_file(str(tmp_path / name))


def test_a_directory_is_made_if_only_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "pictures"
    check_directory(str(path))
    check_directory(str(path))
    assert names(path) == []


@pytest.mark.parametrize("name", ["missing/pictures", "file", "file/pictures"])
def test_a_directory_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be written"):
        check_directory(str(tmp_path / name))
