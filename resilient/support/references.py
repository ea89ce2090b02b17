"""Import objects by name, "package.module:name", as files and entry points give them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec

from resilient.errors import ConfigError

__all__ = ["is_reference", "load_reference", "split_reference"]

FORM = '"package.module:name"'


def split_reference(text: str) -> tuple[str, list[str]]:
    """Return the module of a reference, and the names that lead from there to the object.

    No name begins with two underscores: those lead to what is behind a module or a class.

    Raises:
        ConfigError: It is no reference.
    """
    module, _, rest = text.partition(":")
    names = rest.split(".")
    for name in (*module.split("."), *names):
        if not name.isidentifier() or name.startswith("__"):
            raise ConfigError.of("a reference", text, FORM)
    return module, names


def is_reference(text: str) -> bool:
    """Return whether a text has the form of a reference."""
    try:
        split_reference(text)
    except ConfigError:
        return False
    return True


def load_reference(text: str, folder: str | None = None) -> object:
    """Import the object that a reference "package.module:name" names.

    That is running code: the module's, and that of the packages it is in. The name may be that
    of a class and of something in it, "package.module:Class.name", but does not lead through
    other objects, so that a module cannot be reached by the name of one that imports it.

    Args:
        text: The reference.
        folder: A folder to look into as well, after the places that the program imports from
            and before the working directory. A module in it must have a name of its own: if
            there is another one by that name, neither is taken.

    Raises:
        ConfigError: It is no reference, or what it names cannot be imported.
    """
    module, names = split_reference(text)
    try:
        with _looking_into(folder):
            _check_is_one(module.partition(".")[0], folder)
            return _follow(import_module(module), names)
    # Whatever a module raises when it is imported; a script may end in sys.exit().
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError.of("a reference", text, f"importable ({reason})") from error


@contextmanager
def _looking_into(folder: str | None) -> Iterator[None]:
    """Let modules be found in a folder too; leave `sys.path` as it was, whatever they do to it."""
    path, before = sys.path, [*sys.path]
    try:
        if folder is not None:
            # Not first, so that nothing there takes the place of what is installed.
            here = [each for each in before if _is_working_directory(each)]
            path[:] = [*(each for each in before if each not in here), folder, *here]
        yield
    finally:
        path[:] = before
        sys.path = path


def _is_working_directory(place: str) -> bool:
    try:
        return os.path.samefile(place or ".", ".")
    except (OSError, TypeError, ValueError):
        return False


def _check_is_one(name: str, folder: str | None) -> None:
    """Raise ImportError for a module that stands in the folder and somewhere else as well."""
    beside = None if folder is None else PathFinder.find_spec(name, [folder])
    if beside is None or beside.origin is None:  # a folder without __init__.py has no origin
        return
    taken = _spec(name)
    origin = None if taken is None else taken.origin
    if origin is None or os.path.realpath(origin) != os.path.realpath(beside.origin):
        raise ImportError(f"{name} is {beside.origin}, and also {origin or 'something else'}")


def _spec(name: str) -> ModuleSpec | None:
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    return find_spec(name)


def _follow(module: object, names: list[str]) -> object:
    found = module
    for name in names:
        if found is not module and not isinstance(found, type):
            raise AttributeError(f"{name!r} is in no module and in no class")
        found = getattr(found, name)
    return found
