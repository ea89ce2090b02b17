"""Put an explanation into words, or into JSON for a program.

For a program:

    {"file": PATH, "ok": true,
     "url":       without userinfo, query and fragment
     "method":    in upper case
     "service":   the name of the service that takes it, or null
     "default":   whether [default] takes it; without that, aiohttp alone does
     "because":   why, in words
     "others":    [{"service": NAME, "pattern": PATTERN}, ...], which cover it less specifically
     "facts":     {NAME: VALUE, ...}, what is known of the service and not acted on
     "order":     [MIDDLEWARE AND ITS SETTINGS, ...], outermost first
     "failures":  [{"kind", "status", "code", "what", "repeated", "reason",
                    "circuit", "closes_gate", "charged"}, ...], as
                  `resilient.cli.explain.failures` and `effects` have them
     "notes":     [TEXT, ...], what else decides
     "times":     null where aiohttp is alone, else in seconds, null where nothing limits one:
         {"attempts":         how many at most
          "attempt":          how long one may take, the reading of its error body included
          "waits":            [{"after_attempt", "least", "most"}, ...], where the server asks
                              for none; of the first 99
          "max_retry_after":  the longest that a server may ask to wait; null without retry
          "unlimited":        how long all that takes, did no deadline cut it short
          "held":             [TEXT, ...], how long guards may hold it besides
          "worst":            how long it takes at worst until the response is handed over; if
                              that is not limited by "total_timeout", without what guards add
          "limited_by":       "total_timeout", "attempts", or null}
     "code":      only if the file names code, which --allow-code allows:
         {"imported":         [NAME, ...], as the file has them
          "called":           [NAME, ...], the functions that were called for this}
    }
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from attrs import asdict
from rich.console import RenderableType
from rich.text import Text

from resilient.cli.code import code_as_json, code_shown
from resilient.cli.explain.explanation import Explanation
from resilient.cli.explain.failures import Failure
from resilient.cli.explain.times import Times, Waits
from resilient.cli.plain import in_words
from resilient.cli.tables import grid, headed, text
from resilient.core.statuses import in_words as statuses_in_words
from resilient.support.redact import public_url

__all__ = ["as_json", "failure_rows", "shown", "time_rows"]

# Waits after so many others are as good as all.
_SHOWN: Final = 10


def as_json(explanation: Explanation, file: str | None) -> dict[str, Any]:
    """Return an explanation for a program."""
    times = explanation.times
    return {
        "file": file,
        "ok": True,
        "url": str(public_url(explanation.target.url)),
        "method": explanation.target.method,
        "service": explanation.service,
        "default": explanation.service is None and times is not None,
        "because": explanation.because,
        "others": [{"service": name, "pattern": each} for name, each in explanation.others],
        "facts": dict(explanation.facts),
        "order": list(explanation.order),
        "failures": [_failure(each) for each in explanation.failures],
        "notes": list(explanation.notes),
        "times": times and _times(times),
        **code_as_json(explanation.imported, explanation.called),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind,
        "status": failure.status,
        "code": failure.code,
        "what": failure.what,
        "repeated": failure.is_repeated,
        "reason": failure.reason,
        "circuit": failure.effects.circuit,
        "closes_gate": failure.effects.closes_gate,
        "charged": failure.effects.charged,
    }


def _times(times: Times) -> dict[str, Any]:
    bounds = () if times.waits is None else times.waits.bounds
    return {
        "attempts": times.attempts,
        "attempt": _finite(times.attempt),
        "waits": [asdict(each) for each in bounds],
        "max_retry_after": times.max_retry_after,
        "unlimited": _finite(times.unlimited),
        "held": list(times.held),
        "worst": _finite(times.worst),
        "limited_by": times.limited_by,
    }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def shown(explanation: Explanation) -> Iterator[RenderableType]:
    """Show an explanation to a person."""
    yield text(str(explanation.target), style="bold")
    yield _summary(explanation)
    if explanation.times is not None:
        yield from _policy(explanation, explanation.times)
    yield from code_shown(explanation.imported, explanation.called)


def _policy(explanation: Explanation, times: Times) -> Iterator[RenderableType]:
    yield _heading("Pipeline, outermost first")
    yield _listed(((f"{place}.", each) for place, each in enumerate(explanation.order, 1)), 2)
    yield _heading("After a first attempt that failed")
    table = headed("failure", "repeated", "because")
    for lines, is_repeated, reason, effects in failure_rows(explanation.failures):
        verdict = Text("yes", "green") if is_repeated else Text("no", "red")
        table.add_row(text(*lines), verdict, text(*filter(None, (reason, effects))))
    yield table
    yield ""
    yield _listed((("-", note) for note in explanation.notes), 1)
    yield _heading("Time until the response is handed over")
    yield _listed(time_rows(times), 12)


def _summary(explanation: Explanation) -> RenderableType:
    alone = explanation.times is None
    taker = explanation.service or ("aiohttp alone" if alone else "the default")
    summary = grid(7, None)
    summary.add_row("goes to", text(taker, style="bold green"))
    summary.add_row("because", text(explanation.because))
    for name, pattern in explanation.others:
        summary.add_row("not to", text(f"{name}: {pattern} covers it too, less specifically"))
    if explanation.facts:
        facts = [in_words({name: each}) for name, each in explanation.facts.items()]
        summary.add_row("facts", text(*facts[:-1], f"{facts[-1]} (not acted on)"))
    return summary


def _heading(title: str) -> RenderableType:
    return Text(f"\n{title}", "bold")


def _listed(rows: Iterable[tuple[str, str]], width: int) -> RenderableType:
    lines = grid(width, None)
    for mark, line in rows:
        lines.add_row(mark, text(line))
    return lines


def failure_rows(
    failures: Iterable[Failure],
) -> Iterator[tuple[tuple[str, ...], bool, str, str]]:
    """Return rows of what fails (in lines), whether it is repeated, why, and its effects.

    Failures of which the same is to be said are in one row.
    """
    merged: dict[tuple[str, int | None, bool, str, str], list[Failure]] = {}
    for each in failures:
        group = str(each.kind) if each.kind in ("status", "code") else ""
        status = each.status if each.kind == "code" else None
        alike = group, status, each.is_repeated, each.reason, str(each.effects)
        merged.setdefault(alike, []).append(each)
    for (group, status, is_repeated, reason, effects), members in merged.items():
        lines = tuple(each.what for each in members)
        if group:
            count = "" if status is None else f" with {status}"
            of_all = [each.status for each in members if each.status is not None]
            listed = statuses_in_words(of_all) if group == "status" else ", ".join(lines)
            lines = (f"{group} {listed}{count}",)
        yield lines, is_repeated, reason, effects


def time_rows(times: Times) -> Iterator[tuple[str, str]]:
    """Return rows of what the time is made of, and what it comes to."""
    each = (
        "without a limit" if math.isinf(times.attempt) else f"of at most {_seconds(times.attempt)}"
    )
    yield "attempts", f"at most {times.attempts}, each {each}"
    if times.waits is not None:
        yield from _wait_rows(times.waits)
    for each in times.held:
        yield "held", each
    worst = _seconds(times.worst)
    if times.limited_by == "attempts":
        besides = ", and besides what guards add" if times.held else ""
        yield "at worst", f"{worst}, if all attempts and waits take as long as they may{besides}"
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
