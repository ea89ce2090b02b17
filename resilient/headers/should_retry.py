"""Read `x-should-retry`, by which several APIs say whether to try again.

Stripe's own name for it is `Stripe-Should-Retry`, which its libraries heed in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["should_retry"]

_NAMES: Final = ("x-should-retry", "stripe-should-retry")
_SAID: Final = {"true": True, "false": False}


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return what a header says, true or false, or None if it says neither."""
    for name in _NAMES:
        said = headers.get(name)
        if said is not None:
            return _SAID.get(said.strip(" \t").lower())
    return None
