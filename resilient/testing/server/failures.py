"""Raise what the user's code inside a server has raised, where the test can see it."""

from __future__ import annotations

__all__ = ["raise_failure"]


def raise_failure(failure: BaseException | None, error: BaseException | None, what: str) -> None:
    """Raise `failure` at the end of a block, or note it on the error that ends the block.

    An exception that is no `Exception` (`pytest.fail`, `pytest.skip`, `SystemExit`) is a
    verdict on the whole test: it outranks an `Exception` of the block, which may well be a
    consequence of it. Otherwise the block's own error comes out.

    Args:
        failure: The failure inside the server, if there was one.
        error: The error that ends the block, if it ends by one.
        what: The words for the failure in a note.

    Raises:
        BaseException: `failure`.
    """
    if failure is None or failure is error:
        return
    if error is None or (isinstance(error, Exception) and not isinstance(failure, Exception)):
        raise failure
    error.add_note(f"{what}: {failure!r}")
