"""At which level each kind of event is logged."""

from __future__ import annotations

import logging
from typing import Final, Literal

__all__ = ["LEVELS", "Kind"]

Kind = Literal["attempt", "wait", "refusal"]

# A transition's level depends on where it leads; the event says which.
LEVELS: Final[dict[Kind, int]] = {
    "attempt": logging.DEBUG,
    "wait": logging.INFO,
    "refusal": logging.INFO,
}
