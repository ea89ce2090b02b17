"""Files that are written whole or not at all; whether they can be is known beforehand."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from resilient import ConfigError

__all__ = ["check_directory", "check_file", "unwritable", "write_whole"]


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
        raise unwritable(path, error) from None


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
        raise unwritable(path, error) from None


def unwritable(path: str, error: OSError) -> ConfigError:
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


def write_whole(path: str, content: bytes) -> None:
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
