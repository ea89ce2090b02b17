"""Describe the interpreter, and how it was built, on which the figures depend.

One built without profile-guided optimisation (PGO) and link-time optimisation (LTO), as pyenv
does by default, runs Python code half as quickly as those that people run, and C code as quickly:
so it is other ratios that come out, and not only other times.
"""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Callable

from attrs import frozen

__all__ = ["Interpreter", "this_interpreter"]

# The variables of the build in which options of configure and of the compiler are kept.
_OPTIONS = ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CFLAGS_NODIST", "PY_LDFLAGS_NODIST")
_PGO = ("--enable-optimizations", "-fprofile-use", "-fprofile-instr-use")
_LTO = ("--with-lto", "-flto")

# Debian and Ubuntu build an interpreter with both, and install the configuration of another
# build, without them. The scheme is their addition.
_DEBIAN = "deb_system"


@frozen
class Interpreter:
    """An interpreter.

    Attributes:
        name: The implementation and its version: "CPython 3.13.1".
        pgo: True if it was built with profile-guided optimisation; None if nothing says so or
            not, as on Windows.
        lto: True if it was built with link-time optimisation.
        source: The source of that, if it is not the configuration of the build.
    """

    name: str
    pgo: bool | None
    lto: bool
    source: str = ""

    def describe(self) -> str:
        """Return a sentence, with a warning in it if its figures are not those of others."""
        if self.pgo is None:
            return f"{self.name}, which does not say how it was built."
        built = [name for name, with_it in (("PGO", self.pgo), ("LTO", self.lto)) if with_it]
        source = self.source and f" ({self.source})"
        if self.pgo:
            return f"{self.name}, built with {' and '.join(built)}{source}."
        less = " but LTO" if self.lto else " or LTO"
        return (
            f"WARNING: {self.name}, built without PGO{less}: the interpreters that people run "
            "have other figures."
        )


def this_interpreter(
    variable: Callable[[str], object] = sysconfig.get_config_var,
    schemes: Callable[[], tuple[str, ...]] = sysconfig.get_scheme_names,
) -> Interpreter:
    """Describe the running interpreter.

    Args:
        variable: Returns a variable of the build by its name.
        schemes: Returns the names of the installation schemes.
    """
    name = f"{platform.python_implementation()} {platform.python_version()}"
    options = " ".join(str(variable(each) or "") for each in _OPTIONS)
    pgo = any(each in options for each in _PGO)
    lto = any(each in options for each in _LTO)
    if not pgo and _DEBIAN in schemes():
        return Interpreter(name, pgo=True, lto=True, source="as Debian builds it")
    return Interpreter(name, pgo=pgo if options.strip() else None, lto=lto)
