"""A pipeline for each service, chosen by the URL of the request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from attrs import evolve
from yarl import URL

from resilient.breaker.middleware import Key
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.errors import ConfigError
from resilient.pipeline.branches import Branches
from resilient.pipeline.pipeline import Pipeline
from resilient.pipeline.policy import Policy
from resilient.services.router import Route, Router
from resilient.services.service import Service, clashes
from resilient.telemetry.events import Listener

__all__ = ["Services"]

# How many names are shown in a line.
_NAMED: Final = 20


class Services(Branches, Mapping[str, Pipeline]):
    """Hands each request to the pipeline of the service that its URL belongs to.

        services = Services([Service("mavio", "https://api.mavio.example", policy)])
        session = aiohttp.ClientSession(middlewares=[services])
        session = resilient.wrap(existing, services)
        services["mavio"].breaker.circuit("https://api.mavio.example").isolate()

    It is a mapping of names to pipelines as well. Of several services that cover a URL the
    most specific takes it: an exact origin before a wildcard, a longer wildcard before a
    shorter one, then the longest path prefix. aiohttp runs its middlewares for each hop of
    a redirect, so that each hop is under the policy of its own service; under `wrap` the
    deadline of the first hop goes on holding for those after it, unless their own service
    has none.

    Args:
        services: Their order does not matter.
        default: The policy for URLs that no service covers; None leaves those to aiohttp.
        listeners: Told of what happens, in all pipelines; events carry the service's name.
        key: Which circuit a request belongs to; by default one per origin.
        clock: The source of time, sleep and randomness.

    Attributes:
        default: The pipeline of the URLs that no service covers, or None.

    Raises:
        ConfigError: Two services of one name, or two that cover the same URLs.
    """

    __slots__ = ("_pipelines", "_router", "_services", "default")

    def __init__(
        self,
        services: Iterable[Service],
        *,
        default: Policy | None = None,
        listeners: Iterable[Listener] = (),
        key: Key | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        services = _checked(services)
        if default is not None and not isinstance(default, Policy):
            raise ConfigError.of("Services.default", default, "None or a Policy")
        listeners = tuple(listeners)

        def pipeline(policy: Policy) -> Pipeline:
            return Pipeline(policy, listeners=listeners, key=key, clock=clock)

        self.default = None if default is None else pipeline(default)
        self._services = {service.name: service for service in services}
        self._pipelines: dict[str, Pipeline] = {}
        self._router: Router[Pipeline] = Router()
        for service in services:
            made = pipeline(evolve(service.policy, name=service.name))
            self._pipelines[service.name] = made
            for pattern in service.patterns:
                self._router.add(pattern, made)

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run a request through the pipeline of its service."""
        route = self._router.find(request.url)
        chosen = self.default if route is None else route.target
        return handler(request) if chosen is None else chosen(request, handler)

    def route(self, url: URL | str) -> Route[Service] | None:
        """The service that a URL belongs to, and the pattern which says so; None if none."""
        route = self._router.find(URL(url))
        if route is None:
            return None
        policy = route.target.policy
        assert policy is not None, "made from one"
        return Route(route.pattern, self._services[policy.name])

    @property
    def services(self) -> tuple[Service, ...]:
        """What it was made from."""
        return tuple(self._services.values())

    def alternatives(self) -> Iterator[Iterable[ClientMiddlewareType]]:
        """The pipelines that a request may go through."""
        yield from self._pipelines.values()
        yield () if self.default is None else self.default

    def describe(self) -> str:
        """What is in it, a line for each service."""
        lines = [f"{each.name}: {', '.join(each.match)}" for each in self.services]
        return "\n".join([*lines, f"the rest: {self._rest}"])

    def summary(self) -> str:
        """What is in it, in a line."""
        return f"{self._names}; the rest: {self._rest}"

    @property
    def _rest(self) -> str:
        return "left to aiohttp alone" if self.default is None else "the default"

    @property
    def _names(self) -> str:
        """The names, as many as one may want to read."""
        more = ["…"] if len(self) > _NAMED else []
        return ", ".join([*islice(self, _NAMED), *more]) or "none"

    __str__ = describe

    def __repr__(self) -> str:
        return f"<Services {self._names}>"

    def __getitem__(self, name: str) -> Pipeline:
        """The pipeline of a service."""
        try:
            return self._pipelines[name]
        except KeyError:
            raise KeyError(f"no service is named {name!r}; there are: {self._names}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._pipelines)

    def __len__(self) -> int:
        return len(self._pipelines)

    # Two are the same only if they share their state.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _checked(given: Iterable[Service]) -> tuple[Service, ...]:
    try:
        services = tuple(given)
    except TypeError:
        raise ConfigError.of("Services", given, "made of Service values") from None
    for service in services:
        if not isinstance(service, Service):
            raise ConfigError.of("Services", service, "made of Service values")
    names = [service.name for service in services]
    problems = [
        ConfigError.of("Service.name", name, "a name that no other service has")
        for name, count in Counter(names).items()
        if count > 1
    ]
    problems += [
        ConfigError.of(
            "Service.match",
            str(pattern),
            f"apart from that of service {earlier.name!r} (in service {service.name!r})",
        )
        for service, pattern, earlier in clashes(services)
    ]
    if problems:
        raise ConfigError.of_all(problems)
    return services
