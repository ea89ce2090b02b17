"""Find the most specific of many patterns that matches a URL, however many there are.

Exact origins come before wildcards, longer wildcards before shorter ones, and under each the
longest path prefix. So an origin is looked up as it is, then with each of its first labels
replaced by a wildcard, and the result is remembered; then the path by as many
of its first segments as some prefix has, the longest first.

Patterns are kept in the normal form of URLs, which is what `yarl` makes of a text. A request
may have another form of the same URL: made with `URL(..., encoded=True)`, or a redirect that is
not requoted. An origin is brought into its normal form when it is first asked for, a path only
if it looks as if it were in another form, so that usual URLs do not pay for the others.
"""

from __future__ import annotations

import re
from typing import Final, Generic, NamedTuple, TypeVar

from yarl import URL

from resilient.services.pattern import Pattern
from resilient.support.redact import origin_of

__all__ = ["Route", "Router"]

_T = TypeVar("_T")

# Origins whose patterns are remembered.
_MOST_ASKED: Final = 4096

# An escape in a path that the normal form writes in another way: of a character that needs none
# (%61 for a), or in lower case (%2f). It may find too much, which only costs time.
_ODD_ESCAPE: Final = re.compile(r"%(?!2[0235BF]|[0189A-F][0-9A-F]|3[CEF]|5[B-E]|60|7[BCDF])").search
_DOT_SEGMENT: Final = re.compile(r"/\.{1,2}(?:/|\Z)").search
# Characters that the normal form of a path escapes.
_ODD_CHARACTER: Final = re.compile(r"[^!$-;=@-Z_a-z~]").search


class Route(NamedTuple, Generic[_T]):
    """A pattern, and the target that it leads to."""

    pattern: Pattern
    target: _T


class Router(Generic[_T]):
    """Patterns and their targets."""

    __slots__ = ("_asked", "_origins")

    def __init__(self) -> None:
        # By origin, as patterns write it.
        self._origins: dict[str, _Paths[_T]] = {}
        # By scheme, host and port of a URL that was asked for: where to look, the most
        # specific first.
        self._asked: dict[tuple[str, str | None], tuple[_Paths[_T], ...]] = {}

    def add(self, pattern: Pattern, target: _T) -> _T | None:
        """Add a pattern; if it is there already, leave it and return its target."""
        self._asked.clear()
        for origin in pattern.origins:
            paths = self._origins.setdefault(origin, _Paths())
            taken = paths.add(pattern.path, Route(pattern, target))
            if taken is not None:
                return taken.target
        return None

    def find(self, url: URL) -> Route[_T] | None:
        """Return the route of the most specific pattern that matches, or None."""
        # aiohttp has asked the URL for the same part, and URLs remember. A tuple and not a text:
        # texts that are made anew have to be hashed anew.
        try:
            place = url.scheme, url.host_port_subcomponent
        except IndexError:
            return None  # yarl 1.25, of a URL whose host is an empty text: "//:"
        asked = self._asked.get(place)
        if asked is None:
            asked = self._ask(place, url)
        for paths in asked:
            route = paths.find(url) if paths.prefixes else paths.whole
            if route is not None:
                return route
        return None

    def _ask(self, place: tuple[str, str | None], url: URL) -> tuple[_Paths[_T], ...]:
        if len(self._asked) >= _MOST_ASKED:
            # Somebody crawls hosts without end; those that matter come back.
            self._asked.clear()
        scheme, _, rest = _usual_origin(url).partition("://")
        # A wildcard origin is written as "*" and the rest of the host from a dot on.
        dots = (place for place, character in enumerate(rest) if character == ".")
        origins = (f"{scheme}://{rest}", *(f"{scheme}://*{rest[dot:]}" for dot in dots))
        found = tuple(self._origins[each] for each in origins if each in self._origins)
        self._asked[place] = found
        return found


class _Paths(Generic[_T]):
    """The routes under one origin, by path prefix."""

    __slots__ = ("depths", "is_escaped", "prefixes", "whole")

    def __init__(self) -> None:
        self.whole: Route[_T] | None = None
        self.prefixes: dict[str, Route[_T]] = {}
        # How many segments prefixes have, the most first.
        self.depths: list[int] = []
        # Some prefix has an escape in it.
        self.is_escaped = False

    def add(self, path: str, route: Route[_T]) -> Route[_T] | None:
        """Add a route, or return the one that is there."""
        if not path:
            if self.whole is None:
                self.whole = route
                return None
            return self.whole
        taken = self.prefixes.setdefault(path, route)
        self.depths = sorted({*self.depths, path.count("/")}, reverse=True)
        self.is_escaped = self.is_escaped or "%" in path
        return None if taken is route else taken

    def find(self, url: URL) -> Route[_T] | None:
        """Return the route of the longest prefix, else that of the whole origin, or None."""
        path = url.raw_path
        if (
            # An escaped dot, which may be part of a dot segment.
            ("%" in path and ("%2e" in path or "%2E" in path))
            or ("/." in path and _DOT_SEGMENT(path))
            or (self.is_escaped and _ODD_CHARACTER(path))
        ):
            path = _usual_path(path)
        prefixes = self.prefixes
        for depth in self.depths:
            # A path begins with a slash.
            if depth == 1:
                end = path.find("/", 1)
                head = path if end < 0 else path[:end]
            else:
                parts = path.split("/", depth + 1)
                if len(parts) > depth + 1:
                    parts.pop()
                head = "/".join(parts)
            route = prefixes.get(head)
            # Other odd escapes change no slashes, and matter only here.
            if route is None and "%" in head and _ODD_ESCAPE(head):
                route = prefixes.get(_usual_path(head))
            if route is not None:
                return route
        return self.whole


def _usual_origin(url: URL) -> str:
    """Return the origin of a URL in its normal form, as patterns have it; "" if it has none."""
    if not url.raw_host:
        return ""
    origin = origin_of(url)
    try:
        return origin_of(URL(origin))
    except ValueError:
        # No host that a pattern could have.
        return origin


def _usual_path(path: str) -> str:
    """Return a path in its normal form, as patterns have it."""
    try:
        return URL(f"http://host{path}").raw_path
    except ValueError:
        return path
