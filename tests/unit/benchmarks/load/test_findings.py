"""Tables, charts, notes and targets that are made of measurements."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.load.charts import charts
from benchmarks.load.notes import notes
from benchmarks.load.run import Run
from benchmarks.load.tables import comparison
from benchmarks.load.tally import DROPPED, Tally
from benchmarks.load.targets import target_tables
from benchmarks.results import Figure
from resilient import BreakerPolicy, Policy
from tests.unit.benchmarks.load.support import contender, made, scenario


def figure(name: str, run: Run) -> Figure:
    table = comparison(run.scenario, [run.contender.name], [run])
    return next(row[0] for what, row in table.rows if what == name and row[0] is not None)


# Tables.


def test_policies_stand_side_by_side_and_those_to_come_are_left_open() -> None:
    runs = [made("calm", "none", good=400), made("calm", "retry", good=200)]
    table = comparison(scenario("calm"), ["none", "retry", "pipeline"], runs)
    assert table.columns == ("none", "retry", "pipeline")
    rows = dict(table.rows)
    assert [each and each.value for each in rows["goodput"]] == [200.0, 100.0, None]


def test_a_run_in_figures() -> None:
    run = made("dead", "retry", good=100, failures={"503": 300}, latency=0.05, hits=1000, peak=7)
    assert figure("succeeded", run).value == 25
    assert figure("requests per call", run).value == 2.5
    assert figure("failed: 503", run).value == 75
    assert figure("latency of what succeeded, p50", run).value == pytest.approx(50, rel=1e-2)
    assert figure("most calls in progress", run).value == 7


def test_a_quantile_that_the_calls_cannot_tell_is_left_open() -> None:
    run = made("calm", "none", good=999)
    assert figure("latency of what succeeded, p99", run).value is not None
    beyond = figure("latency of what succeeded, p99.9", run)
    assert (beyond.value, beyond.remark) == (None, "too few to tell")
    nothing = figure("latency of what failed, longest", run)
    assert (nothing.value, nothing.remark) == (None, "none failed")
    run.tally.skip(DROPPED)
    unmade = figure("latency of what failed, longest", run)
    assert (unmade.value, unmade.remark) == (None, "none that was made")


def test_what_came_after_an_outage() -> None:
    # The outage of this scenario ends after twelve and a half seconds.
    within = (10 + number / 900 for number in range(900))
    arrivals = (*within, *(12.5 + number / 300 for number in range(300)))
    run = made("outage", "retry", good=2200, arrivals=arrivals)
    assert figure("worst second of arrivals after the outage", run).value == 300
    assert figure("the same, by the rate of calls", run).value == 3
    assert figure("time to recover", run).value == 0
    short = evolve(run, scenario=run.scenario.lasting(2))
    for peak in ("worst second of arrivals after the outage", "the same, by the rate of calls"):
        assert figure(peak, short).remark == "too short a run to tell"
    for name, coarse in (("outage", True), ("calm", False)):
        assert ("to within 0.5 s" in comparison(scenario(name), [], []).remark) is coarse
    never = figure("time to recover", made("outage", "none", failures={"503": 2200}))
    assert (never.value, never.remark) == (None, "not within the run")


# Charts.


def test_an_outage_is_shaded_and_shown_over_time() -> None:
    run = made("outage", "none", good=2200, arrivals=(0.1, 0.2, 0.7))
    goodput, arrivals, _ = charts(scenario("outage"), [run])
    for chart in (goodput, arrivals):
        assert [(span.start, span.end) for span in chart.spans] == [(6, 12.5)]
    assert [line.name for line in goodput.lines] == ["none", "calls that begin"]
    assert arrivals.lines[0].ys[:3] == (4.0, 2.0, 0.0)
    assert goodput.lines[0].xs[:2] == (0.25, 0.75)
    assert goodput.lines[1].ys[:2] == (100.0, 100.0)


def test_latencies_are_shown_as_far_as_the_calls_can_tell() -> None:
    runs = [made("calm", "none", good=100), made("calm", "retry", failures={"503": 5})]
    (chart,) = charts(scenario("calm"), runs)
    assert (chart.x_scale, chart.y_scale) == ("log", "log")
    (line,) = chart.lines
    assert (line.xs[0], line.xs[-1]) == (1.0, 100.0)
    assert line.ys[-1] == pytest.approx(2.0, rel=1e-2)


# Notes.


def said(*runs: Run) -> str:
    return "\n".join(notes(runs))


def test_a_generator_that_was_late_is_said() -> None:
    assert "calm, none: the generator was late by 50 ms" in said(
        made("calm", "none", good=10, lateness=0.05)
    )
    assert "calm, none" not in said(made("calm", "none", good=10, lateness=0.005))


def test_calls_that_had_to_wait_for_a_connection_are_said() -> None:
    run = made("calm", "none", good=9, peak=12)
    assert "connections" not in said(run)
    assert "connections" not in said(evolve(run, connections=12))
    crowded = said(evolve(run, connections=11))
    assert "up to 12 calls were in progress, and no more than 11 connections open" in crowded


def test_calls_that_were_not_made_are_said() -> None:
    assert "3 calls were not made: too many" in said(made("calm", "none", failures={DROPPED: 3}))


def test_where_less_than_the_pipeline_is_better_is_said() -> None:
    pipeline = made("random-503", "pipeline", good=89, failures={"503": 11}, latency=0.02)
    text = said(
        pipeline,
        made("random-503", "retry", good=99, failures={"503": 1}),
        made("random-503", "none", good=80, failures={"503": 20}),
    )
    assert (
        "more calls succeed with retry (99.0 %, 1.00 requests a call) "
        "than with the pipeline (89.0 %, 1.00 requests a call)."
    ) in text


def test_where_the_pipeline_is_slower_is_said_if_it_gains_nothing_by_it() -> None:
    alone = made("calm", "none", good=100)
    slower = "more quickly: p50 2.0 ms against 20.0 ms"
    assert slower in said(alone, made("calm", "pipeline", good=100, latency=0.02))
    # What would have failed is slow, and that is no fault.
    failing = made("calm", "none", good=90, failures={"503": 10})
    assert slower not in said(failing, made("calm", "pipeline", good=100, latency=0.02))
    # The generator itself was as late.
    late = made("calm", "pipeline", good=100, latency=0.02, lateness=0.019)
    assert slower not in said(alone, late)


def opened(where: str = "outage") -> Run:
    """A run of a pipeline whose circuits stay open for long."""
    slow = evolve(
        contender("pipeline"), policy=Policy(breaker=BreakerPolicy(open_for=5, max_open_for=60))
    )
    return evolve(made(where, "pipeline", good=10, openings=2), contender=slow)


def test_an_outage_that_is_short_for_a_circuit_is_said() -> None:
    run = opened()
    assert "refuses calls for 5 s, also when the outage ends meanwhile. Of one of 6.5 s" in said(
        run
    )
    assert "refuses calls" not in said(evolve(run, tally=Tally()))
    assert "refuses calls" not in said(evolve(run, scenario=run.scenario.lasting(88)))
    assert "refuses calls" not in said(made("outage", "pipeline", good=10, openings=2))


def test_a_run_that_is_too_short_to_see_a_circuit_close_is_said() -> None:
    run = opened()
    short = evolve(run, scenario=run.scenario.lasting(8.8))
    assert "the run ends 3.8 s after the outage" in said(short)
    assert "the run ends" not in said(run)
    assert "the run ends" not in said(evolve(short, tally=Tally()))


def test_another_scenario_is_no_comparison() -> None:
    text = said(made("calm", "none", good=10), made("dead", "pipeline", failures={"503": 10}))
    assert "aiohttp alone" not in text
    assert "more calls succeed" not in text


# What is to be reached.


def judged(*runs: Run) -> dict[str, bool | None]:
    return {each.what: each.holds for table in target_tables(runs) for each in table.figures}


def test_nothing_is_to_be_reached_by_what_was_not_measured() -> None:
    assert (
        target_tables([made("calm", "none", good=1), made("dead", "none", failures={"503": 1})])
        == ()
    )


@pytest.mark.parametrize(("good", "holds"), [(88, True), (87, False)])
def test_as_many_succeed_with_a_breaker_as_without(good: int, holds: bool) -> None:
    figures = judged(
        made("random-503", "no breaker", good=90, failures={"503": 10}),
        made("random-503", "pipeline", good=good, failures={"503": 100 - good}),
    )
    assert figures["random 503s: success of 'pipeline' against 'no breaker'"] is holds
    assert figures["random 503s: circuits opened under 'pipeline'"] is True


def test_a_breaker_that_opens_at_random_failures_is_said() -> None:
    figures = judged(
        made("random-503", "retry", good=90),
        made("random-503", "retry+breaker", good=90, openings=1),
    )
    assert figures["random 503s: circuits opened under 'retry+breaker'"] is False


@pytest.mark.parametrize(("hits", "holds"), [(1100, True), (1101, False)])
def test_a_budget_holds_retries_down(hits: int, holds: bool) -> None:
    figures = judged(made("dead", "no breaker", failures={"503": 1000}, hits=hits))
    assert figures == {"dead server: requests per call without a breaker": holds}


def test_too_few_calls_tell_nothing_of_a_budget() -> None:
    # Of two budgets, thirty each, and one for each of three seconds.
    (table,) = target_tables([made("dead", "no breaker", failures={"503": 500}, hits=560)])
    assert table.figures[0].holds is None
    assert "66 retries are always allowed" in table.figures[0].remark


@pytest.mark.parametrize(("hits", "holds"), [(74, True), (75, False)])
def test_a_breaker_lets_no_more_through_than_it_must(hits: int, holds: bool) -> None:
    # 20 failures open each of two circuits; 10 calls in progress; 12 probes for each opening.
    run = made("dead", "pipeline", failures={"503": 100}, hits=hits, peak=10, openings=2)
    assert judged(run) == {"dead server: requests in all with a breaker": holds}
