"""Imports point down only and go in no circle, and names are as promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import resilient
import resilient.telemetry
import resilient.testing

ROOT = Path(resilient.__file__).parent

# The rooms, from the ground up. A module may import from rooms below its own, and from its own.
FLOORS = [
    ["clock", "reasons", "support.lazy", "support.redact", "support.words"],
    ["attempts"],
    ["errors"],
    ["support"],
    ["headers", "telemetry", "wire"],
    ["core"],
    ["timeouts", "retry", "throttle", "breaker", "bulkhead", "envelopes"],
    ["telemetry.calls", "telemetry.middleware"],
    ["pipeline"],
    ["services", "session"],
    ["testing", "cli", "__main__"],
]
CAPABILITIES = ("retry", "throttle", "breaker", "bulkhead", "envelopes")


def floor(module: str) -> int:
    """Where a module stands: by its own name if that is listed, else by its folder's."""
    inside = module.removeprefix("resilient.")
    numbers = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for room in (inside, inside.partition(".")[0]):
        if room in numbers:
            return numbers[room]
    raise AssertionError(f"{module} stands on no floor: give its folder one in FLOORS")


def name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in sorted(ROOT.rglob("*.py"))}
FACES = ("resilient", "resilient.testing", "resilient.telemetry")


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """The modules of ours that a module imports, for types alone included."""
    found = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "resilient":
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in MODULES else str(node.module))
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names if each.name in MODULES}
    return found


INNER = [module for module in MODULES if module not in FACES]


@pytest.mark.parametrize("module", INNER)
def test_imports_point_down_only(module: str) -> None:
    for imported in imports(module):
        if imported == "resilient.testing":  # the demo uses the kit as everybody does
            assert module.startswith("resilient.cli.")
            continue
        assert imported != "resilient", f"{module} imports its own package"
        assert floor(imported) <= floor(module), f"{module} imports {imported} from above"


@pytest.mark.parametrize("module", INNER)
def test_capabilities_do_not_import_each_other(module: str) -> None:
    room = module.split(".")[1]
    for imported in imports(module):
        other = imported.partition(".")[2].partition(".")[0]
        assert room not in CAPABILITIES or other == room or other not in CAPABILITIES, imported


def test_imports_go_in_no_circle_types_counted() -> None:
    graph = {module: imports(module) - {module} for module in INNER}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for imported in sorted(graph.get(module, ())):
                visit(imported, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def inside_functions(module: str) -> Iterator[str]:
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    yield str(inner.module)
                elif isinstance(inner, ast.Import):
                    yield from (each.name for each in inner.names)


# What is imported when it is needed, and why not before.
LATE = {
    # An extra: who reads no file need not have it.
    "resilient.services.config.reading": {"cattrs", "resilient.services.config.configuration"},
    # An extra: who watches no file need not have it.
    "resilient.services.watch": {"watchfiles"},
    # Only for a parser that is not built in.
    "resilient.envelopes.resolve": {"importlib.metadata", "difflib"},
    # Of bodies in XML and HTML, which are seldom met; if it cannot be imported, nothing was said.
    "resilient.envelopes.markup": {"html", "xml.parsers.expat"},
    # `import resilient` imports nothing.
    "resilient.support.lazy": {"dis"},
    # An extra: who has no telemetry need not have OpenTelemetry.
    "resilient.telemetry.telemetry": {"resilient.telemetry.instruments"},
    # Of a form that is seldom met; if it cannot be imported, nothing was said.
    "resilient.headers.retry_after": {"http_sf"},
}


@pytest.mark.parametrize(
    "module", [each for each in INNER if floor(each) < floor("resilient.testing")]
)
def test_nothing_is_imported_inside_a_function_but_for_extras(module: str) -> None:
    assert set(inside_functions(module)) <= LATE.get(module, set())


def test_only_the_schedule_imports_backoff() -> None:
    importers = [
        module
        for module in MODULES
        for node in ast.walk(parsed(module))
        if (isinstance(node, ast.Import) and any(each.name == "backoff" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "backoff")
    ]
    assert importers == ["resilient.retry.schedule"]


@pytest.mark.parametrize(
    "package", [resilient, resilient.testing, resilient.telemetry], ids=lambda each: each.__name__
)
def test_a_face_has_the_names_that_type_checkers_see(package: ModuleType) -> None:
    seen = {
        str(alias.asname): str(node.module)
        for node in ast.walk(parsed(package.__name__))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None
    }
    assert package.__all__ == sorted(seen)
    assert set(seen) <= set(dir(package))
    for each, home in seen.items():
        assert getattr(package, each) is getattr(sys.modules[home], each)
    with pytest.raises(AttributeError, match="'nonsense'"):
        package.nonsense  # noqa: B018 (it must not be there)


def loaded_by(code: str) -> set[str]:
    """The modules that a program has loaded when it ends."""
    program = f"import sys; {code}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


def test_importing_the_package_imports_nothing_of_its_own_yet() -> None:
    loaded = loaded_by("import resilient, resilient.testing")
    ours = {name for name in loaded if name.partition(".")[0] == "resilient"}
    assert ours == {
        "resilient",
        "resilient.support",
        "resilient.support.lazy",
        "resilient.testing",
    }
    assert not {"aiohttp", "attrs", "aioresponses"} & loaded


def test_a_pipeline_imports_nothing_big_that_aiohttp_does_without() -> None:
    loaded = loaded_by("import resilient; resilient.Pipeline()")
    assert "resilient.retry.middleware" in loaded
    assert not {"difflib", "http_sf", "importlib.metadata", "cattrs", "tomllib"} & loaded


def test_every_public_name_is_there_sorted_and_documented() -> None:
    names: list[str] = resilient.__all__  # type: ignore[attr-defined]  # found when asked for
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
    assert set(promised.split()) <= set(dir(resilient))
