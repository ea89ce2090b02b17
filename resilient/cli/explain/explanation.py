"""What would happen to a request, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen
from yarl import URL

from resilient.cli.explain.failures import Failure, failures
from resilient.cli.explain.target import Target
from resilient.cli.explain.times import Times, times
from resilient.composition import Pipeline, Policy
from resilient.order import describe
from resilient.retry import RetryPolicy
from resilient.services.config.configuration import Configuration
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
        facts: What is known of the service and not acted on.
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
        explanation = Explanation(
            target,
            service.name,
            f"{pattern} is {pattern.kind}",
            others,
            service.facts,
        )
        return _with_policy(explanation, evolve(service.policy, name=service.name))
    if found.default is None:
        return Explanation(target, None, "no service covers it, and there is no default")
    return _with_policy(
        Explanation(target, None, "no service covers it, so the default does"), found.default
    )


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
    return evolve(
        explanation,
        order=tuple(map(describe, Pipeline(policy))),
        failures=failures(policy, target.url, target.method),
        notes=tuple(_notes(policy)),
        times=times(policy),
    )


def _notes(policy: Policy) -> Iterator[str]:
    retry = policy.retry
    if retry is None:
        yield "nothing is repeated: the policy has no retry"
    else:
        yield from _retry_notes(retry)
    if policy.errors is not None and policy.errors.ignore:
        ignored = ", ".join(map(str, sorted(policy.errors.ignore)))
        yield f"{ignored}: handed over as responses, where others are raised as errors"
    if policy.total_timeout is None:
        yield "no deadline: the session's own ClientTimeout is what remains (5 min by default)"
    yield "a redirect is another hop, with attempts of its own and the policy of its own service"


def _retry_notes(retry: RetryPolicy) -> Iterator[str]:
    if retry.judge is not None:
        yield "retry.judge is asked first, and decides if it answers"
    if retry.heed_should_retry:
        yield "a server's x-should-retry: true or false decides before the table"
    if retry.exceptions:
        names = ", ".join(each.__name__ for each in retry.exceptions)
        yield f"retry.exceptions: {names} as well"
    if retry.budget is not None:
        yield (
            f"all under a budget: {retry.budget.ratio:.0%} of the calls, and "
            f"{retry.budget.min_per_second:g} a second in any case"
        )
    yield (
        f"a Retry-After is waited out, spread upward; one of more than {retry.max_retry_after:g} s "
        "is not: the call fails at once"
    )
    yield "a body that can be read only once is never sent again"
