"""The most specific of many patterns that matches a URL, however many there are.

Exact origins come before wildcards, longer wildcards before shorter ones, and under each
the longest path prefix. So an origin is looked up as it is, then with each of its first labels
replaced by a wildcard, and that is remembered; then the path with fewer and fewer segments,
from as many as the longest prefix has.
"""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

from yarl import URL

from resilient.services.pattern import Pattern
from resilient.support.redact import origin_of

__all__ = ["Route", "Router"]

_T = TypeVar("_T")

# Origins whose patterns are remembered.
_MOST_ASKED: Final = 4096


class Route(NamedTuple, Generic[_T]):
    """A pattern, and what it leads to."""

    pattern: Pattern
    target: _T


class Router(Generic[_T]):
    """Patterns and what they lead to."""

    __slots__ = ("_asked", "_origins")

    def __init__(self) -> None:
        # By origin, as patterns write it.
        self._origins: dict[str, _Paths[_T]] = {}
        # What to look into for an origin that was asked for, the most specific first.
        self._asked: dict[str, tuple[_Paths[_T], ...]] = {}

    def add(self, pattern: Pattern, target: _T) -> _T | None:
        """Add a pattern; if it is there already, give back what it leads to and leave that."""
        self._asked.clear()
        for origin in pattern.origins:
            paths = self._origins.setdefault(origin, _Paths())
            taken = paths.add(pattern.path, Route(pattern, target))
            if taken is not None:
                return taken.target
        return None

    def find(self, url: URL) -> Route[_T] | None:
        """The route of the most specific pattern that matches."""
        origin = origin_of(url)
        asked = self._asked.get(origin)
        if asked is None:
            asked = self._ask(origin)
        for paths in asked:
            route = paths.find(url) if paths.prefixes else paths.whole
            if route is not None:
                return route
        return None

    def _ask(self, origin: str) -> tuple[_Paths[_T], ...]:
        if len(self._asked) >= _MOST_ASKED:
            # Somebody crawls hosts without end; those that matter come back.
            self._asked.clear()
        scheme, _, rest = origin.partition("://")
        # A wildcard origin is written as "*" and the rest of the host from a dot on.
        dots = (place for place, character in enumerate(rest) if character == ".")
        origins = (origin, *(f"{scheme}://*{rest[dot:]}" for dot in dots))
        found = tuple(self._origins[each] for each in origins if each in self._origins)
        self._asked[origin] = found
        return found


class _Paths(Generic[_T]):
    """The routes under one origin, by path prefix."""

    __slots__ = ("depth", "prefixes", "whole")

    def __init__(self) -> None:
        self.whole: Route[_T] | None = None
        self.prefixes: dict[str, Route[_T]] = {}
        # Segments of the longest prefix.
        self.depth = 0

    def add(self, path: str, route: Route[_T]) -> Route[_T] | None:
        """Add a route, or give back the one that is there."""
        if not path:
            if self.whole is None:
                self.whole = route
                return None
            return self.whole
        taken = self.prefixes.setdefault(path, route)
        self.depth = max(self.depth, path.count("/"))
        return None if taken is route else taken

    def find(self, url: URL) -> Route[_T] | None:
        """The route of the longest prefix."""
        # A path begins with a slash, so that its first part is empty.
        parts = url.raw_path.split("/", self.depth + 1)[: self.depth + 1]
        while len(parts) > 1:
            route = self.prefixes.get("/".join(parts))
            if route is not None:
                return route
            parts.pop()
        return self.whole
