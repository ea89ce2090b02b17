"""Explain failures that a newer, untested aiohttp may have caused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from resilient.testing.mocked.upstream import AIOHTTP_VERSION

__all__ = ["explain_new_aiohttp"]

# The newest series of aiohttp's releases that the mock is tested with.
TESTED: Final = (3, 14)


@contextmanager
def explain_new_aiohttp() -> Iterator[None]:
    """Name the versions if a block fails that uses unpublished parts of a newer aiohttp.

    With an aiohttp that is tested, errors are left as they are.

    Raises:
        ImportError: The block has raised one: this aiohttp lacks something.
        RuntimeError: The block has raised an AssertionError, AttributeError or TypeError:
            this aiohttp is used in another way.
    """
    try:
        yield
    except (AssertionError, AttributeError, ImportError, TypeError) as error:
        if AIOHTTP_VERSION.release[:2] <= TESTED:
            raise
        kind = ImportError if isinstance(error, ImportError) else RuntimeError
        raise kind(
            f"resilient.testing.aioresponses is tested with aiohttp up to "
            f"{'.'.join(map(str, TESTED))}, and does not fit {AIOHTTP_VERSION}: {error}"
        ) from error
