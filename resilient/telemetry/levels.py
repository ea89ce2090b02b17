"""At which level each kind of event is logged."""

from __future__ import annotations

import logging
from typing import Final, Literal

__all__ = ["LEVELS", "Kind"]

Kind = Literal["attempt", "wait", "hold", "turn", "refusal"]

# The level of a transition or a gate depends on where it leads; the event says which.
LEVELS: Final[dict[Kind, int]] = {
    "attempt": logging.DEBUG,
    # There may be thousands of these, and a gate or a circuit says once that it holds them.
    "wait": logging.DEBUG,
    "hold": logging.DEBUG,
    "turn": logging.DEBUG,
    "refusal": logging.DEBUG,
}
