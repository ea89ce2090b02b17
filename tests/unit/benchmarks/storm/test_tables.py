"""The tables, charts and notes that are made of counts."""

import pytest
from attrs import evolve

from benchmarks.results import Figure, Table
from benchmarks.storm.crowd import result as crowd_result
from benchmarks.storm.crowd_simulation import Crowd, outage_of
from benchmarks.storm.jitter import published as published_jitter
from benchmarks.storm.jitter_simulation import JITTERS
from benchmarks.storm.metastable import result as metastable_result
from benchmarks.storm.metastable_simulation import OFFERED, TRIGGER, Setup
from benchmarks.storm.tally import Tally
from resilient import Policy

UNTIL = 40.0


def after_the_trigger(*, good: bool, delays: tuple[float, float] = (0.1, 0.1)) -> Tally:
    """A tally of calls that all go well until the trigger, and after it or not."""
    tally = Tally()
    for second in range(int(UNTIL)):
        if TRIGGER.covers(second):
            continue
        well = second < TRIGGER.start or good
        for _ in range(int(OFFERED)):
            tally.arrived(second, delays[second > UNTIL - 5])
            tally.ended(second, well=well)
    return tally


def rows(table: Table) -> dict[str, dict[str, Figure]]:
    return {
        name: {
            column: figure
            for column, figure in zip(table.columns, figures, strict=True)
            if figure is not None
        }
        for name, figures in table.rows
    }


def test_an_outage_is_over_or_worked_off_or_stays() -> None:
    policy = Policy()
    result = metastable_result(
        [
            (Setup("one retry", policy), after_the_trigger(good=False, delays=(5, 9))),
            (Setup("breaker", policy), after_the_trigger(good=True)),
            (Setup("no retry", policy), after_the_trigger(good=False, delays=(9, 5))),
            (Setup("one retry", policy, offered=100.0), after_the_trigger(good=True)),
        ],
        UNTIL,
    )
    (note,) = result.notes
    over, worked_off, stays = note.split(";")
    assert '"breaker"' in over
    assert '"no retry"' in worked_off
    assert '"one retry"' in stays
    table, published = result.tables
    found = rows(table)
    assert found["one retry"]["recovered after"].value is None
    assert found["one retry"]["delay at the end"].remark == "growing"
    assert found["no retry"]["delay at the end"].remark == "shrinking"
    assert found["breaker"]["recovered after"].value == 0
    assert found["breaker"]["goodput at the end"].value == OFFERED
    assert found["breaker"]["delay at the end"].remark == ""
    assert list(found) == ["one retry", "breaker", "no retry", "one retry, 100 calls/s"]
    assert [figure.value for figure in published.figures] == [OFFERED, 0, OFFERED, 0]
    assert all(figure.published and "HotOS" in figure.source for figure in published.figures)
    for chart in result.charts:
        assert [(span.start, span.end) for span in chart.spans] == [(TRIGGER.start, TRIGGER.end)]
        assert [line.name for line in chart.lines] == ["one retry", "breaker", "no retry"]
        assert all(len(line.xs) == len(line.ys) == UNTIL for line in chart.lines)


def test_rates_of_a_crowd_are_multiples_of_a_good_day() -> None:
    crowd = Crowd(name="they", policy=Policy(), clients=400, seconds=24.0)
    end = outage_of(24.0).end
    tally = Tally(0.1)
    for index in range(240):
        now = (index + 0.5) / 10
        for _ in range(5 if index == round(end * 10) else 1):
            tally.arrived(now)
            tally.ended(now, well=True)
    table, running = crowd_result([(crowd, tally)], 3.0).tables
    row = rows(table)["they"]
    # Ten calls a second are one in each slice.
    assert row["peak after recovery"].value == pytest.approx(5)
    assert row["arrivals in the outage"].value == pytest.approx(1)
    assert row["goodput is back after"].value == 0
    assert row["work that got done"].value == pytest.approx(100 * 244 / 240)
    assert (running.figures[0].wanted, running.figures[0].holds) == ("", None)


def test_what_is_said_of_breakers_comes_from_what_was_refused() -> None:
    shared, own = Tally(0.1), Tally(0.1)
    for number in range(4):
        shared.ended(number, well=False, refused=number < 3)
        own.ended(number, well=False, refused=number < 1)
    crowd = Crowd(name="they", policy=Policy(), clients=400, seconds=24.0)
    (note,) = crowd_result([(crowd, shared)], 3.0).notes
    assert "refused" not in note
    (note,) = crowd_result([(crowd, shared), (evolve(crowd, per_process=1), own)], 3.0).notes
    assert "Where 100 clients share one, 75% of the calls were refused" in note
    assert note.endswith("where each has its own, which sees few calls, 25%.")


def test_what_ends_an_outage_is_said_if_it_was_measured() -> None:
    down, up = after_the_trigger(good=False, delays=(5, 9)), after_the_trigger(good=True)
    budget, deadline, breaker = (
        Setup(each, Policy()) for each in ("budget", "deadline", "breaker")
    )
    note = metastable_result([(budget, down)], UNTIL).notes[1]
    assert "deadline" not in note
    assert "Refusing" not in note
    note = metastable_result([(budget, down), (deadline, down), (breaker, up)], UNTIL).notes[1]
    assert note.endswith(
        "Nor does a deadline, when the request was sent long before. Refusing calls does."
    )


@pytest.mark.parametrize(
    ("clients", "remark"), [(400, "not within the run"), (390, "too few calls to tell")]
)
def test_a_crowd_that_is_small_tells_nothing_by_not_calling(clients: int, remark: str) -> None:
    crowd = Crowd(name="they", policy=Policy(), clients=clients, seconds=24.0)
    table, _ = crowd_result([(crowd, Tally(0.1))], 3.0).tables
    assert rows(table)["they"]["goodput is back after"].remark == remark


@pytest.mark.parametrize(("taken", "holds"), [(59.0, True), (61.0, False)])
def test_ten_thousand_clients_for_a_minute_are_wanted_in_less_than_one(
    taken: float, holds: bool
) -> None:
    crowd = Crowd(name="they", policy=Policy(), clients=10_000, seconds=60.0)
    result = crowd_result([(crowd, Tally(0.1)), (evolve(crowd, stalls=True), Tally(0.1))], taken)
    (figure,) = result.tables[-1].figures
    assert (figure.value, figure.wanted, figure.holds) == (taken, "at most 60 s", holds)
    assert len(result.charts) == 2


def test_what_was_published_of_jitter_is_agreed_to_or_not() -> None:
    work = dict(zip(JITTERS, ([100.0] * 2, [40.0] * 2, [45.0] * 2, [30.0] * 2), strict=True))
    time = dict(zip(JITTERS, ([90.0] * 2, [3.0, 4.0], [9.0] * 2, [3.5, 5.0]), strict=True))
    table = published_jitter(100, work, time)
    remarks = {figure.what: figure.remark for figure in table.figures}
    assert remarks["calls, full against none"] == "as published"
    assert remarks["calls, equal against full"] == "as published"
    assert remarks["calls, decorrelated against full"] == "not as published"
    assert remarks["time, full against decorrelated"] == "less than the runs of one kind differ"
    assert all("Brooker" in figure.source for figure in table.figures)
