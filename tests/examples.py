"""Run the examples of a document: its blocks of Python, as they stand there."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

__all__ = ["examples_of", "output_of"]


def examples_of(document: Path) -> list[Example]:
    """Return the blocks of Python in a document, in order."""
    return list(Sybil([PythonCodeBlockParser()]).parse(document).examples())


def output_of(example: Example) -> str:
    """Run an example in a namespace of its own, and return what it prints."""
    example.namespace.clear()
    example.namespace["__name__"] = "__main__"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        example.evaluate()
    return said.getvalue()
