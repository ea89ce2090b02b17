"""The command line: `python -m resilient`, and the console script `resilient`."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = {"cattrs", "click", "rich"}


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
        if missing not in _EXTRA:
            raise
        sys.stderr.write(
            f"resilient: the command line needs {missing}; "
            'install it with: pip install "resilient-aiohttp[cli]"\n'
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
