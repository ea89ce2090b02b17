"""Start the command line: `python -m resilient`, and the console script `resilient`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["main"]

# Libraries, and what installs them.
_EXTRAS = {
    **dict.fromkeys(("cattrs", "click", "rich"), '"resilient-aiohttp[cli]"'),
    # `demo --telemetry` shows what it keeps.
    "opentelemetry": '"resilient-aiohttp[cli,otel]" opentelemetry-sdk',
}


def main() -> int:
    """Run the command line; say in one line what to install if its libraries are missing.

    Returns:
        The exit status.
    """
    try:
        from resilient.cli.app import run

        return run()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        sys.stderr.write(
            f"resilient: the command line needs {missing}; "
            f"install it with: pip install {_EXTRAS[missing]}\n"
        )
        return 2


def _leave_working_directory() -> None:
    """Do not import from the working directory, whatever lies there.

    `python -m` puts it first among the places to import from, the console script does not. This
    package has been found by now.
    """
    with suppress(OSError):  # it may have been deleted
        if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
            del sys.path[0]


if __name__ == "__main__":
    _leave_working_directory()
    sys.exit(main())
