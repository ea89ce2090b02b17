"""Choose the pipeline of a service by the URL of the request."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from attrs import evolve
from yarl import URL

from resilient.bulkhead import Bulkhead
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.errors import ConfigError
from resilient.pipeline.branches import Branches
from resilient.pipeline.pipeline import Pipeline
from resilient.pipeline.policy import Policy
from resilient.retry import RetryBudget
from resilient.services.changes import Changes, changes_between
from resilient.services.config.reading import read_services
from resilient.services.router import Route, Router
from resilient.services.service import Service, clashes
from resilient.support.validation import instance, optional, validated
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.events import Listener
from resilient.telemetry.telemetry import Telemetry
from resilient.throttle import Throttle

__all__ = ["Services"]

# How many names are shown in a line.
_NAMED: Final = 20

_POLICY: Final = optional(instance(Policy, "a Policy"))
_BUDGET: Final = optional(instance(RetryBudget, "a RetryBudget"))
_THROTTLE: Final = optional(instance(Throttle, "a Throttle"))
_BULKHEAD: Final = optional(instance(Bulkhead, "a Bulkhead"))
_TELEMETRY: Final = optional(instance(Telemetry, "a Telemetry"))


class Services(Branches, Mapping[str, Pipeline]):
    """Run each request through the pipeline of the service that its URL belongs to.

        services = Services([Service("mavio", "https://api.mavio.example", policy)])
        session = aiohttp.ClientSession(middlewares=[services])
        session = resilient.wrap(existing, services)
        services["mavio"].breaker.circuit("https://api.mavio.example").isolate()

    It is also a mapping of names to pipelines, and true even if it has no service. If several
    services cover a URL, the most specific takes it: an exact origin before a wildcard, a
    longer wildcard before a shorter one, then the longest path prefix. It does not matter in
    which form a URL is written (a host in capitals, `%61` for `a`, `/x/../v4`).

    aiohttp runs its middlewares for each hop of a redirect, so each hop is under the policy of
    its own service. Under `wrap`, the deadline of the first hop also holds for later hops,
    unless the policy of a later hop has no deadline.

    Args:
        services: Their order does not matter.
        default: The policy for URLs that no service covers. By default those are left to
            aiohttp.
        listeners: Called with the events of all pipelines; events carry the service's name.
        budget: A retry budget that all pipelines share, in place of one for each. By default
            each pipeline has the budget that its policy describes.
        throttle: A throttle that all pipelines share, in place of those of their policies.
        bulkhead: A bulkhead that all pipelines share, in place of those of their policies.
        telemetry: What the policies that have telemetry tell of their calls; by default
            OpenTelemetry's global providers.
        clock: The source of time, sleep and randomness.

    Attributes:
        default: The policy for URLs that no service covers, as it was given, or None.
        default_pipeline: The pipeline made from that policy, or None.

    Raises:
        ConfigError: A value of the wrong type, two services of one name, or two that cover the
            same URLs.
        ModuleNotFoundError: A policy has telemetry, and OpenTelemetry is not installed.
    """

    __slots__ = (
        "_emitter",
        "_pipelines",
        "_router",
        "_services",
        "_shared",
        "_telemetry",
        "default",
        "default_pipeline",
    )

    def __init__(
        self,
        services: Iterable[Service],
        *,
        default: Policy | None = None,
        listeners: Iterable[Listener] = (),
        budget: RetryBudget | None = None,
        throttle: Throttle | None = None,
        bulkhead: Bulkhead | None = None,
        telemetry: Telemetry | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        services = _checked(services)
        self.default: Policy | None = validated(self, "default", default, _POLICY)
        validated(self, "budget", budget, _BUDGET)
        validated(self, "throttle", throttle, _THROTTLE)
        validated(self, "bulkhead", bulkhead, _BULKHEAD)
        self._telemetry = validated(self, "telemetry", telemetry, _TELEMETRY)
        self._emitter = Emitter(tuple(listeners))
        self._shared: dict[str, Any] = {
            "budget": budget,
            "throttle": throttle,
            "bulkhead": bulkhead,
            "clock": clock,
        }
        self._services: dict[str, Service] = {}
        self._pipelines: dict[str, Pipeline] = {}
        self.default_pipeline: Pipeline | None = None
        self._prepared(services, default)()

    def _prepared(
        self, services: tuple[Service, ...], default: Policy | None
    ) -> Callable[[], None]:
        """Return a function that puts services in the place of those that there are.

        All that can fail happens here, and nothing of it shows before that function is called.
        """
        policies = [each.policy for each in services] + ([] if default is None else [default])
        if self._telemetry is None and any(each.telemetry is not None for each in policies):
            self._telemetry = Telemetry()
        steps: list[Callable[[], None]] = []
        pipelines: dict[str, Pipeline] = {}
        router: Router[Pipeline] = Router()
        for service in services:
            policy = evolve(service.policy, name=service.name)
            made = self._pipeline(self._pipelines.get(service.name), policy, steps)
            pipelines[service.name] = made
            for pattern in service.patterns:
                router.add(pattern, made)
        rest = None
        if default is not None:
            rest = self._pipeline(self.default_pipeline, default, steps)

        def commit() -> None:
            for step in steps:
                step()
            self._services = {service.name: service for service in services}
            self._pipelines = pipelines
            self._router = router
            self.default, self.default_pipeline = default, rest

        return commit

    def _pipeline(
        self, known: Pipeline | None, policy: Policy, steps: list[Callable[[], None]]
    ) -> Pipeline:
        """Return the pipeline for a policy: the one that is there, or a new one.

        Args:
            known: The one that is there.
            policy: The policy.
            steps: What is to be done for it to have that policy is appended.
        """
        listeners, telemetry = self._emitter.listeners, self._telemetry
        if known is None:
            return Pipeline(policy, listeners=listeners, telemetry=telemetry, **self._shared)
        if known.policy != policy:
            steps.append(known._prepared(policy, listeners, telemetry))
        return known

    def replace(self, services: Iterable[Service], *, default: Policy | None = None) -> Changes:
        """Put other services in the place of those that there are, all of them or none.

        A service of the same name keeps its pipeline, and of that the circuits, gates, queues and
        budgets whose settings did not change. Who waits in a queue that goes is asked anew by the
        guard in its place, and waits by its settings from then on; but never less than the time
        that a server has named. Calls under way end as they began. New calls are under the new
        policies at once. Call it in the thread of the event loop.

        Whether spans are made is decided when a session is wrapped, for the policies that there
        are then.

        Args:
            services: Their order does not matter.
            default: The policy for URLs that no service covers; None to leave those to aiohttp.

        Returns:
            What changed.

        Raises:
            ConfigError: As for `Services`; then everything stays as it was.
            ModuleNotFoundError: As for `Services`.
            RuntimeError: Calls are under way in the event loop of another thread.
        """
        return self._replace(_checked(services), validated(self, "default", default, _POLICY), None)

    def reload(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        *,
        code: bool | Iterable[str] = False,
        environ: bool | Mapping[str, str] = False,
    ) -> Changes:
        """Read a file of services anew, and put its services in the place of those that there are.

            services = resilient.load_services("resilient.toml")
            ...
            changes = services.reload("resilient.toml")

        Everything is as `replace` has it. Listeners and the log are told with a `ReloadEvent`: of
        what changed if anything did, or of everything that is wrong. `watch_services` does this
        whenever the file changes.

        Args:
            source: As for `load_services`, and so are `code` and `environ`.
            code: The code that the file may name. By default it may name none.
            environ: Variables that outrank the file. By default they change nothing.

        Returns:
            What changed.

        Raises:
            ConfigError: Everything that is wrong with the file; then everything stays as it was.
            ModuleNotFoundError: The extra `config` is not installed, or as for `Services`.
            RuntimeError: Calls are under way in the event loop of another thread.
        """
        file = None if isinstance(source, Mapping) else os.fsdecode(source)
        try:
            read = read_services(source, code, environ)
        except ConfigError as error:
            self._refuse(error, file)
            raise
        return self._replace(read.services, read.default, file)

    def _refuse(self, error: ConfigError, source: str | None) -> None:
        """Tell that services are refused."""
        problems = tuple(map(str, error.problems))
        self._emitter.announce("reload", source=source, problems=problems)

    def _replace(
        self, services: tuple[Service, ...], default: Policy | None, source: str | None
    ) -> Changes:
        after = {service.name: service for service in services}
        changes = changes_between(self._services, after, self.default, default)
        self._prepared(services, default)()
        if changes:
            self._emitter.announce(
                "reload",
                source=source,
                added=changes.added,
                removed=changes.removed,
                changed=changes.keys,
            )
        return changes

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run a request through the pipeline of its service."""
        route = self._router.find(request.url)
        chosen = self.default_pipeline if route is None else route.target
        return handler(request) if chosen is None else chosen(request, handler)

    def route(self, url: URL | str) -> Route[Service] | None:
        """Return the service that a URL belongs to and the pattern that decided, or None."""
        route = self._router.find(URL(url))
        if route is None:
            return None
        policy = route.target.policy
        assert policy is not None, "made from one"
        return Route(route.pattern, self._services[policy.name])

    @property
    def services(self) -> tuple[Service, ...]:
        """The services, in the order in which they were given."""
        return tuple(self._services.values())

    def alternatives(self) -> Iterator[Iterable[ClientMiddlewareType]]:
        """Return the pipelines that a request may go through."""
        yield from self._pipelines.values()
        yield () if self.default_pipeline is None else self.default_pipeline

    def snapshot(self) -> dict[str, Any]:
        """Return the state of each service now, as plain data for a health endpoint.

            {"services": {NAME: as `Pipeline.snapshot` returns it, ...},
             "default": ...}

        The last is the same of the default policy, or null if there is none.
        """
        default = self.default_pipeline
        return {
            "services": {name: made.snapshot() for name, made in self._pipelines.items()},
            "default": None if default is None else default.snapshot(),
        }

    def describe(self) -> str:
        """Return a text with a line for each service."""
        lines = [f"{each.name}: {', '.join(each.match)}" for each in self.services]
        return "\n".join([*lines, f"the rest: {self._rest}"])

    def summary(self) -> str:
        """Return the names of the services, in a line."""
        return f"{self._names}; the rest: {self._rest}"

    @property
    def _rest(self) -> str:
        return "left to aiohttp alone" if self.default is None else "the default"

    @property
    def _names(self) -> str:
        """The first names, separated by commas."""
        more = ["…"] if len(self) > _NAMED else []
        return ", ".join([*islice(self, _NAMED), *more]) or "none"

    __str__ = describe

    def __repr__(self) -> str:
        return f"<Services {self._names}>"

    def __getitem__(self, name: str) -> Pipeline:
        """Return the pipeline of a service, by the service's name."""
        try:
            return self._pipelines[name]
        except KeyError:
            raise KeyError(f"no service is named {name!r}; there are: {self._names}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._pipelines)

    def __len__(self) -> int:
        return len(self._pipelines)

    def __bool__(self) -> bool:
        # As a middleware it is there, whatever it holds; a mapping without items is false.
        return True

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
