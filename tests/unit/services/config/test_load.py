"""`load_services`: what it hands on, and what it takes to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import resilient
from resilient import (
    BudgetPolicy,
    PipelineWarning,
    Policy,
    Retry,
    RetryBudget,
    Services,
    load_services,
)
from resilient.services.config.layers import preset_names, preset_table
from resilient.testing import EventLog, FakeClock, ScriptedHandler
from tests.unit.services.config.problems import error, service

# What reading a file takes, and a program that reads none should not pay for.
MACHINERY = ["cattrs", "difflib", "importlib.metadata", "tomllib"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which takes the package from where the tests do."""
    root = str(Path(resilient.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


def test_importing_resilient_imports_nothing_that_reads_files() -> None:
    done = run(
        "import aiohttp, attrs\n"
        "before = {*sys.modules}\n"
        "import resilient, resilient.services\n"
        "assert resilient.load_services and resilient.Services\n"
        "print(*sorted({*sys.modules} - before))"
    )
    assert done.stderr == ""
    added = set(done.stdout.split())
    assert not added & {*MACHINERY}
    config = "resilient.services.config"
    assert {each for each in added if each.startswith(("cattr", config))} == {
        config,
        f"{config}.load",
        f"{config}.reading",
    }


def test_the_machinery_is_named_rightly() -> None:
    # A module that is never imported would be missed by the test above in vain.
    done = run(
        "import resilient\n"
        "try: resilient.load_services({'default': {'errors': {'parsers': ['neted']}}})\n"
        "except resilient.ConfigError: pass\n"
        "print(*sys.modules)"
    )
    assert done.stderr == ""
    assert set(MACHINERY) <= set(done.stdout.split())


def test_without_cattrs_it_says_what_to_install(tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text("[services.a]\nmatch = 'https://a.example'\n")
    done = run(
        "sys.modules['cattrs'] = None\n"
        "import resilient\n"
        "resilient.Services([resilient.Service('a', 'https://a.example')])\n"
        f"for source in ({str(file)!r}, 'nowhere', {{}}, None):\n"
        "    try: resilient.load_services(source)\n"
        "    except ModuleNotFoundError as error: print(error.name, error, sep=': ')\n"
    )
    assert done.stderr == ""
    needs = 'cattrs: a file of services needs cattrs: pip install "resilient-aiohttp[config]"'
    assert done.stdout.splitlines() == [needs] * 4


def test_a_file_as_in_the_docstring(tmp_path: Path) -> None:
    lines = str(inspect.getdoc(load_services)).splitlines()
    shown = [line for line in lines if line.startswith("    ")]
    file = tmp_path / "services.toml"
    file.write_text("\n".join(shown[: shown.index('    extends = "standard"') + 1]))
    services = load_services(file)
    policy = services["mavio"].policy
    assert policy is not None
    assert policy.total_timeout == 20
    assert policy.retry is not None
    assert policy.retry.max_attempts == 5
    assert "validation_error" in policy.retry.fatal_codes
    assert services.default_pipeline is not None
    assert services.default_pipeline.policy == Policy()


def test_what_is_loaded_are_services() -> None:
    services = load_services({**service(total_timeout=50), "default": {"attempt_timeout": 5}})
    assert type(services) is Services
    route = services.route("https://a.example/x")
    assert route is not None
    assert route.target.policy.total_timeout == 50
    assert services["a"].policy == Policy(name="a", total_timeout=50)
    assert services.default_pipeline is not None
    assert services.default_pipeline.policy == Policy(attempt_timeout=5)
    assert load_services(service()).default is None


async def test_it_hands_on_listeners_budget_and_clock() -> None:
    log, clock, budget = EventLog(), FakeClock(draw=0), RetryBudget(BudgetPolicy())

    document = {**service(match="https://a.example"), "default": {}}
    services = load_services(document, listeners=iter([log]), budget=budget, clock=clock)
    assert services.default_pipeline is not None
    for pipeline in (services["a"], services.default_pipeline):
        retry = pipeline.find(Retry)
        assert retry is not None
        assert retry._budget is budget
    for url in ("https://a.example/", "https://elsewhere.example/"):
        handler = ScriptedHandler()
        handler.expect("GET", url).reply(503, headers={"Retry-After": "2"})
        handler.expect("GET", url).reply(200)
        await handler.run(services, "GET", url)
    assert clock.sleeps == [2, 2]
    assert [wait.name for wait in log.waits] == ["a", "default"]
    with pytest.raises(TypeError):
        load_services(document, [log])  # type: ignore[call-arg, list-item]  # by keyword only


def test_each_call_makes_services_of_their_own() -> None:
    document = service()
    assert load_services(document) != load_services(document)


def test_nothing_is_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    load_services({"services": {name: {"match": f"https://{name}.example"} for name in "abc"}})
    assert not [each for each in recwarn if each.category is PipelineWarning]


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_presets_cannot_be_changed(name: str) -> None:
    preset: Any = preset_table(name)
    for table in (preset, *(each for each in preset.values() if isinstance(each, Mapping))):
        with pytest.raises(TypeError):
            table["x"] = {}
    assert preset is preset_table(name)
    assert not isinstance(preset.get("facts", {}).get("source"), list)


def test_files_do_not_change_presets() -> None:
    before = repr(preset_table("mavio"))
    error({"services": {"a": {"extends": "mavio", "retry": {"x": 1, "backoff": {"y": 1}}}}})
    load_services(service(extends="mavio", retry={"backoff": {"cap": 9}}, facts={"x": 1}))
    assert repr(preset_table("mavio")) == before
