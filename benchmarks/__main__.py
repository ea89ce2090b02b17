"""Run the command line of the benchmarks: `python -m benchmarks`."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRAS = {
    "aiobreaker",
    "aiohttp_retry",
    "cattrs",
    "click",
    "clientwright",
    "hyx",
    "jinja2",
    "opentelemetry",
    "purgatory",
    "rich",
    "stamina",
    "tenacity",
}


def main() -> int:
    """Run the command line; if a library is missing, say in one line what to install.

    Returns:
        The exit status; 130 after Ctrl-C, as shells do.
    """
    try:
        from benchmarks.cli.app import app
        from resilient.cli.app import run

        return run(app, "benchmarks")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        sys.stderr.write(
            f"benchmarks: this needs {missing}; "
            'install it in a checkout with: pip install -e ".[bench,peers]"\n'
        )
        return 2
    except KeyboardInterrupt:  # while imports were still under way
        return 130


if __name__ == "__main__":
    sys.exit(main())
