"""Names for files and anchors, out of titles in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["distinct", "slug"]

_LONGEST = 80


def slug(*parts: str) -> str:
    """Lower-case ASCII letters and digits, with hyphens between words."""
    text = unicodedata.normalize("NFKD", " ".join(parts)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST].strip("-") or "untitled"


def distinct(names: Iterable[str]) -> list[str]:
    """The names in their order, with a number behind those that were there before."""
    taken: set[str] = set()
    given = []
    for name in names:
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}-{count}"
        taken.add(unique)
        given.append(unique)
    return given
