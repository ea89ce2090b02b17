"""Where a report goes, besides the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from attrs import frozen

from benchmarks.report.document import Report
from benchmarks.report.files import check_directory, check_file, unwritable, write_whole
from benchmarks.report.slugs import distinct, slug
from resilient import ConfigError

__all__ = ["STANDARD_OUTPUT", "Outputs"]

STANDARD_OUTPUT: Final = "-"

_DRAWING = ("matplotlib",)
_PAGES = ("jinja2", *_DRAWING)


@frozen(kw_only=True)
class Outputs:
    """Paths of files to write; None for what nobody asked for.

    Attributes:
        json: Everything, for a program; "-" for the standard output, which is not written here.
        html: A page.
        png: The directory for the charts.
        markdown: The tables.
        into: A document that has marks for the tables.
    """

    json: str | None = None
    html: str | None = None
    png: str | None = None
    markdown: str | None = None
    into: str | None = None

    @property
    def are_asked_for(self) -> bool:
        """Whether there is anything to write."""
        return any((self.json, self.html, self.png, self.markdown, self.into))

    def check(self) -> None:
        """Find out whether all can be written, before anybody has measured for minutes.

        Raises:
            ConfigError: One of them cannot be.
            ModuleNotFoundError: A library that is needed for one of them is not there.
        """
        files = [
            each
            for each in (self.json, self.html, self.markdown, self.into)
            if each is not None and each != STANDARD_OUTPUT
        ]
        for path in files:
            check_file(path)
        for path in files:
            if sum(os.path.realpath(path) == os.path.realpath(each) for each in files) > 1:
                raise ConfigError(f"{path}: cannot be written: it is given twice", file=path)
        if self.into is not None:
            _read(self.into)
        if self.png is not None:
            check_directory(self.png)
        needed = _PAGES if self.html else _DRAWING if self.png else ()
        for name in needed:
            # Not imported: a benchmark would have all that in its memory.
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def write(self, report: Report) -> Iterator[str]:
        """Write what was asked for, the quickest first; the paths, as soon as each is there.

        Raises:
            ConfigError: At the end: all that could not be written, or has no place for the tables.
        """
        problems = []
        for asked_for, files in (
            (None if self.json == STANDARD_OUTPUT else self.json, _json),
            (self.markdown, _markdown),
            (self.into, _into),
            (self.html, _page),
            (self.png, _pictures),
        ):
            if asked_for is None:
                continue
            try:
                for path, content in files(asked_for, report):
                    write_whole(path, content)
                    yield path
            except OSError as error:
                problems.append(unwritable(asked_for, error))
            except ConfigError as error:
                problems.append(error)
        if problems:
            raise ConfigError.of_all(problems)


def _json(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.stored import text_of

    yield path, text_of(report).encode()


def _markdown(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.markdown import markdown_of

    yield path, markdown_of(report).encode()


def _into(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.insertion import inserted

    yield path, inserted(_read(path), report, path).encode()


def _page(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.page import page_of

    yield path, page_of(report).encode()


def _pictures(directory: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.pictures import as_png

    charts = [(result.name, chart) for result in report.results for chart in result.charts]
    names = distinct(slug(name, chart.title) for name, chart in charts)
    for name, (_, chart) in zip(names, charts, strict=True):
        yield os.path.join(directory, f"{name}.png"), as_png(chart)


def _read(path: str) -> str:
    """A document to the letter, line ends included."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8", file=path) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", file=path) from None
