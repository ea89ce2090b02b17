"""The whole overhead benchmark, with as little work as possible."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from itertools import pairwise

import pytest

from benchmarks.overhead import benchmark
from benchmarks.overhead.benchmark import measure
from benchmarks.overhead.interpreter import this_interpreter
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING
from benchmarks.overhead.run import PartResult, RunContext
from benchmarks.overhead.settings import INSTRUCTIONS, PARTS, OverheadSettings
from benchmarks.progress import Silent
from benchmarks.report.document import target_figures
from benchmarks.results import Result, as_json
from benchmarks.targets import TITLE
from tests.unit.benchmarks.overhead.support import FEW_PEERS, have_little_to_do


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
    assert [each.is_complete for each in results] == [False] * (len(PARTS) - 1) + [True]
    for earlier, later in pairwise(results):
        assert earlier.tables[1:] == later.tables[1:-1]
        assert set(earlier.notes) <= set(later.notes)
    assert as_json(results, {})["results"][-1]["name"] == "overhead"


@pytest.mark.slow
def test_the_figures_to_be_reached_are_all_there_and_stand_by_themselves(
    results: list[Result],
) -> None:
    result = results[-1]
    wanted = {each.what: each.wanted for each in result.tables[0].figures}
    assert list(wanted.values()) == [
        "at most 2.6x",
        "at most 2 us",
        "at most 3x",
        "at most 4x",
        "at least -0.02",
        "at least -0.03",
        "at least 0",
        "at most 110 bytes",
        "at most 220 bytes",
        "at most 2 ms",
        "at most 2 ms",
        "at most 1 objects",
        "at most 1 objects",
        "at most 1 objects",
        "at most 0.5%",
        "at most 15%",
    ]
    assert all(each.holds is not None for each in result.tables[0].figures)
    # And in no other table, where they would count twice.
    assert len(list(target_figures(result))) == len(wanted)


@pytest.mark.slow
def test_an_absent_peer_has_a_row_that_says_so_where_peers_are(results: list[Result]) -> None:
    result = results[-1]
    said = []
    for table in result.tables[1:]:
        figures = dict(table.rows).get("absentee")
        if figures is not None:
            said.append(table.title)
            assert figures[0] is not None
            assert (figures[0].value, figures[0].remark) == (None, "absent: not installed")
    assert said == [
        "A call that goes well, in process",
        "A call that an open circuit refuses, in process",
        "Requests on a real socket",
        "Memory of a destination",
        "Import",
    ]
    assert "Not installed, and so not measured: absentee." in result.notes


@pytest.mark.slow
def test_every_row_of_a_comparison_has_a_figure_for_each_column(results: list[Result]) -> None:
    result = results[-1]
    for table in result.tables:
        for _, figures in table.rows:
            assert len(figures) == len(table.columns)


@pytest.mark.slow
def test_every_table_names_the_interpreter(results: list[Result]) -> None:
    said = this_interpreter().describe()
    assert all(said in table.remark for table in results[-1].tables)


@pytest.mark.slow
def test_the_hand_written_middleware_is_beside_ours_with_and_without_peers(
    results: list[Result],
) -> None:
    (*_, alone) = measure(OverheadSettings(peers=False), Silent())
    for result in (results[-1], alone):
        for table in result.tables[1:]:
            rows = dict(table.rows)
            assert HAND_WRITTEN.label in rows or table.title == "Import"
    assert all(FEW_PEERS.wrappers[0].label not in dict(table.rows) for table in alone.tables)
    assert alone.command == OverheadSettings(peers=False).command


def test_parts_are_measured_alone_and_in_their_order() -> None:
    settings = OverheadSettings(parts=("imports", "stalls"))
    *_, result = measure(settings, Silent())
    titles = [table.title for table in result.tables]
    assert titles == [
        TITLE,
        "The longest stall of the event loop in a first failing call",
        "Import",
    ]


def test_every_part_has_a_function() -> None:
    assert tuple(benchmark._PARTS) == (*PARTS, INSTRUCTIONS)


@pytest.mark.slow
def test_rows_are_chosen_by_what_their_names_have_and_the_references_stay() -> None:
    settings = OverheadSettings(parts=("calls",), rows=("a LISTENER", "nonsense"))
    *_, result = measure(settings, Silent())
    table = result.tables[-1]
    assert [name for name, _ in table.rows] == [
        NOTHING.label,
        HAND_WRITTEN.label,
        "resilient: Pipeline, a listener to all events",
    ]
    assert result.tables[0].figures == ()  # that of the pipeline was not measured
    assert result.notes == (
        "No row has 'nonsense' in its name.",
        *(note for note in result.notes[1:]),
    )


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_which_no_row_of_ours_is_wanted_has_no_targets(part: str) -> None:
    settings = OverheadSettings(parts=(part,), rows=("nobody",))
    *_, result = measure(settings, Silent())
    assert result.tables[0].figures == ()


def test_instructions_are_counted_if_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/{name}")
    settings = OverheadSettings(parts=("instructions",), rows=("retry", "wrap"))
    *_, result = measure(settings, Silent())
    rows = dict(result.tables[-1].rows)
    assert list(rows) == [
        NOTHING.label,
        HAND_WRITTEN.label,
        "resilient: Retry",
        "resilient: wrap(session)",
    ]
    around, more, of_session, more_of_session = rows[HAND_WRITTEN.label]
    longer = 100 * (len(HAND_WRITTEN.label) - len(NOTHING.label))
    assert around is not None
    assert of_session is not None
    assert more is not None
    assert more_of_session is not None
    assert (around.value, of_session.value) == (
        100 * len("handler" + HAND_WRITTEN.label),
        100 * len("session" + HAND_WRITTEN.label),
    )
    assert more.value == more_of_session.value == longer
    assert rows["resilient: Retry"][2:] == (None, None)


def test_an_interrupt_goes_through_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(_: RunContext) -> PartResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "_PARTS", {**benchmark._PARTS, "imports": interrupt})
    handlers = list(logging.getLogger().handlers)
    found: list[Result] = []
    with pytest.raises(KeyboardInterrupt):
        # The list keeps what has come.
        found.extend(measure(OverheadSettings(parts=("stalls", "imports")), Silent()))
    assert len(found) == 1
    assert logging.getLogger().handlers == handlers


def test_whoever_stops_in_between_keeps_what_there_was() -> None:
    measuring = measure(OverheadSettings(parts=("stalls", "imports")), Silent())
    first = next(iter(measuring))
    measuring.close()  # type: ignore[attr-defined]  # a generator
    assert len(first.tables) == 2
    assert not first.is_complete
