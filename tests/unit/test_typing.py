"""Type checkers see what is public and nothing else, and users' mistakes with it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import resilient
import resilient.testing

API = Path(__file__).parents[1] / "typing" / "api.py"

both = pytest.mark.parametrize(
    "face", [resilient, resilient.testing], ids=lambda each: str(each.__name__)
)


@both
def test_the_typing_test_uses_every_public_name(face: ModuleType) -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(API.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == face.__name__
    }
    assert sorted(set(face.__all__) - used) == []


# A line that ends in a comment is a mistake, and the others are none.
MISTAKES = """
import asyncio
import aiohttp
import resilient
import resilient.testing
from aiohttp import ClientRequest
from resilient import Pipeline, RetryPolicy, override
from resilient import Pipelin  # wrong
from resilient import lazy_names  # wrong
from resilient.testing import FaultServr  # wrong
from resilient.retry import Retri  # wrong

# Names.
resilient.RatelimitError  # wrong
resilient.testing.FaultServr()  # wrong
try: ...
except resilient.RetryError: ...  # wrong
Pipeline().breakers  # wrong
Pipeline().breaker.circuit("https://a.example").opened  # wrong
resilient.Reason.BUGDET  # wrong

# Arguments.
RetryPolicy(3)  # wrong
RetryPolicy(max_attempt=3)  # wrong
RetryPolicy(max_attempts="3")  # wrong
RetryPolicy(exceptions=[TimeoutError()])  # wrong
RetryPolicy(backoff=0.5)  # wrong
resilient.Backoff(jitter="ful")  # wrong
resilient.Backoff(wait="exponential")  # wrong
resilient.Policy(retry=3)  # wrong
resilient.Policy(retry=resilient.BudgetPolicy())  # wrong
Pipeline(RetryPolicy())  # wrong
Pipeline(resilient.Retry())  # wrong
Pipeline.of(resilient.Policy())  # wrong
Pipeline.of(resilient.Retry)  # wrong
resilient.Retry(resilient.Policy())  # wrong
resilient.Service("mavio")  # wrong
resilient.Services(resilient.Policy())  # wrong
resilient.load_services(5)  # wrong
resilient.wrap("https://a.example")  # wrong
resilient.pipeline_of(Pipeline())  # wrong
resilient.attempts_of(None)  # wrong
resilient.ResetHeader("X-Reset", "milliseconds")  # wrong
resilient.testing.Reset("response")  # wrong
resilient.testing.Reply("503")  # wrong
resilient.testing.FaultServer(503)  # wrong
resilient.testing.Period(1, 2, since="begin")  # wrong
RetryPolicy().max_attempts = 5  # wrong

# Hooks.
async def async_listener(event: resilient.Event) -> None: ...
def no_listener() -> None: ...
async def async_judge(request: ClientRequest, outcome: object) -> bool: return True
def late_parser(status: int) -> None: ...
class NoClock:
    def time(self) -> float: return 0.0
Pipeline(listeners=[async_listener])  # wrong
Pipeline(listeners=[no_listener])  # wrong
Pipeline(listeners=async_listener)  # wrong
RetryPolicy(judge=async_judge)  # wrong
resilient.ErrorPolicy(parsers=[late_parser])  # wrong
Pipeline(clock=NoClock())  # wrong

def by_kind(event: resilient.Event) -> None:
    event.seconds  # wrong
    if event.kind == "waits": ...  # wrong
    if event.kind == "wait": event.status  # wrong

# What comes back.
@override(max_attempts=1)
async def book(number: int) -> str: return str(number)
async def main(session: aiohttp.ClientSession) -> None:
    await book("1")  # wrong
    book(1)  # wrong
    number: int = await book(1)  # wrong
    resilient.wrap(session).gett("/")  # wrong
    async with override(max_attempts=1): ...  # wrong
    override(retries=1)  # wrong
    seconds: float = resilient.parse_retry_after({})  # wrong
"""


@pytest.mark.slow
def test_mypy_reports_every_mistake_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    root = Path(resilient.__file__).parents[1]
    # What is installed it finds by itself.
    path = "" if root.name == "site-packages" else str(root)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "mistakes.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": path},
        capture_output=True,
        text=True,
    )
    lines = MISTAKES.splitlines()
    reported = {
        int(found) for found in re.findall(r"^mistakes\.py:(\d+): error:", run.stdout, re.M)
    }
    found = [line for number, line in enumerate(lines, 1) if number in reported]
    assert found == [line for line in lines if line.endswith("  # wrong")], run.stdout + run.stderr
