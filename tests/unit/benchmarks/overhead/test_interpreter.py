"""The interpreter, and how it was built."""

from __future__ import annotations

import pytest

from benchmarks.overhead.interpreter import Interpreter, this_interpreter

PGO = "built with PGO and LTO"


@pytest.mark.parametrize(
    ("variables", "schemes", "built"),
    [
        ({}, (), (None, False, "")),
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto=full'"}, (), (True, True, "")),
        ({"CONFIG_ARGS": "'--enable-optimizations'"}, (), (True, False, "")),
        ({"PY_CORE_CFLAGS": "-O3 -fprofile-use -flto"}, (), (True, True, "")),
        ({"PY_CFLAGS_NODIST": "-fprofile-instr-use=code.profclangd"}, (), (True, False, "")),
        ({"PY_LDFLAGS_NODIST": "-flto=thin"}, (), (False, True, "")),
        ({"CONFIG_ARGS": None, "PY_CORE_CFLAGS": "-O3"}, ("venv",), (False, False, "")),
        # What Debian installs is the configuration of another build.
        (
            {"CONFIG_ARGS": "'--enable-shared'"},
            ("deb_system", "venv"),
            (True, True, "as Debian builds it"),
        ),
    ],
)
def test_how_it_was_built_is_found_in_the_configuration(
    variables: dict[str, object], schemes: tuple[str, ...], built: tuple[bool | None, bool, str]
) -> None:
    found = this_interpreter(variables.get, lambda: schemes)
    assert (found.pgo, found.lto, found.source) == built


def test_the_name_has_the_version() -> None:
    assert this_interpreter().name.partition(" ")[2][:2] == "3."


@pytest.mark.parametrize(
    ("interpreter", "said"),
    [
        (
            Interpreter("CPython 3.13.1", pgo=None, lto=False),
            "CPython 3.13.1, which does not say how it was built.",
        ),
        (Interpreter("CPython 3.13.1", pgo=True, lto=True), f"CPython 3.13.1, {PGO}."),
        (Interpreter("CPython 3.13.1", pgo=True, lto=False), "CPython 3.13.1, built with PGO."),
        (
            Interpreter("CPython 3.13.1", pgo=True, lto=True, source="as Debian builds it"),
            f"CPython 3.13.1, {PGO} (as Debian builds it).",
        ),
    ],
)
def test_how_it_was_built_is_said(interpreter: Interpreter, said: str) -> None:
    assert interpreter.describe() == said


@pytest.mark.parametrize(("lto", "said"), [(False, "without PGO or LTO"), (True, "but LTO")])
def test_one_without_profile_guided_optimisation_is_warned_of(lto: bool, said: str) -> None:
    warning = Interpreter("CPython 3.13.1", pgo=False, lto=lto).describe()
    assert warning.startswith("WARNING: CPython 3.13.1, built ")
    assert said in warning
