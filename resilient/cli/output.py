"""Write what a command answers, whatever becomes of the reader, and harmless to a terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from resilient.support.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "FAILED",
    "Unusable",
    "Unwritable",
    "answer",
    "answer_json",
    "mute",
    "printable",
    "rendered",
]

# Columns in files and pipes.
_WIDTH = 100

# The exit status of a command that could not do its work, as click has it for wrong arguments.
FAILED: Final = 2


class Unusable(click.ClickException):
    """An argument of the command line stands for nothing that can be used."""

    exit_code = FAILED


class Unwritable(click.ClickException):
    """The answer could not be written."""

    exit_code = FAILED


def answer(parts: Iterable[str]) -> None:
    """Write to the standard output, part by part; a reader that is gone is no error.

    Raises:
        Unwritable: It cannot be written: no space is left, for example.
    """
    stream = sys.stdout
    if stream is None:  # closed
        return
    if isinstance(stream, io.TextIOWrapper):
        # Names are in any script, and a file's name may be no text at all.
        stream.reconfigure(errors="backslashreplace")
    try:
        # Not click's echo, which writes UTF-8 where the encoding is ASCII.
        for part in parts:
            stream.write(f"{part}\n")
        stream.flush()
    except BrokenPipeError:
        mute()
    except OSError as error:
        mute()
        raise Unwritable(f"the answer cannot be written: {error.strerror}") from None


def answer_json(facts: Any) -> None:
    """Write JSON for a program: ASCII, and no NaN."""
    answer([json.dumps(facts, indent=2, allow_nan=False)])


def mute() -> None:
    """Let nothing more be written: the interpreter's own last flush must not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def rendered(parts: Iterable[RenderableType]) -> Iterator[str]:
    """Render for a console as wide as the terminal, or 100 columns where there is none."""
    from rich.console import Console

    seen = Console()
    paper = _Paper(seen.encoding)
    console = Console(
        file=paper,
        width=seen.width if seen.is_terminal else _WIDTH,
        force_terminal=seen.is_terminal,
        color_system=None if seen.legacy_windows else seen.color_system,  # type: ignore[arg-type]  # it names its own
        no_color=seen.no_color,
    )
    for part in parts:
        paper.seek(0)
        paper.truncate()
        console.print(part)
        # Tables are filled up with blanks.
        yield "\n".join(line.rstrip() for line in paper.getvalue().splitlines())


class _Paper(io.StringIO):
    """A text stream that says it has an encoding, for a console to render for."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # that of a StringIO is None
        return self._encoding
