"""At which level each kind of event is logged."""

from __future__ import annotations

import logging
from typing import Final, Literal

__all__ = ["LEVELS", "Kind"]

Kind = Literal[
    "attempt", "wait", "hold", "turn", "refusal", "transition", "throttle", "call", "reload"
]

LEVELS: Final[dict[Kind, int | None]] = {
    "attempt": logging.DEBUG,
    # There may be thousands of these, and a gate or a circuit says once that it holds them.
    "wait": logging.DEBUG,
    "hold": logging.DEBUG,
    "turn": logging.DEBUG,
    "refusal": logging.DEBUG,
    # The least: where it leads decides, and the event says which level it is.
    "transition": logging.DEBUG,
    "throttle": logging.DEBUG,
    "reload": logging.INFO,
    # Never: it says again what its attempts and refusals have said, and to notice the end of a
    # call takes a part of the pipeline that is there only for listeners.
    "call": None,
}
