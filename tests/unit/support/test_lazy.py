"""Names that are imported when they are first used, in every way that a package is run."""

from __future__ import annotations

import compileall
import copy
import importlib
import inspect
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import resilient
import resilient.testing

FACE = """
from typing import TYPE_CHECKING

from resilient.support.lazy import lazy_names

def by_way_of_another_function(package):
    return lazy_names(package)

if TYPE_CHECKING:
    from os import sep as sep
    from {package}.rooms import Second as Second, First as First
    from {package}.rooms.cellar import Third as Third
else:
    __getattr__, __dir__ = {function}(__name__)
"""
NAMES = ["First", "Second", "Third"]


def write_face(folder: Path, package: str, function: str = "lazy_names") -> None:
    rooms = folder / package / "rooms"
    rooms.mkdir(parents=True)
    face = FACE.format(package=package, function=function)
    (folder / package / "__init__.py").write_text(face)
    (rooms / "__init__.py").write_text("class First: ...\nclass Second: ...")
    (rooms / "cellar.py").write_text("class Third: ...")


@pytest.fixture(params=["lazy_names", "by_way_of_another_function"])
def face(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """A package with three names; in one case a tool has wrapped what finds them."""
    write_face(tmp_path, "a_face", request.param)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("a_face")
    for module in [name for name in sys.modules if name.partition(".")[0] == "a_face"]:
        del sys.modules[module]


def test_a_name_is_imported_when_it_is_first_used(face: ModuleType) -> None:
    assert "a_face.rooms" not in sys.modules
    assert face.Second.__module__ == "a_face.rooms"
    assert "a_face.rooms.cellar" not in sys.modules
    assert face.Third.__module__ == "a_face.rooms.cellar"
    assert vars(face)["Third"] is face.Third


def test_the_names_are_those_from_below_the_package_in_order(face: ModuleType) -> None:
    assert face.__all__ == NAMES
    assert set(NAMES) <= set(dir(face))
    face.__all__.clear()
    assert face.__all__ == NAMES


@pytest.mark.parametrize("name", ["sep", "Fourth", "rooms_", "__wrapped__", "__path_hooks__"])
def test_there_is_no_other_name(face: ModuleType, name: str) -> None:
    with pytest.raises(AttributeError, match=f"'a_face' has no attribute '{name}'"):
        getattr(face, name)
    with pytest.raises(ImportError, match=name):
        exec(f"from a_face import {name}", {})


PROGRAM = """
import a_face, sys
assert (sys.flags.optimize, a_face.__file__.rpartition(".")[2]) == ({optimize}, {suffix!r})
print(*a_face.__all__, a_face.Third.__name__)
"""


@pytest.mark.parametrize("optimize", [0, 1, 2])
@pytest.mark.parametrize("suffix", ["py", "pyc"])
def test_the_names_are_found_optimised_and_without_sources(
    tmp_path: Path, optimize: int, suffix: str
) -> None:
    write_face(tmp_path, "a_face")
    if suffix == "pyc":
        assert compileall.compile_dir(tmp_path, quiet=2, legacy=True, optimize=optimize)
        for source in tmp_path.rglob("*.py"):
            source.unlink()
    flags = ["-B", *["-O"] * optimize]
    program = PROGRAM.format(optimize=optimize, suffix=suffix)
    environment = {"PYTHONPATH": f"{tmp_path}:{Path(resilient.__file__).parents[1]}"}
    said = subprocess.check_output(
        [sys.executable, *flags, "-c", program], text=True, env=environment
    )
    assert said.split() == [*NAMES, "Third"]


# The two faces of ours, as tools see them.

both = pytest.mark.parametrize(
    "face", [resilient, resilient.testing], ids=lambda each: str(each.__name__)
)


@both
def test_a_star_takes_every_name_and_nothing_else(face: ModuleType) -> None:
    taken: dict[str, object] = {}
    exec(f"from {face.__name__} import *", taken)
    assert sorted(taken.keys() - {"__builtins__"}) == face.__all__


@both
def test_help_and_inspect_show_every_name(face: ModuleType) -> None:
    assert set(face.__all__) <= {name for name, _ in inspect.getmembers(face)}
    page = pydoc.plain(pydoc.render_doc(face))
    assert [name for name in face.__all__ if name not in page] == []


@both
def test_classes_are_pickled_and_copied_by_reference(face: ModuleType) -> None:
    classes = [each for name in face.__all__ if isinstance(each := getattr(face, name), type)]
    assert len(classes) > 20
    for each in classes:
        assert pickle.loads(pickle.dumps(each)) is copy.deepcopy(each) is each


@both
def test_a_face_can_be_reloaded(face: ModuleType) -> None:
    before = {name: getattr(face, name) for name in face.__all__}
    assert importlib.reload(face) is face
    assert {name: getattr(face, name) for name in face.__all__} == before


def test_in_a_program_of_nuitka_every_name_is_imported_at_once() -> None:
    """It leaves no bytecode to read names from, and marks the modules that it has compiled."""
    source = Path(resilient.__file__).read_text(encoding="utf-8")
    module: dict[str, object] = {"__name__": "resilient", "__compiled__": True}
    exec(compile(source, "resilient", "exec"), module)
    face: ModuleType = resilient
    for name in face.__all__:
        assert module[name] is getattr(resilient, name)
    assert "__getattr__" not in module
