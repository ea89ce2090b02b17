"""Configure what OpenTelemetry is told of a service."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from resilient.errors import ConfigError
from resilient.support.validation import as_tuple, at_least, each, instance
from resilient.telemetry.templates import problems_of

__all__ = ["TelemetryPolicy"]

_PATHS = each(str, 'paths such as "/meetings/{id}"')


def _templates(instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, tuple):
        _PATHS(instance, attribute, value)
    if found := list(problems_of(value)):
        raise ConfigError.of_all(found)


@frozen(kw_only=True)
class TelemetryPolicy:
    """The spans and metrics of a service; they need `pip install "resilient-aiohttp[otel]"`.

    Attributes:
        templates: The paths of the service, such as "/meetings/{id}", in which a `{name}` is one
            segment. The one that matches is the `url.template` of spans and metrics, and in the
            name of a span; by default none.
        call_spans: Whether a call has a span, around those of its attempts; by default True.
        attempt_spans: Whether each attempt has a span; by default True.
        metrics: Whether there are metrics; by default True.
        propagate: Whether requests carry the context, in `traceparent`; by default True.
        show_query: Whether `url.full` has the query, with the keys of signatures redacted; by
            default False: then it has `?*` in its place.
        max_servers: How many `server.address` metrics may have in this process; others are
            "_OTHER". By default 200.

    Raises:
        ConfigError: A value that makes no sense, or templates that clash.
    """

    templates: tuple[str, ...] = field(default=(), converter=as_tuple, validator=_templates)
    call_spans: bool = field(default=True, validator=instance(bool, "True or False"))
    attempt_spans: bool = field(default=True, validator=instance(bool, "True or False"))
    metrics: bool = field(default=True, validator=instance(bool, "True or False"))
    propagate: bool = field(default=True, validator=instance(bool, "True or False"))
    show_query: bool = field(default=False, validator=instance(bool, "True or False"))
    max_servers: int = field(default=200, validator=at_least(1))
