"""Tell what changed between two sets of services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, fields, frozen, has

from resilient.pipeline.policy import Policy
from resilient.services.service import Service

__all__ = ["Changes", "changes_between"]


@frozen
class Changes:
    """The services that changed, and their settings; false if nothing did.

    Attributes:
        added: The names of services that are new.
        removed: The names of services that are gone.
        changed: The dotted keys of the settings that changed, by the name of the service:
            {"mavio": ("total_timeout", "retry.max_attempts")}; "match" and "facts" are among them.
        default: The same of the default policy; ("default",) if there is one now, or none any more.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)
    default: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The dotted keys that changed, with the names of their services before them."""
        named = [f"{name}.{key}" for name, keys in self.changed.items() for key in keys]
        whole = ("default",)
        default = self.default if self.default == whole else [f"default.{k}" for k in self.default]
        return (*named, *default)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.default)


def changes_between(
    before: Mapping[str, Service],
    after: Mapping[str, Service],
    default_before: Policy | None,
    default_after: Policy | None,
) -> Changes:
    """Return what changed.

    Args:
        before: The services as they were, by their names.
        after: The services as they are to be.
        default_before: The default policy as it was.
        default_after: The default policy as it is to be.
    """
    both = {name: tuple(_of_service(before[name], after[name])) for name in after if name in before}
    default: tuple[str, ...] = ()
    if default_before is not None and default_after is not None:
        default = tuple(_differences(default_before, default_after, ""))
    elif default_before is not default_after:
        default = ("default",)
    return Changes(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        {name: keys for name, keys in both.items() if keys},
        default,
    )


def _of_service(before: Service, after: Service) -> Iterator[str]:
    if before.match != after.match:
        yield "match"
    yield from _differences(before.policy, after.policy, "")
    if before.facts != after.facts:
        yield "facts"


def _differences(before: Any, after: Any, prefix: str) -> Iterator[str]:
    for attribute in fields(type(before)):
        # The name of a policy is that of its service.
        if not attribute.init or (attribute.name == "name" and isinstance(before, Policy)):
            continue
        old, new = getattr(before, attribute.name), getattr(after, attribute.name)
        if old == new:
            continue
        if has(type(old)) and type(old) is type(new):
            yield from _differences(old, new, f"{prefix}{attribute.name}.")
        else:
            yield f"{prefix}{attribute.name}"
