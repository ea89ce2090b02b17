"""Statuses: which of them mean trouble that may pass, in one place for all who ask.

Every 5xx does, also one that no list has (RFC 9110 15: a client treats a status that it does not
know as the x00 of its class), so that those between 520 and 530, by which Cloudflare reports on
the server behind it, need no line here. The exceptions say that the request, not the moment, is
what the server cannot cope with: sent again it fails again, and others succeed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["NOT_CARRIED_OUT", "RETRY_STATUSES", "SERVER_TROUBLE", "TO_STAY", "in_words"]

# 5xx that no wait mends, and where that is said.
TO_STAY: Final[Mapping[int, str]] = MappingProxyType(
    {
        501: "RFC 9110 15.6.2: the server does not know the method",
        505: "RFC 9110 15.6.6: it does not speak this version of HTTP",
        506: "RFC 2295 8.1: the variant that it would choose is configured wrongly",
        507: "RFC 4918 11.5: the request must not be repeated until a user asks for it",
        508: "RFC 5842 7.2: a loop among its resources",
        510: "RFC 2774 7: the request lacks an extension",
        511: "RFC 6585 6: a network in between wants its user to log in, and is no server",
    }
)

# A server in trouble.
SERVER_TROUBLE: Final = frozenset(range(500, 600)) - frozenset(TO_STAY)

# Statuses after which the request was certainly not carried out: RFC 8470 5.2, RFC 6585 4.
# (Not 408: gateways send it after work began.)
NOT_CARRIED_OUT: Final = frozenset({425, 429})

# Worth another attempt, where the method allows it. 408 (RFC 9110 15.5.9): the request did not
# come in time, and may be sent again.
RETRY_STATUSES: Final = SERVER_TROUBLE | NOT_CARRIED_OUT | {408}

# More of a class than these is told by what is missing.
_MOST: Final = 50


def in_words(statuses: Iterable[int]) -> str:
    """Return statuses as text, such as "429, 5xx but 501, 505 to 508"; "" if there are none."""
    classes: dict[int, set[int]] = {}
    for status in sorted(set(statuses)):
        classes.setdefault(status // 100, set()).add(status)
    parts: list[str] = []
    for hundred, members in classes.items():
        if len(members) < _MOST:
            parts += _runs(members)
            continue
        missing = {*range(hundred * 100, hundred * 100 + 100)} - members
        parts.append(f"{hundred}xx" + (f" but {', '.join(_runs(missing))}" if missing else ""))
    return ", ".join(parts)


def _runs(statuses: Iterable[int]) -> Iterator[str]:
    """Yield statuses as text, those that follow one another as one."""
    run: list[int] = []
    for status in [*sorted(statuses), 0]:
        if run and status != run[-1] + 1:
            if len(run) > 2:
                yield f"{run[0]} to {run[-1]}"
            else:
                yield from map(str, run)
            run = []
        run.append(status)
