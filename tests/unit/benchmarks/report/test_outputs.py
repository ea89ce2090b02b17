"""Where a report goes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks.report import outputs, pictures
from benchmarks.report.outputs import Outputs
from resilient import ConfigError
from tests.unit.benchmarks.report.samples import CHART, NASTY, REPORT, RESULT, report

MARKS = "a\r\n<!-- benchmarks:overhead -->\r\n<!-- /benchmarks:overhead -->\r\nb"


def test_everything_that_is_asked_for_is_written(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(MARKS.encode())
    wanted = Outputs(
        json=str(tmp_path / "r.json"),
        html=str(tmp_path / "r.html"),
        png=str(tmp_path / "png"),
        markdown=str(tmp_path / "r.md"),
        into=str(readme),
    )
    wanted.check()
    written = list(wanted.write(REPORT))
    picture = tmp_path / "png" / "overhead-goodput-over-time.png"
    assert written == [wanted.json, wanted.markdown, wanted.into, wanted.html, str(picture)]
    assert json.loads((tmp_path / "r.json").read_text())["version"] == 1
    assert "µs" in (tmp_path / "r.md").read_text("utf-8")
    assert "<svg" in (tmp_path / "r.html").read_text("utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")
    inserted = readme.read_bytes()
    assert inserted.startswith(b"a\r\n<!-- benchmarks:overhead -->\r\nRun again with ")
    assert inserted.endswith(b".\r\n<!-- /benchmarks:overhead -->\r\nb")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "README.md",
        "png",
        "r.html",
        "r.json",
        "r.md",
    ]


def test_nothing_is_written_unasked() -> None:
    assert not Outputs().are_asked_for
    Outputs().check()
    assert list(Outputs().write(REPORT)) == []


def test_pictures_of_any_title_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "as_png", lambda _: b"")
    charts = tuple(evolve(CHART, title=each) for each in ("時間", "../../x", "../../x", NASTY * 9))
    several = report(evolve(RESULT, charts=charts), evolve(RESULT, name="../a", charts=charts[:1]))
    list(Outputs(png=str(tmp_path)).write(several))
    names = sorted(each.name for each in tmp_path.iterdir())
    assert {"a.png", "overhead.png", "overhead-x.png", "overhead-x-2.png"} < {*names}
    assert len(names) == 5
    assert all(name.isascii() and len(name) < 100 for name in names)


@pytest.mark.parametrize("kind", ["json", "html", "markdown", "png"])
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


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [("html", "jinja2"), ("html", "matplotlib"), ("png", "matplotlib")],
)
def test_a_library_that_is_missing_is_noticed_beforehand(
    wanted: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(outputs, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(ModuleNotFoundError) as caught:
        Outputs(**{wanted: str(tmp_path / "x")}).check()
    assert caught.value.name == missing
    Outputs(json=str(tmp_path / "z"), markdown=str(tmp_path / "y")).check()


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
