"""What would happen to a request, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen
from yarl import URL

from resilient.cli.explain.case import Case
from resilient.cli.explain.failures import Failure, failures
from resilient.cli.explain.notes import notes
from resilient.cli.explain.target import Target
from resilient.cli.explain.times import Times, times
from resilient.cli.plain import facts_in
from resilient.pipeline.describe import describe
from resilient.pipeline.pipeline import Pipeline
from resilient.pipeline.policy import Policy
from resilient.services.config.configuration import Configuration
from resilient.services.config.layers import DEFAULT
from resilient.services.pattern import Pattern
from resilient.services.router import Router
from resilient.services.service import Service

__all__ = ["Explanation", "explain_request"]


@frozen
class Explanation:
    """What would happen to a request.

    Attributes:
        target: The request.
        service: The name of the service that takes it; None if none does.
        because: Why that one.
        others: Services that cover the URL too, less specifically: their names and patterns.
        facts: What is known of the service and not acted on, as JSON has it.
        order: Its pipeline, outermost first; empty where aiohttp is left alone.
        failures: Which are repeated, and which are not.
        notes: What else decides.
        times: Waits, and how long it may take; None where aiohttp is left alone.
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


def explain_request(found: Configuration, target: Target) -> Explanation:
    """Explain what the services of a file do with a request."""
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
    """The services that cover a URL, and their patterns that do."""
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
    return evolve(
        explanation,
        order=tuple(map(describe, Pipeline(policy))),
        failures=found,
        notes=tuple(notes(case, found, taken)),
        times=taken,
    )
