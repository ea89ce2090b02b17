"""Read the standard input, for commands that take "-" in the place of a file."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["STDIN", "read_stdin"]

# The name in the place of a file that means it.
STDIN = "-"


def read_stdin(most: int) -> bytes:
    """Return what comes from the standard input, at most so many bytes.

    Raises:
        OSError: It cannot be read, or is closed.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read(most)
