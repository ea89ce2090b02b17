"""Code that a file names: whether that is allowed, and whether it is what a setting needs.

A file is data. Names of code in it ("package.module:name") are imported only if the program
allows that, since importing a module runs it. What a setting needs is found by the type of the
policy's field, so that a new field that takes a function needs no line here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from attrs import Attribute, define, field, frozen

from resilient.errors import ConfigError
from resilient.services.config.problems import NamedCodeError
from resilient.support.references import load_reference, split_reference

__all__ = ["Code", "Need", "need_of"]

_ALLOWED: Final = 'True, False, or the modules that may be named, such as ["my_package.rules"]'


@frozen
class Need:
    """Code that a setting needs.

    Attributes:
        words: What that is, in words.
        is_met_by: Tells whether an object is that.
    """

    words: str
    is_met_by: Callable[[object], bool]


@define
class Code:
    """Imports the code that a file names, as far as the program allows it.

    Attributes:
        modules: The modules whose names the file may use; None for any.
        folder: The folder that the file is in, to look for modules in; None if there is none.
        imported: The names that were imported, in their order, each once.
    """

    modules: frozenset[str] | None
    folder: str | None
    imported: dict[str, None] = field(factory=dict, init=False)

    @classmethod
    def allowed_by(cls, code: bool | Iterable[str], folder: str | None) -> Code:
        """Return what `load_services(..., code=code)` allows.

        Raises:
            ConfigError: `code` is neither a bool nor a collection of names of modules.
        """
        if isinstance(code, bool):
            return cls(None if code else frozenset(), folder)
        if not isinstance(code, list | tuple | set | frozenset):
            raise ConfigError.of("load_services.code", code, _ALLOWED)
        for each in code:
            if not isinstance(each, str) or not all(map(str.isidentifier, each.split("."))):
                raise ConfigError.of("load_services.code", each, _ALLOWED)
        return cls(frozenset(code), folder)

    def load(self, name: str, need: Need) -> object:
        """Import what a file names.

        Raises:
            ConfigError: It is not allowed, cannot be imported, or is not what is needed.
        """
        module, _ = split_reference(name)
        if self.modules is not None and module not in self.modules:
            raise NamedCodeError.of_module(name, module, self.modules)
        self.imported[name] = None
        found = load_reference(name, self.folder)
        if not need.is_met_by(found):
            raise ConfigError.of("a reference", name, f"the name of {need.words}")
        return found


def need_of(attribute: Attribute[Any]) -> Need | None:
    """Return what code a field of a policy takes, or None if it takes none."""
    return next(filter(None, map(_need, _alternatives(attribute.type))), None)


def _alternatives(kind: Any) -> Iterator[Any]:
    """Return the types that a type is made of, alone or several of them in a tuple."""
    if get_origin(kind) in (Union, UnionType, tuple):
        for each in get_args(kind):
            yield from _alternatives(each)
    else:
        yield kind


def _need(kind: Any) -> Need | None:
    if get_origin(kind) is type:
        (base,) = get_args(kind)
        words = f"a subclass of {base.__name__}"
        return Need(words, lambda it: isinstance(it, type) and issubclass(it, base))
    if get_origin(kind) is Callable:
        arguments, result = get_args(kind)
        if get_origin(result) in (Generator, Iterator):
            return Need("a generator function", inspect.isgeneratorfunction)
        return _function(len(arguments))
    if getattr(kind, "_is_protocol", False):
        # Without `self`.
        return _function(len(inspect.signature(kind.__call__).parameters) - 1)
    return None


def _function(count: int) -> Need:
    words = f"a plain (not async) function of {count} positional argument{'s' * (count != 1)}"
    return Need(words, lambda it: _is_plain(it) and _takes(it, count))


def _is_plain(found: object) -> bool:
    """Tell whether calling it does the work, and hands over nothing that has yet to run."""
    if not callable(found) or isinstance(found, type):
        return False
    runs_later = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    call = type(found).__call__
    return not any(each(it) for each in runs_later for it in (found, call))


def _takes(found: Any, count: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * count)
    except (TypeError, ValueError):  # ValueError: a built-in that does not say
        return False
    return True
