"""Imports point down only, capabilities do not import each other, and names are as promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import resilient
import resilient.breaker
import resilient.envelopes
import resilient.testing

ROOT = Path(resilient.__file__).parent

# The first that fits counts. A module may import modules of its own number and below.
LEVELS = [
    ("resilient.retry.middleware", 2),
    ("resilient.retry", 1),
    ("resilient.breaker.middleware", 2),
    ("resilient.breaker", 1),
    ("resilient.envelopes.middleware", 2),
    ("resilient.envelopes", 1),
    ("resilient.lazy", 0),
    ("resilient.errors", 0),
    ("resilient.field_error", 0),
    ("resilient.clock", 0),
    ("resilient.redact", 0),
    ("resilient.validation", 0),
    ("resilient.references", 0),
    ("resilient.emitter", 0),
    ("resilient.events", 0),
    ("resilient.history", 0),
    ("resilient.call", 0),
    ("resilient.attempt", 1),
    ("resilient.outcome", 1),
    ("resilient.retry_after", 1),
    ("resilient.pool", 1),
    ("resilient.timers", 1),
    ("resilient.bodies", 1),
    ("resilient.window", 1),
    ("resilient.timeouts", 2),
    ("resilient.nesting", 3),
    ("resilient.order", 3),
    ("resilient.composition", 3),
    ("resilient.services.config", 4),
    ("resilient.services.presets", 4),
    ("resilient.services", 3),
    ("resilient.session", 4),
    ("resilient.testing", 5),
    ("resilient.cli", 5),
    ("resilient.__main__", 5),
]
CAPABILITIES = ("resilient.retry", "resilient.breaker", "resilient.envelopes")


def level(module: str) -> int:
    for prefix, number in LEVELS:
        if module == prefix or module.startswith(prefix + "."):
            return number
    raise AssertionError(f"{module} has no level: give it one in LEVELS")


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what is imported for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports when it runs."""
    tree = WithoutTypes().visit(ast.parse(path.read_text(encoding="utf-8")))
    return {
        str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("resilient.")
    }


def name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_down_only(path: Path) -> None:
    module = name(path)
    is_package = path.name == "__init__.py"
    for imported in imports(path):
        if is_package and imported.startswith(module + "."):
            continue
        assert level(imported) <= level(module), f"{module} imports {imported} from above"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_capabilities_do_not_import_each_other(path: Path) -> None:
    own = next((each for each in CAPABILITIES if name(path).startswith(each)), None)
    if own is None:
        return
    for imported in imports(path):
        other = next((each for each in CAPABILITIES if imported.startswith(each + ".")), own)
        # Retry-After has a file of its own, which begins alike.
        assert other == own or imported == "resilient.retry_after"


def test_errors_import_nothing_of_ours() -> None:
    assert imports(ROOT / "errors.py") == set()


def test_only_the_schedule_imports_backoff() -> None:
    importers = [
        name(path)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(each.name == "backoff" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "backoff")
    ]
    assert importers == ["resilient.retry.schedule"]


@pytest.mark.parametrize(
    "package",
    [resilient, resilient.breaker, resilient.envelopes, resilient.testing],
    ids=lambda each: each.__name__,
)
def test_names_have_the_homes_that_type_checkers_see(package: ModuleType) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None
    }
    assert seen == package._HOMES
    assert package.__all__ == sorted(seen)
    assert set(seen) <= set(dir(package))
    with pytest.raises(AttributeError, match="'nonsense'"):
        package.nonsense  # noqa: B018 (it must not be there)


def test_importing_the_package_imports_nothing_of_its_own_yet() -> None:
    code = "import sys, resilient, resilient.testing; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    ours = {name for name in loaded if name.partition(".")[0] == "resilient"}
    assert ours == {"resilient", "resilient.lazy", "resilient.testing"}
    assert not {"aiohttp", "attrs", "aioresponses"} & set(loaded)


def test_a_pipeline_does_not_import_what_only_failures_and_listeners_need() -> None:
    code = "import sys, resilient; resilient.Pipeline(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "resilient.retry.middleware" in loaded
    later = {
        "resilient.breaker.circuit",
        "resilient.envelopes.chain",
        "resilient.envelopes.flat",
        "resilient.events",
        "resilient.field_error",
        "resilient.history",
        "resilient.retry.decision",
        "resilient.retry_after",
    }
    assert not later & set(loaded)
    # Nor anything big of other people's that aiohttp does without.
    assert not {"backoff", "difflib", "http_sf", "importlib.metadata", "pkgutil"} & set(loaded)


def test_every_public_name_is_there_sorted_and_documented() -> None:
    names = resilient.__all__
    assert names == sorted(names)
    undocumented = [each for each in names if not getattr(resilient, each).__doc__]
    # A union and an alias cannot carry a docstring of their own.
    assert set(undocumented) <= {"Event", "Listener"}


def test_the_names_that_others_build_on_are_there() -> None:
    promised = """
        Pipeline Policy ErrorPolicy RetryPolicy Backoff BreakerPolicy NormalizeErrors Deadline
        Retry CircuitBreaker AttemptTimeout wrap pipeline_of attempts_of override
        parse_retry_after parse_error FieldError ResilientError APIError BadRequestError
        ValidationError AuthenticationError PermissionDeniedError NotFoundError
        NotAcceptableError ConflictError UnprocessableEntityError RateLimitError ServerError
        InternalServerError BadGatewayError ServiceUnavailableError GatewayTimeoutError
        CircuitOpenError DeadlineExceededError AttemptTimeoutError ConnectionFailedError
        ConfigError
    """
    assert set(promised.split()) <= set(resilient.__all__)
