"""The whole overhead benchmark, with as little work as possible."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest

from benchmarks.overhead import benchmark, memory
from benchmarks.overhead.benchmark import measure
from benchmarks.overhead.run import RunContext
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.progress import Silent
from benchmarks.report.document import target_figures
from benchmarks.results import Result, as_json
from tests.unit.benchmarks.overhead.support import have_little_to_do


@pytest.fixture(scope="module", autouse=True)
def _little() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        have_little_to_do(patch)
        yield


@pytest.fixture(scope="module")
def results(_little: None) -> list[Result]:
    return list(measure(OverheadSettings(), Silent()))


@pytest.mark.slow
def test_each_result_has_what_the_one_before_it_had_and_more(results: list[Result]) -> None:
    assert [each.is_complete for each in results] == [False] * 4 + [True]
    for earlier, later in pairwise(results):
        assert earlier.tables[1:] == later.tables[1:-1]
        assert set(earlier.notes) < set(later.notes)
    assert as_json(results, {})["results"][-1]["name"] == "overhead"


@pytest.mark.slow
def test_the_figures_to_be_reached_are_all_there_and_stand_by_themselves(
    results: list[Result],
) -> None:
    result = results[-1]
    wanted = {each.what: each.wanted for each in result.tables[0].figures}
    assert list(wanted.values()) == [
        "at most 10x",
        "at most 4 us",
        "at most 3x",
        "at most 8x",
        "at least 0.95x",
        "at least 0.95x",
        "at most 200 bytes",
        "at most 600 bytes",
        "at most 8%",
    ]
    assert all(each.holds is not None for each in result.tables[0].figures)
    # And in no other table, where they would count twice.
    assert len(list(target_figures(result))) == len(wanted)


@pytest.mark.slow
def test_an_absent_peer_has_a_row_that_says_so_in_every_table(results: list[Result]) -> None:
    result = results[-1]
    assert len(result.tables) == 6
    for table in result.tables[1:]:
        figures = [*table.figures, *(figures[0] for _, figures in table.rows)]
        (absent,) = [each for each in figures if each is not None and each.value is None]
        assert (absent.what, absent.remark) == ("absentee", "absent: not installed")
    assert "Not installed, and so not measured: absentee." in result.notes


@pytest.mark.slow
def test_every_row_of_a_comparison_has_a_figure_for_each_column(results: list[Result]) -> None:
    result = results[-1]
    for table in result.tables:
        for _, figures in table.rows:
            assert len(figures) == len(table.columns)


@pytest.mark.slow
def test_without_peers_only_ours_is_measured() -> None:
    settings = OverheadSettings(peers=False)
    *_, result = measure(settings, Silent())
    names = [name for table in result.tables for name, _ in table.rows]
    assert names
    assert all(name.startswith(("resilient: ", "aiohttp alone")) for name in names)
    assert result.command == settings.command


@pytest.mark.slow
def test_an_interrupt_goes_through_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(_: RunContext) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "_PARTS", (memory.measure_memory, interrupt))
    handlers = list(logging.getLogger().handlers)
    found: list[Result] = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(measure(OverheadSettings(), Silent()))  # which keeps what has come
    assert len(found) == 1
    assert logging.getLogger().handlers == handlers


def test_whoever_stops_in_between_keeps_what_there_was() -> None:
    measuring = measure(OverheadSettings(), Silent())
    first = next(iter(measuring))
    measuring.close()  # type: ignore[attr-defined]  # a generator
    assert len(first.tables) == 2
    assert not first.is_complete
