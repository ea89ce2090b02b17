"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from benchmarks.report.files import check_directory, check_file, write_whole
from resilient import ConfigError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_what_was_there_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b"old, and longer")
    write_whole(str(path), b"new")
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
        write_whole(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["r.json"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    check_file(str(path))
    write_whole(str(path), b"x")
    assert names(tmp_path) == [path.name]


@POSIX
def test_a_link_keeps_pointing_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(str(link), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@POSIX
def test_a_device_stays_a_device() -> None:
    check_file(os.devnull)
    write_whole(os.devnull, b"x")
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
