"""Write the parts of the reference that the code knows: a small extension of Sphinx.

A line `% generated: PART ARGUMENTS` in a page is replaced by what the function of that name in
`PARTS` returns, in Markdown, before the page is parsed. (To Markdown alone such a line is a
comment.) So no table of names, keys or defaults is kept by hand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import Any, Final, cast

import click
from attrs import NOTHING, Factory, fields, has
from opentelemetry.metrics import NoOpMeter, NoOpMeterProvider
from sphinx.domains.python import PyObject

import resilient
from resilient import Policy, Reason, errors
from resilient.cli.app import app
from resilient.cli.plain import in_words, plain
from resilient.cli.presets import read_presets
from resilient.clock import LoopBound
from resilient.core.guard import Guard
from resilient.core.statuses import in_words as statuses_in_words
from resilient.envelopes import FORMATS
from resilient.pipeline.standard import STANDARD
from resilient.services.config.keys import described, fields_of, is_duration, nested_kind
from resilient.telemetry.events import KINDS

__all__ = ["PARTS", "replaced", "setup"]

# Names of the protocols between our own parts.
_INNER: Final = {
    name for kind in (Guard, LoopBound) for name in vars(kind) if not name.startswith("_")
} - {"describe", "snapshot", "policy"}

_LINE: Final = re.compile(r"^% generated: ([\w-]+)(.*)$", re.M)


def first_sentence(thing: object) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].split())


def table(*rows: tuple[str, ...]) -> str:
    """Return a table in Markdown; the first row is its head."""
    head, *rest = rows
    lines = [head, ("---",) * len(head), *rest]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


# Names.


def names(package: str, *rooms: str) -> str:
    """Document the public names of a package whose modules are in certain rooms.

    Args:
        package: The package that exports them.
        *rooms: Modules; names from below these are taken. Without any, all that `resilient` has
            not.
    """
    elsewhere = () if package == "resilient" else dir(resilient)
    return "\n".join(
        _documented(package, name)
        for name in import_module(package).__all__
        if name not in elsewhere
        if not rooms or any(_is_in(package, name, room) for room in rooms)
    )


def _home(package: str, name: str) -> str:
    """Return the module that a public name comes from."""
    thing = getattr(import_module(package), name)
    home = str(getattr(thing, "__module__", ""))
    if home.startswith("resilient."):
        return home
    # An alias of a type belongs to the module that the package imports it from.
    source = inspect.getsource(import_module(package))
    for module, block in re.findall(r"from (\S+) import (\([^)]*\)|.*)", source):
        if re.search(rf"\b{name}\b", block):
            return str(module)
    return package


def _is_in(package: str, name: str, room: str) -> bool:
    home = _home(package, name)
    return home == room or home.startswith(f"{room}.")


def _documented(package: str, name: str) -> str:
    thing = getattr(import_module(package), name)
    options = ["   :members:"]
    if inspect.isroutine(thing):
        kind, options = "function", []
    elif not inspect.isclass(thing):
        return "\n".join(
            ["```{eval-rst}", f".. py:data:: {package}.{name}", "", f"   {said(thing)}", "```", ""]
        )
    elif issubclass(thing, Exception):
        kind = "exception"
        options += ["   :show-inheritance:"]
    else:
        kind = "class"
        # For those who write a guard or a middleware of ours, not for those who use one.
        options += [f"   :exclude-members: {', '.join(sorted(_INNER))}"]
    directive = [f".. auto{kind}:: {package}.{name}", *options]
    return "\n".join(["```{eval-rst}", *directive, "```", ""])


def said(thing: Any) -> str:
    """Say of a type or a constant what it is."""
    if not isinstance(thing, Collection):
        return f"The type ``{re.sub(r'[a-z_.]+[.](?=[A-Z])', '', str(thing))}``."
    if all(isinstance(each, str) for each in thing) and len(thing) <= 1:
        return f"``{thing!r}``"
    items = ", ".join(str(getattr(each, "name", each)) for each in thing)
    return f"{type(thing).__name__.capitalize()} of {len(thing)}: {items}."


def signature(_: object, what: str, __: str, thing: Any, *___: object) -> tuple[str, str] | None:
    """Return the signature of a class of attrs, whose own hides the defaults of its fields."""
    if what not in ("class", "exception") or not has(thing):
        return None
    known = {each.alias: each for each in fields(thing)}
    parameters = []
    for each in inspect.signature(thing).parameters.values():
        # Not the signature's own, which Sphinx has replaced by the words of generated code.
        default = each.default
        if default is not each.empty and each.name in known:
            default = _value(known[each.name])
            if default is NOTHING or len(repr(default)) > 40:
                default = _ELLIPSIS
        parameters.append(each.replace(default=default, annotation=each.empty))
    return str(inspect.Signature(parameters)), ""


class _Ellipsis:
    """Stands for a default that its description tells better."""

    def __repr__(self) -> str:
        return "..."


_ELLIPSIS: Final = _Ellipsis()


# Keys.


def keys() -> str:
    """Document every key of a service's table in a file."""
    return "\n\n".join(_tables(Policy, "", "A service"))


def _tables(kind: type[Any], prefix: str, title: str) -> Iterator[str]:
    texts = described(kind)
    rows = [("key", "default", "meaning")]
    nested = []
    for attribute in fields_of(kind):
        inner = nested_kind(attribute)
        default = "a table, see below" if inner else _default(attribute)
        if inner and _value(attribute) in (None, ()):
            default = "left out"
        rows.append((f"`{prefix}{attribute.name}`", default, texts[attribute.name]))
        if inner is not None:
            nested.append((inner, f"{prefix}{attribute.name}."))
    yield f"## {title}\n\n{first_sentence(kind)}\n\n{table(*rows)}"
    for inner, path in nested:
        yield from _tables(inner, path, f"`{path.rstrip('.')}`")


def _value(attribute: Any) -> Any:
    default = attribute.default
    # attrs' Factory is a class, and a function to type checkers.
    if isinstance(default, cast("type[Any]", Factory)):
        made: Any = default
        return NOTHING if made.takes_self else made.factory()
    return default


def _default(attribute: Any) -> str:
    value = _value(attribute)
    if value is NOTHING:
        return "required" if attribute.default is NOTHING else "by the others"
    if value is None:
        return "`false`"
    if is_duration(attribute):
        return f"{value:g} s"
    if attribute.type == frozenset[int]:
        return statuses_in_words(value)
    return in_words(plain(value)) or "none"


# Tables of what there is.


def reasons() -> str:
    """Document the reason codes, in the groups of their source."""
    found = []
    for line in inspect.getsource(Reason).splitlines()[2:]:
        if group := re.fullmatch(r"    # (.*)", line):
            found.append(f"\n### {group[1]} …\n\n| name | value | |\n| --- | --- | --- |")
        elif member := re.fullmatch(r'    (\w+) = "(\w+)"(?:  # (.*))?', line):
            name, value, words = member.groups(default="")
            found.append(f"| `{name}` | `{value}` | {words or value.replace('_', ' ')} |")
    return "\n".join(found)


def events() -> str:
    """List the kinds of events."""
    rows = [
        (f"`{kind}`", f"{{any}}`resilient.{each.__name__}`", first_sentence(each))
        for kind, each in KINDS.items()
    ]
    return table(("kind", "class", "told when"), *rows)


def metrics() -> str:
    """List the metrics, as they are made."""
    rows: list[tuple[str, str, str, str]] = [("metric", "kind", "unit", "meaning")]

    class Listing(NoOpMeter):
        """Notes what is made."""

        def __getattribute__(self, name: str) -> Any:
            kind = name.removeprefix("create_").replace("_", " ")
            if kind == name.replace("_", " "):
                return super().__getattribute__(name)

            def create(*given: Any, **_: Any) -> None:
                # Observable ones are given their callbacks before the unit.
                words = [each for each in given if isinstance(each, str)]
                rows.append((f"`{words[0]}`", kind, f"`{words[1]}`", words[2]))

            return create

    class Provider(NoOpMeterProvider):
        """Hands out the list."""

        def get_meter(self, *_: Any, **__: Any) -> Any:
            return Listing("resilient")

    resilient.Telemetry(meter_provider=Provider())
    return table(*rows)


def error_tree() -> str:
    """Draw the tree of exceptions."""
    tree = re.findall(r"^    (.*)$", inspect.cleandoc(errors.__doc__ or ""), re.M)
    return "\n".join(["```text", *tree, "```"])


def formats() -> str:
    """List the formats of error bodies."""
    rows = [
        (f"[{each.name}]({each.source})", each.kind, f"`{each.shape.replace('|', '¦')}`")
        for each in FORMATS
    ]
    return table(("format", "content", "shape"), *rows)


def presets() -> str:
    """Document every preset: what it sets, what is known, and its sources."""
    return "\n\n".join(_preset(each.name) for each in read_presets())


def _preset(name: str) -> str:
    (found,) = read_presets(name)
    rows = [(f"`{each.key}`", "<br>".join(each.shown)) for each in found.settings]
    known = {key: value for key, value in found.known.items() if key != "source"}
    source = found.known.get("source", [])
    sources = [f"<{each}>" for each in ([source] if isinstance(source, str) else source)]
    parts = [f"## {name}"]
    if rows:
        parts.append(table(("setting", "value"), *rows))
    else:
        parts.append("Sets nothing: it is the list of all keys with their defaults.")
    if known:
        facts = [(f"`{key}`", in_words(value)) for key, value in known.items()]
        parts.append("Known, and not acted on:\n\n" + table(("fact", "value"), *facts))
    if sources:
        parts.append("From " + ", ".join(sources) + ".")
    return "\n\n".join(parts)


def order() -> str:
    """Document the standard order, outermost first."""
    rows = [
        (f"{place}. {{any}}`resilient.{each.kind.__name__}`", f"`{each.field}`", each.reason)
        for place, each in enumerate(STANDARD, 1)
    ]
    return table(("part", "field of the policy", "why it stands there"), *rows)


def commands() -> str:
    """Document the commands with their own help."""
    found = []
    top = click.Context(app, info_name="resilient")
    for name in app.list_commands(top):
        command = app.get_command(top, name)
        assert command is not None, "it was listed"
        context = click.Context(
            command, info_name=name, parent=top, terminal_width=88, max_content_width=88
        )
        found.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(found)


def rules(module: str) -> str:
    """Take over the docstring of a module: its rules, each with its reason."""
    text = inspect.cleandoc(import_module(module).__doc__ or "")
    # An indented block is code in both markups; the docstrings use no other markup of their own.
    return text.partition("\n\n")[2]


PARTS: Final[dict[str, Callable[..., str]]] = {
    "names": names,
    "keys": keys,
    "reasons": reasons,
    "events": events,
    "metrics": metrics,
    "error-tree": error_tree,
    "formats": formats,
    "presets": presets,
    "order": order,
    "commands": commands,
    "rules": rules,
}


def replaced(text: str) -> str:
    """Return a page with its generated parts."""
    return _LINE.sub(lambda found: PARTS[found[1]](*found[2].split()), text)


def _read(_: object, __: str, source: list[str]) -> None:
    source[0] = replaced(source[0])


def _docstring(_: object, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    lines[:] = with_code(lines)


def _untyped(_: object, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """Give back to a property the words before a colon, which napoleon takes for its type."""
    for line in [each for each in lines if each.startswith(":type: ")]:
        lines.remove(line)
        lines[0] = f"{line.removeprefix(':type: ')}: {lines[0].lstrip()}"


def with_code(lines: list[str]) -> list[str]:
    """Mark the indented blocks of a docstring as code; reStructuredText takes them for quotes."""
    found: list[str] = []
    in_code = False
    before = ""  # the last line that is not empty
    for line in lines:
        indented = line.startswith("    ")
        if line and not indented:
            in_code = False
        elif indented and not in_code and found and not found[-1] and not before.startswith(" "):
            found += ["::", ""]
            in_code = True
        found.append(line)
        before = line or before
    return found


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension."""
    app.setup_extension("sphinx.ext.autodoc")
    for each in PyObject.doc_field_types:
        if each.name == "variable":
            each.label = "Attributes"
    app.connect("source-read", _read)
    app.connect("autodoc-process-signature", signature)
    # Before napoleon, which makes the sections of a docstring into markup.
    app.connect("autodoc-process-docstring", _docstring, priority=400)
    app.connect("autodoc-process-docstring", _untyped, priority=600)
    return {"parallel_read_safe": True}
