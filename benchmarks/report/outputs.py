"""Where a report goes, besides the terminal."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from attrs import frozen

from benchmarks.report.document import Report
from benchmarks.report.text import distinct, slug
from resilient import ConfigError

__all__ = [
    "STANDARD_OUTPUT",
    "Outputs",
    "check_directory",
    "check_file",
    "write_atomically",
    "write_error",
]

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
    def any_requested(self) -> bool:
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
                    write_atomically(path, content)
                    yield path
            except OSError as error:
                problems.append(write_error(asked_for, error))
            except ConfigError as error:
                problems.append(error)
        if problems:
            raise ConfigError.of_all(problems)


def _json(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.stored import to_json

    yield path, to_json(report).encode()


def _markdown(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.markdown import to_markdown

    yield path, to_markdown(report).encode()


def _into(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.markdown import insert_tables

    yield path, insert_tables(_read(path), report, path).encode()


def _page(path: str, report: Report) -> Iterator[tuple[str, bytes]]:
    from benchmarks.report.page import to_html

    yield path, to_html(report).encode()


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


def check_file(path: str) -> None:
    """Refuse a file that could not be written.

    Raises:
        ConfigError: It cannot be, and why.
    """
    target = os.path.realpath(path)
    try:
        if os.path.isdir(target):
            raise IsADirectoryError(None, "it is a directory")
        if _is_special(target):
            # Opened, never replaced: /dev/null has to stay what it is.
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        _try(os.path.dirname(target))
    except OSError as error:
        raise write_error(path, error) from None


def check_directory(path: str) -> None:
    """Refuse a directory into which nothing could be written; make it if only that is missing.

    Raises:
        ConfigError: Nothing can be, and why.
    """
    try:
        with suppress(FileExistsError):
            os.mkdir(path)
        _try(path)
    except OSError as error:
        raise write_error(path, error) from None


def write_error(path: str, error: OSError) -> ConfigError:
    """What to say of a file that cannot be written."""
    return ConfigError(f"{path}: cannot be written: {error.strerror}", file=path)


def _try(directory: str) -> None:
    """Write something there: what the permissions say is not all there is to it."""
    name = _beside(os.path.join(directory, "benchmarks"))
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(name)


def _beside(path: str) -> str:
    directory, name = os.path.split(path)
    # A name may be as long as names may be.
    return os.path.join(directory, f".{name[:40]}.{secrets.token_hex(6)}")


def _is_special(target: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(target).st_mode)
    except FileNotFoundError:
        return False


def write_atomically(path: str, content: bytes) -> None:
    """Put something in the place of a file in one step: whoever reads it sees all or nothing.

    A link keeps pointing where it does, and a file keeps its permissions.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    target = os.path.realpath(path)
    if _is_special(target):
        with open(target, "wb") as file:
            file.write(content)
        return
    beside = _beside(target)
    try:
        with open(beside, "xb") as file:
            file.write(content)
            with suppress(FileNotFoundError):
                os.chmod(beside, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(beside, target)
    except BaseException:  # Ctrl-C as well
        with suppress(OSError):
            os.unlink(beside)
        raise
