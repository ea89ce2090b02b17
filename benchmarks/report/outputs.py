"""Write a report to files, each whole or not at all, and check beforehand that it can be."""

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

_PAGES: Final = ("jinja2",)


@frozen(kw_only=True)
class Outputs:
    """The paths of files to write; None, the default, for those not asked for.

    Attributes:
        json: The file for all figures; "-" is the standard output, which is not written here.
        html: The file for a page.
        svg: The directory for the charts.
        markdown: The file for the tables.
        into: A document with marks for the tables.
    """

    json: str | None = None
    html: str | None = None
    svg: str | None = None
    markdown: str | None = None
    into: str | None = None

    @property
    def any_requested(self) -> bool:
        """True if there is anything to write."""
        return any((self.json, self.html, self.svg, self.markdown, self.into))

    def check(self) -> None:
        """Check that all files can be written, before minutes of measurement.

        Raises:
            ConfigError: A file cannot be written.
            ModuleNotFoundError: A library that a file needs is not installed.
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
        if self.svg is not None:
            check_directory(self.svg)
        needed = _PAGES if self.html else ()
        for name in needed:
            # Found and not imported, since a benchmark would have it all in its memory.
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def write(self, report: Report) -> Iterator[str]:
        """Write the files, the quickest first, and yield the path of each when it is written.

        Raises:
            ConfigError: At the end: the files that could not be written, or have no place for the
                tables.
        """
        problems = []
        for asked_for, files in (
            (None if self.json == STANDARD_OUTPUT else self.json, _json),
            (self.markdown, _markdown),
            (self.into, _into),
            (self.html, _page),
            (self.svg, _pictures),
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
    from benchmarks.report.pictures import as_file

    charts = [(result.name, chart) for result in report.results for chart in result.charts]
    names = distinct(slug(name, chart.title) for name, chart in charts)
    for name, (_, chart) in zip(names, charts, strict=True):
        yield os.path.join(directory, f"{name}.svg"), as_file(chart).encode()


def _read(path: str) -> str:
    """Read a document with its line ends unchanged."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8", file=path) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", file=path) from None


def check_file(path: str) -> None:
    """Raise if a file cannot be written.

    Raises:
        ConfigError: The file cannot be written; the message says why.
    """
    target = os.path.realpath(path)
    try:
        if os.path.isdir(target):
            raise IsADirectoryError(None, "it is a directory")
        if _is_special(target):
            # A special file such as /dev/null is written to, never replaced.
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        _try(os.path.dirname(target))
    except OSError as error:
        raise write_error(path, error) from None


def check_directory(path: str) -> None:
    """Make a directory if it is missing, and raise if nothing can be written into it.

    Raises:
        ConfigError: Nothing can be written there; the message says why.
    """
    try:
        with suppress(FileExistsError):
            os.mkdir(path)
        _try(path)
    except OSError as error:
        raise write_error(path, error) from None


def write_error(path: str, error: OSError) -> ConfigError:
    """Return the error for a file that cannot be written."""
    return ConfigError(f"{path}: cannot be written: {error.strerror}", file=path)


def _try(directory: str) -> None:
    """Write a file and delete it, since permissions alone do not tell if that is possible."""
    name = _beside(os.path.join(directory, "benchmarks"))
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(name)


def _beside(path: str) -> str:
    directory, name = os.path.split(path)
    # The name may already be as long as the file system allows.
    return os.path.join(directory, f".{name[:40]}.{secrets.token_hex(6)}")


def _is_special(target: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(target).st_mode)
    except FileNotFoundError:
        return False


def write_atomically(path: str, content: bytes) -> None:
    """Replace a file in one step, so that readers see the old content or the new.

    A link keeps its target, and a file its permissions.

    Raises:
        OSError: The file cannot be written; its old content is kept.
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
