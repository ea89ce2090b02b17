"""Explain what would happen to a request, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
from attrs import evolve, frozen
from yarl import URL

from resilient.cli.explain.case import Case
from resilient.cli.explain.failures import Failure, failures
from resilient.cli.explain.notes import notes
from resilient.cli.explain.times import Times, times
from resilient.cli.plain import facts_in, plain
from resilient.pipeline.describe import describe
from resilient.pipeline.pipeline import Pipeline
from resilient.pipeline.policy import Policy
from resilient.services.config.configuration import Configuration
from resilient.services.config.layers import DEFAULT
from resilient.services.pattern import Pattern, parse_url
from resilient.services.router import Router
from resilient.services.service import Service
from resilient.support.redact import public_url

__all__ = ["Explanation", "Target", "explain_request", "parse_target"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})


@frozen
class Target:
    """A request to explain."""

    url: URL
    method: str

    def __str__(self) -> str:
        return f"{self.method} {public_url(self.url)}"


def parse_target(url: str, method: str) -> Target:
    """Parse the request that the command line names.

    Raises:
        click.BadParameter: No session could ask for the URL, or the method is none.
    """
    try:
        parsed = parse_url(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in _SCHEMES or not parsed.raw_host:
        # What is no such URL is not shown: nobody can tell which part of it is a secret.
        raise click.BadParameter(
            "it must be valid, absolute and of http, https, ws or wss, "
            "as https://api.example.com/path is",
            param_hint="URL",
        )
    if not _TOKEN.fullmatch(method):
        raise click.BadParameter("a method is one word, such as GET", param_hint="--method")
    return Target(parsed, method.upper())


@frozen
class Explanation:
    """An answer: what would happen to a request.

    Attributes:
        target: The request.
        service: The name of the service that takes it; None if none does.
        because: The reason, in words.
        others: Services that cover the URL too, less specifically: their names and patterns.
        facts: What is known of the service and not acted on, as JSON has it.
        order: Its pipeline, outermost first; empty where aiohttp is left alone.
        failures: The ways in which it may fail, and for each whether it is repeated.
        notes: Other things that decide, a line each.
        times: Waits, and how long it may take; None where aiohttp is left alone.
        imported: The names of code in the file, all of which were imported.
        called: The functions among them that were called to find all this out.
    """

    target: Target
    service: str | None
    because: str
    others: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, Any] = {}
    order: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    times: Times | None = None
    imported: tuple[str, ...] = ()
    called: tuple[str, ...] = ()


def explain_request(found: Configuration, target: Target) -> Explanation:
    """Explain what the services of a file do with a request.

    Wait generators and parsers that the file names are called for that; a judge is not.
    """
    return evolve(_explained(found, target), imported=found.code)


def _explained(found: Configuration, target: Target) -> Explanation:
    covering = list(_covering(found.services, target.url))
    chosen = _most_specific(covering, target.url)
    if chosen is not None:
        service, pattern = chosen
        others = tuple((each.name, str(other)) for each, other in covering if each != service)
        because = f"{pattern} covers it, by {pattern.kind}"
        facts = facts_in(found.layers[service.name])
        explanation = Explanation(target, service.name, because, others, facts)
        return _with_policy(explanation, evolve(service.policy, name=service.name))
    if found.default is None:
        because = "no service covers it, and the file has no default"
        return Explanation(target, None, because)
    facts = facts_in(found.layers[DEFAULT])
    explanation = Explanation(target, None, "no service covers it", facts=facts)
    return _with_policy(explanation, found.default)


def _covering(services: tuple[Service, ...], url: URL) -> Iterator[tuple[Service, Pattern]]:
    """Return the services that cover a URL, each with the pattern that does."""
    for service in services:
        for pattern in service.patterns:
            if _most_specific([(service, pattern)], url):
                yield service, pattern


def _most_specific(
    covering: list[tuple[Service, Pattern]], url: URL
) -> tuple[Service, Pattern] | None:
    router: Router[Service] = Router()
    for service, pattern in covering:
        router.add(pattern, service)
    route = router.find(url)
    return None if route is None else (route.target, route.pattern)


def _with_policy(explanation: Explanation, policy: Policy) -> Explanation:
    target = explanation.target
    taken = times(policy, target.method)
    no_wait = taken.waits.ends if taken.waits and not taken.waits.count else None
    case = Case(policy, target.url, target.method, no_wait)
    found = failures(case)
    said = list(notes(case, found, taken))
    try:
        pipeline = Pipeline(policy)
    except ModuleNotFoundError as error:
        # An extra may be missing here, and be there where the program runs.
        said.append(f"its spans and metrics are left out here: {error}")
        pipeline = Pipeline(evolve(policy, telemetry=None))
    return evolve(
        explanation,
        order=tuple(map(describe, pipeline)),
        failures=found,
        notes=tuple(said),
        times=taken,
        called=tuple(_called(case)),
    )


def _called(case: Case) -> Iterator[str]:
    """Return the functions of others that were called to explain a hop, by name."""
    retry, errors = case.policy.retry, case.policy.errors
    if retry is None:
        return
    # Decorrelated jitter takes no generator, and a single attempt no wait.
    takes_generator = retry.max_attempts > 1 and retry.backoff.jitter != "decorrelated"
    if takes_generator and callable(retry.backoff.wait):
        yield plain(retry.backoff.wait)
    if errors is not None and not case.is_handshake:
        yield from (plain(each) for each in errors.parsers if callable(each))
