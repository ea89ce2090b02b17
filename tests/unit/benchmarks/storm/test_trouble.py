"""The table of trouble: its rows, its tolerances, and the marks where one is broken."""

import math
from collections import Counter
from typing import Any

import pytest

from benchmarks.progress import Silent
from benchmarks.results import Figure, ScenarioResult
from benchmarks.storm import trouble
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.trouble import MeasuredRow, measure, measure_row, result
from benchmarks.storm.trouble_measures import MEASURES, judge, parse_tolerance
from benchmarks.storm.trouble_rows import EXCEPTIONS, FACTORS, ROWS, Row, choose_rows
from benchmarks.storm.trouble_simulation import COLUMNS
from resilient import ConfigError

NAMES = [row.name for row in ROWS]
BY_NAME = {row.name: row for row in ROWS}
NONE, RETRY, CONSECUTIVE, PIPELINE = (column.name for column in COLUMNS)


# Rows


def test_every_group_of_the_table_has_its_rows() -> None:
    count = Counter(row.group for row in ROWS)
    assert count == {
        "a": 9, "a2": 2, "s": 18, "b": 14, "c": 5, "d": 5, "e": 2, "g": 3, "h": 5, "i": 3,
        "j": 3, "k": 8, "m": 5, "n": 10,
    }  # fmt: skip
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_row_shows_what_callers_and_what_the_server_get(row: Row) -> None:
    assert {MEASURES[name].side for name in row.measures} == {"caller", "server"}
    assert row.tolerances or row.exception in EXCEPTIONS


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_an_outage_has_three_lengths(row: Row) -> None:
    lengths = set()
    for factor in FACTORS:
        scenario = row.scenario(factor)
        assert scenario.name == row.name
        if scenario.outage is not None:
            lengths.add(scenario.outage.end - scenario.outage.start)
    assert len(lengths) in (0, 3)


def test_rows_are_chosen_by_group_or_by_the_beginning_of_their_name() -> None:
    assert choose_rows(()) == ROWS
    assert {row.group for row in choose_rows(["a", "m"])} == {"a", "m"}
    assert [row.name for row in choose_rows(["a 50/s 6.5  s"])] == ["a 50/s 6.5 s"]
    assert len(choose_rows(["a 50/s 30 s"])) == 3  # also refused, and hanging
    assert [row.group for row in choose_rows(["k retry-after"])] == ["k"]
    assert choose_rows(["z", "a 7/s"]) == ()


# Tolerances


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load <= 30", 30),
        ("lost <= none + 0.5", 7),
        ("lost <= none - 1", 5.5),
        ("lost <= none", 6.5),
        ("lost >= consecutive breaker", 30),
        ("lost <= retry - 0.5", None),
    ],
)
def test_a_tolerance_is_a_number_or_relative_to_another_column(
    text: str, expected: float | None
) -> None:
    means = {NONE: {"lost": 6.5}, CONSECUTIVE: {"lost": 30.0}}
    assert parse_tolerance(text).limit(means) == expected


@pytest.mark.parametrize(
    "text", ["load < 30", "speed <= 3", "lost <= pipeline + ", "lost <= none + x", "lost <=", ""]
)
def test_a_tolerance_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no tolerance"):
        parse_tolerance(text)


@pytest.mark.parametrize(
    ("value", "texts", "holds", "wanted"),
    [
        (7.0, ["lost <= none + 0.5"], True, "at most 7 s: none + 0.5"),
        (7.1, ["lost <= none + 0.5"], False, "at most 7 s: none + 0.5"),
        (7.1, ["lost <= 8", "lost <= none"], False, "at most 6.5 s: none"),
        (7.1, ["lost >= 8", "lost >= none"], False, "at least 8 s"),
        (math.inf, ["lost <= 8"], False, "at most 8 s"),
        (7.1, ["lost <= retry"], None, ""),
        (7.1, [], None, ""),
    ],
)
def test_a_figure_is_judged_by_the_narrowest_limit(
    value: float, texts: list[str], holds: bool | None, wanted: str
) -> None:
    figure = Figure(what="lost", value=value, unit="s")
    means = {NONE: {"lost": 6.5}}
    judged = judge(figure, map(parse_tolerance, texts), means)
    assert (judged.holds, judged.wanted) == (holds, wanted)


# The measuring


def measured(**given: Any) -> list[ScenarioResult]:
    settings = StormSettings(scenarios=("trouble",), **given)
    return list(measure(settings, Silent()))


def figures(found: ScenarioResult) -> dict[str, Figure]:
    return {
        f"{name}, {column}": figure
        for table in found.tables
        for name, cells in table.rows
        for column, figure in zip(table.columns, cells, strict=True)
        if figure is not None
    }


def test_the_same_seed_gives_the_same_figures() -> None:
    first, again = measured(rows=("d 50 at once",)), measured(rows=("d 50 at once",))
    assert first == again
    assert len(first) == 3  # one result after each row
    assert measured(rows=("d 50 at once",), seed=2) != first


def test_worker_processes_change_nothing() -> None:
    one = measured(rows=("d 50 at once",), seeds=1)
    assert measured(rows=("d 50 at once",), seeds=1, workers=2) == one


def test_means_are_of_as_many_seeds_as_the_row_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[int, float]] = set()

    def count(row: Row, column: Any, *, seed: int, factor: float) -> dict[str, float]:
        runs[row.group, column.name] += 1
        seen.add((seed, factor))
        return dict.fromkeys(row.measures, 1.0)

    monkeypatch.setattr(trouble, "measure_row", count)
    measured(rows=("a 5/s", "d 15/s of 10/s", "g 200 processes 30 s", "b 20 % 100/s"), seeds=6)
    assert runs["d", NONE] == runs["d", PIPELINE] == 6
    assert (runs["d", RETRY], runs["d", CONSECUTIVE]) == (2, 2)
    assert (runs["a", RETRY], runs["a", CONSECUTIVE]) == (2, 6)
    assert runs["g", NONE] == runs["g", CONSECUTIVE] == runs["g", PIPELINE] == 2
    assert runs["g", RETRY] == 0
    assert runs["b", RETRY] == 6  # a tolerance is relative to it
    assert {factor for _, factor in seen} == set(FACTORS)
    assert {seed for seed, _ in seen} == {1, 2, 3, 4, 5, 6}


def test_a_quick_run_is_of_a_few_groups_and_one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []

    def note(row: Row, column: Any, *, seed: int, factor: float) -> dict[str, float]:
        rows.append(row)
        return dict.fromkeys(row.measures, 1.0)

    monkeypatch.setattr(trouble, "measure_row", note)
    *_, found = measured(quick=True)
    assert {row.group for row in rows} == {"a", "b", "d", "i"}
    assert not any(row.is_heavy for row in rows)
    assert len(rows) == len(COLUMNS) * len(set(rows))
    assert len(found.charts) == 1  # the headline


def test_columns_are_chosen_and_those_left_out_are_not_judged_by() -> None:
    *_, found = measured(rows=("d 50 at once 50 processes",), seeds=1, columns=(PIPELINE,))
    assert {name.rpartition(", ")[2] for name in figures(found)} == {PIPELINE}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": ("z",)}, "rows"),
        ({"rows": 3}, "rows"),
        ({"columns": ("mine",)}, "columns"),
        ({"seeds": 0}, "seeds"),
        ({"workers": 0}, "workers"),
    ],
)
def test_settings_that_make_no_sense_are_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StormSettings(**given)


def test_rows_and_columns_can_be_given_with_commas_and_are_repeated_in_the_command() -> None:
    settings = StormSettings(rows=("a 50/s 6.5 s, d",), columns=("none,pipeline",), seeds=2)
    assert settings.rows == ("a 50/s 6.5 s", "d")
    assert settings.columns == (NONE, PIPELINE)
    assert "--rows 'a 50/s 6.5 s' --rows d --columns none --columns pipeline" in settings.command
    assert "--seeds 2" in settings.command


# The marks


def means(**pipeline: float) -> dict[str, dict[str, float]]:
    none = {"lost": 6.5, "recover": 0.0, "load": 100.0, "peak": 2.0}
    return {NONE: none, PIPELINE: none | pipeline}


def test_a_pipeline_that_breaks_a_tolerance_is_marked() -> None:
    row = BY_NAME["a 50/s 6.5 s"]
    well = MeasuredRow(row, means(lost=6.9, load=8.0))
    broken = MeasuredRow(row, means(lost=47.0, load=8.0))
    found = figures(result([well, broken], StormSettings()))
    assert found["a 50/s 6.5 s: lost, pipeline"].holds is False
    assert found["a 50/s 6.5 s: load, pipeline"].holds is True
    assert found["a 50/s 6.5 s: lost, none"].holds is None
    (note,) = result([well, broken], StormSettings()).notes
    assert "keeps 7 of 8 tolerances in 2 rows" in note


def test_a_named_exception_is_said_with_its_row() -> None:
    row = BY_NAME["j one path of 90 % fails"]
    found = MeasuredRow(row, {PIPELINE: dict.fromkeys(row.measures, 2.0)})
    figure = figures(result([found], StormSettings()))[f"{row.name}: others, pipeline"]
    assert figure.holds is None
    assert figure.remark.startswith("exception 1: partial outages")


def test_one_run_has_the_figures_of_its_row() -> None:
    row = BY_NAME["d 50 at once"]
    found = measure_row(row, COLUMNS[0], seed=1)
    assert found == {"done": 10, "requests": 50}


# The headline


def headline(*columns: str) -> ScenarioResult:
    """Return the result of the headline's rows, with the figures of the text for each column."""
    figures = {
        "a 50/s 6.5 s": {"lost": 6.5, "recover": 0.0, "load": 8.0, "peak": 2.0},
        "a 50/s 30 s": {"lost": 31.5, "load": 2.0, "peak": 2.0},
        "d 50 at once": {"done": 50.0, "requests": 90.0},
    }
    found = [
        MeasuredRow(BY_NAME[name], dict.fromkeys(columns, each)) for name, each in figures.items()
    ]
    return result(found, StormSettings())


def test_the_headline_is_a_sentence_and_a_picture_of_what_both_sides_get() -> None:
    found = headline(NONE, PIPELINE)
    assert "callers lost 100 / 105 / 0 % with none, 100 / 105 / 0 % with pipeline" in found.notes[0]
    assert "the server got 8 / 2 / 180 % with none" in found.notes[0]
    (chart,) = found.charts
    assert [line.name for line in chart.lines] == [NONE, PIPELINE]
    assert len(chart.groups) == 6
    assert chart.lines[0].ys == (100.0, 8.0, 105.0, 2.0, 0.0, 180.0)


def test_there_is_no_headline_before_all_its_rows_are_measured() -> None:
    *_, found = measured(rows=("d 50 at once 50 processes",), seeds=1)
    assert found.charts == ()
    assert len(found.notes) == 1
