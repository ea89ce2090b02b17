"""Import the public names of a package when they are first used (PEP 562).

A program that only catches an error, or a test run that only has the plugin loaded, need
not wait for the rest.

The names are listed once, where type checkers see them: in the imports of the package's
`if TYPE_CHECKING:` block. That block never runs, but it is compiled with the module, so that
its imports can be read from the module's code, also where no source is installed. (Type
checkers take the names of that form, `import NAME as NAME`, for public ones; they do not see
`__all__`.) The `__getattr__` stands in the `else:`, so that they report a misspelt name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import CodeType, FrameType
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of the package that calls this.

    Args:
        package: Its `__name__`.
    """
    code = _importing_code()
    homes: dict[str, str] | None = None

    def names() -> dict[str, str]:
        """Return the module that each public name comes from, by name."""
        nonlocal homes
        if homes is None:
            # Whole or not at all: another thread may ask meanwhile.
            homes = dict(sorted(_imports(code, package)))
        return homes

    def get(name: str) -> Any:
        if name == "__all__":
            return list(names())
        # Tools ask every module for names of this form.
        if name.startswith("__") or name not in names():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(names()[name]), name)
        # From now on it is found without asking here.
        setattr(sys.modules[package], name, value)
        return value

    def directory() -> list[str]:
        return sorted({*names(), *vars(sys.modules[package])})

    return get, directory


def _importing_code() -> CodeType:
    """Return the code of the module that is being imported, the innermost of them."""
    frame: FrameType | None = sys._getframe(1)
    # Not by counting: tools that wrap functions (beartype.claw) put frames of theirs between.
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    assert frame is not None, "called while a module is imported"
    return frame.f_code


def _imports(code: CodeType, package: str) -> Iterator[tuple[str, str]]:
    """Find the names that a module's code imports from below `package`, with their modules."""
    # Here and not above: `import resilient` alone imports nothing that Python has not.
    import dis

    module = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            module = str(instruction.argval)
        elif (
            instruction.opname == "IMPORT_FROM"
            and module.startswith(f"{package}.")
            and module != __name__
        ):
            yield str(instruction.argval), module
