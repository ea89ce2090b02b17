"""What a fault server has counted."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

__all__ = ["Stats"]


@frozen
class Stats:
    """The counts of a fault server at one moment.

    Attributes:
        hits: Requests that took a step.
        statuses: How many of them were answered with which status; for an answer that was
            broken off, the status that had been sent.
        steps: How many met which kind of step, by its name: "Reply", "Reset" and so on. A
            request whose answer is not decided yet is in `hits` alone.
        arrivals: How many arrived in which second, counted from 0 from when the server
            began to listen; seconds without any are left out.
        malformed: How many were no requests.
        connections: How many connections are open.
        total_connections: How many there have been.
        waiting: How many requests are in a `Hang`.
        seconds: How long the server has been up.
    """

    hits: int
    statuses: Mapping[int, int]
    steps: Mapping[str, int]
    arrivals: Mapping[int, int]
    malformed: int
    connections: int
    total_connections: int
    waiting: int
    seconds: float
