"""Tables put between the marks of a document that is there.

A place for the tables of a result is marked, in lines of their own, with

    <!-- benchmarks:overhead -->
    <!-- /benchmarks:overhead -->

and one for a single table with the title of the table behind that, in small letters and with
hyphens: benchmarks:overhead/on-a-socket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.report.document import Report
from benchmarks.report.markdown import blocks_of
from resilient import ConfigError

__all__ = ["inserted"]

_MARK = re.compile(r"<!-- *(?P<end>/?)benchmarks:(?P<key>[^\s>]+) *-->")


def inserted(document: str, report: Report, name: str) -> str:
    """A document with the tables of a report between its marks; all else in it stays as it is.

    Args:
        document: The text.
        report: What to insert; results for which it has no marks are left out.
        name: What an error calls the document.

    Raises:
        ConfigError: There is no mark for any of the results, one that is not closed, or one for
            a table that a result does not have.
    """
    blocks = dict(blocks_of(report))
    ours = {result.name for result in report.results}
    newline = "\r\n" if "\r\n" in document else "\n"
    parts, position, used = [], 0, 0
    for start, end, key in _places(document, name):
        if key.partition("/")[0] not in ours:
            continue  # of another benchmark, which was not run
        if key not in blocks:
            raise _wrong(name, f"there is no table for <!-- benchmarks:{key} -->")
        block = f"\n{blocks[key]}\n".replace("\n", newline)
        parts += [document[position:start], block]
        position, used = end, used + 1
    if not used:
        marks = " or ".join(f"<!-- benchmarks:{each} -->" for each in sorted(ours))
        raise _wrong(name, f"it has no {marks} ... <!-- /benchmarks:... -->")
    return "".join((*parts, document[position:]))


def _places(document: str, name: str) -> Iterator[tuple[int, int, str]]:
    """What stands between each pair of marks: where it begins and ends, and the key."""
    begun: re.Match[str] | None = None
    for mark in _MARK.finditer(document):
        key, ends = mark["key"], bool(mark["end"])
        if ends != (begun is not None) or (begun and begun["key"] != key):
            raise _wrong(name, f"{(begun or mark)[0]} has no counterpart")
        if begun:
            yield begun.end(), mark.start(), key
        begun = None if ends else mark
    if begun:
        raise _wrong(name, f"{begun[0]} has no counterpart")


def _wrong(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name}: nothing can be inserted: {why}", file=name)
