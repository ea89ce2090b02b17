"""The rows of what `explain` shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from resilient.cli.explain.failures import Failure
from resilient.cli.explain.times import Times
from resilient.cli.explain.waits import Waits

__all__ = ["failure_rows", "time_rows"]

# Waits after so many others are as good as all.
_SHOWN: Final = 10


def failure_rows(failures: Iterable[Failure]) -> Iterator[tuple[tuple[str, ...], bool, str]]:
    """What fails (in lines), whether it is repeated, and why; alike ones in one row."""
    merged: dict[tuple[str, int | None, bool, str], list[Failure]] = {}
    for each in failures:
        group = str(each.kind) if each.kind in ("status", "code") else ""
        status = each.status if each.kind == "code" else None
        merged.setdefault((group, status, each.is_repeated, each.reason), []).append(each)
    for (group, status, is_repeated, reason), members in merged.items():
        lines = tuple(each.what for each in members)
        if group:
            count = "" if status is None else f" with {status}"
            lines = (f"{group} {', '.join(lines)}{count}",)
        yield lines, is_repeated, reason


def time_rows(times: Times) -> Iterator[tuple[str, str]]:
    """What the time is made of, and what it comes to."""
    each = (
        "without a limit" if math.isinf(times.attempt) else f"of at most {_seconds(times.attempt)}"
    )
    yield "attempts", f"at most {times.attempts}, each {each}"
    if times.waits is not None:
        yield from _wait_rows(times.waits)
    worst = _seconds(times.worst)
    if times.limited_by == "attempts":
        yield "at worst", f"{worst}, if all attempts and waits take as long as they may"
    elif times.limited_by == "total_timeout":
        yield "at worst", f"{worst}, by total_timeout; without that {_seconds(times.unlimited)}"
    else:
        yield "at worst", f"{worst}: neither total_timeout nor attempt_timeout is set"


def _wait_rows(waits: Waits) -> Iterator[tuple[str, str]]:
    last = 0
    alike = groupby(waits.bounds, key=lambda wait: (wait.least, wait.most))
    for place, ((least, most), group) in enumerate(alike):
        if place == _SHOWN:
            break
        first, last = last + 1, last + len(list(group))
        name = f"wait {first}" + (f" to {last}" if last > first else "")
        yield name, _seconds(most) if least == most else f"{least:.3g} to {_seconds(most)}"
    if waits.count > last:
        yield "...", f"{waits.count} waits in all"


def _seconds(seconds: float) -> str:
    return "no limit" if math.isinf(seconds) else f"{seconds:.6g} s"
