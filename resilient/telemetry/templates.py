"""Match paths with templates such as "/meetings/{id}": names of few values for many paths.

A `{name}` stands for exactly one segment. Of several templates that match, the one whose literal
segments come first wins: for "/meetings/next", "/meetings/next" before "/meetings/{id}". A path
that none matches has no template: a name that is made up from a path would be one of thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from yarl import URL

from resilient.errors import ConfigError

__all__ = ["Templates", "is_template", "problems_of"]

_PLACEHOLDER: Final = re.compile(r"\{[^{}/]+\}")

# The key of the branch for a placeholder, and of the template that ends at a node.
_ANY: Final = "{}"
_END: Final = ""


def problems_of(templates: Iterable[Any]) -> Iterator[ConfigError]:
    """Yield what is wrong with templates, one error for each."""
    seen: dict[tuple[str, ...], str] = {}
    for template in templates:
        words = _wrong(template)
        if words is not None:
            yield ConfigError.of("TelemetryPolicy.templates", template, words)
            continue
        shape = tuple(_segments(template))
        if shape in seen:
            words = f"apart from {seen[shape]!r}: they match the same paths"
            yield ConfigError.of("TelemetryPolicy.templates", template, words)
        seen.setdefault(shape, template)


def _wrong(template: Any) -> str | None:
    """Return what a template has to be if it is something else, else None."""
    if not isinstance(template, str) or not template.startswith("/"):
        return 'paths such as "/meetings/{id}"'
    if "?" in template or "#" in template:
        return "paths, without a query or a fragment"
    for segment in template.split("/"):
        if segment in (".", ".."):
            return "paths without . and .., which no request has"
        if ("{" in segment or "}" in segment) and not _PLACEHOLDER.fullmatch(segment):
            return "paths in which a {name} is a whole segment"
    return None


def is_template(value: object) -> bool:
    """Return whether a value is the template of a path."""
    return _wrong(value) is None


def _segments(template: str) -> Iterator[str]:
    """Yield the segments after the first slash as a request has them, placeholders alike."""
    for segment in template.split("/")[1:]:
        if _PLACEHOLDER.fullmatch(segment):
            yield _ANY
        else:
            # As yarl writes it in a request: "ü" as "%C3%BC", "%61" as "a".
            yield URL(f"http://x/{segment}").raw_path[1:]


class Templates:
    """Finds the template of a path.

    Args:
        templates: Those that there are; `problems_of` has found nothing wrong with them.
    """

    __slots__ = ("_tree",)

    def __init__(self, templates: Iterable[str]) -> None:
        self._tree: dict[str, Any] = {}
        for template in templates:
            node = self._tree
            for segment in _segments(template):
                node = node.setdefault(segment or "/", {})
            node[_END] = template

    def __bool__(self) -> bool:
        return bool(self._tree)

    def find(self, raw_path: str) -> str | None:
        """Return the template of a path, as it goes out in a request; None if none matches."""
        return self._find(self._tree, raw_path.split("/"), 1)

    def _find(self, node: dict[str, Any], segments: list[str], place: int) -> str | None:
        if place == len(segments):
            found: str | None = node.get(_END)
            return found
        segment = segments[place]
        # An empty segment (of "/a//b", "/a/") is one of its own, and no placeholder's.
        for key in (segment or "/", *([_ANY] if segment else [])):
            below = node.get(key)
            if below is not None:
                found = self._find(below, segments, place + 1)
                if found is not None:
                    return found
        return None
