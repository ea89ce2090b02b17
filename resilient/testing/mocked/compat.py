"""What is said where an aiohttp from after the tests may be why something fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from resilient.testing.mocked.upstream import AIOHTTP_VERSION

__all__ = ["explained"]

# The newest series of aiohttp's releases that this is tested with.
TESTED: Final = (3, 14)


@contextmanager
def explained() -> Iterator[None]:
    """A block that uses what aiohttp does not publish.

    Raises:
        ImportError: It is not there, and this aiohttp is newer than the tests.
        RuntimeError: It is used in another way there.
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
