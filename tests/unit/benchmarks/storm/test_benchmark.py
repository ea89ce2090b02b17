"""The storm benchmark as a whole."""

from functools import cache
from pathlib import Path
from typing import Any

from attrs import asdict

from benchmarks.results import Result, as_json
from benchmarks.storm.benchmark import measure
from benchmarks.storm.settings import StormSettings


class Counting:
    """A progress that is listened to."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float | None]] = []
        self.done = 0.0

    def begin(self, what: str, steps: float | None = None) -> None:
        self.steps.append((what, steps))

    def advance(self, steps: float = 1) -> None:
        self.done += steps


def small(**given: Any) -> StormSettings:
    return StormSettings(
        **{
            "scenarios": ("rate-limit", "crowd"),
            "clients": 50,
            "seconds": 20.0,
            "quick": True,
            **given,
        }
    )


@cache
def results(**given: Any) -> tuple[Result, ...]:
    return tuple(measure(small(**given), Counting()))


def reproducible(result: Result) -> list[dict[str, Any]]:
    """Its tables but for the one that holds a real time."""
    return [asdict(table) for table in result.tables if not table.title.endswith("running it")]


def test_each_result_holds_what_the_one_before_it_held() -> None:
    titles: set[str] = set()
    rows = 0
    found = results()
    assert len(found) > 5
    for result in found:
        now = {table.title for table in result.tables}
        assert titles <= now
        assert rows <= sum(len(table.rows) + len(table.figures) for table in result.tables)
        titles, rows = now, sum(len(table.rows) + len(table.figures) for table in result.tables)
    assert [result.is_complete for result in found] == [False] * (len(found) - 1) + [True]


def test_the_same_seed_gives_the_same_tables_and_charts() -> None:
    first, other = results()[-1], results(seed=2)[-1]
    *_, second = measure(small(), Counting())
    assert reproducible(first) == reproducible(second)
    assert first.charts == second.charts
    assert reproducible(first) != reproducible(other)


def test_a_scenario_measured_alone_gives_the_same() -> None:
    both = reproducible(results()[-1])
    alone = reproducible(results(scenarios=("crowd",))[-1])
    assert alone == both[-len(alone) :]


def test_progress_comes_to_its_end() -> None:
    progress = Counting()
    for _ in measure(small(scenarios=("crowd", "rate-limit")), progress):
        pass
    assert [what for what, _ in progress.steps] == ["crowd", "rate limit"]
    assert progress.done == sum(steps or 0 for _, steps in progress.steps)


def test_it_becomes_json_and_says_how_to_run_it_again() -> None:
    result = results(scenarios=("rate-limit",))[-1]
    (stored,) = as_json([result], {})["results"]
    assert stored["seed"] == 1
    assert stored["command"] == small(scenarios=("rate-limit",)).command


def test_a_policy_of_the_users_is_a_row_in_each_comparison(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[services.mine]\nmatch = "https://api.example"\n')
    settings = small(policy_file=str(path), service="mine")
    *_, result = measure(settings, Counting())
    rows = [name for table in result.tables for name, _ in table.rows]
    assert rows.count("mine (file)") == 3  # in either kind of outage, and at a rate limit
