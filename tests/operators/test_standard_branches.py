"""Branches by the time, by the day of the week, and by being the newest run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from flowlet import DAG, DagError, EmptyOperator, Engine
from flowlet.clock import VirtualClock
from flowlet.operators.branch_datetime import BranchDateTimeOperator, target_times_as_dates
from flowlet.operators.latest_only import LatestOnlyOperator
from flowlet.operators.smooth import SmoothOperator
from flowlet.operators.weekday import BranchDayOfWeekOperator, WeekDay

Run = Callable[..., Any]

SATURDAY = datetime(2026, 1, 3, 22, 30, tzinfo=UTC)


def branch(branching: type, **arguments: Any) -> DAG:
    with DAG("ways", start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        choice = branching(
            task_id="choice", follow_task_ids_if_true="yes", follow_task_ids_if_false="no", **arguments
        )
        choice >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    return dag


def way(told: Any) -> str:
    (followed,) = [name for name in ("yes", "no") if told.tasks[name] == "success"]
    return followed


@pytest.mark.parametrize(
    ("lower", "upper", "followed"),
    [
        (datetime(2026, 1, 3, 22, 30, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC), "yes"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 22, 30, tzinfo=UTC), "yes"),
        (datetime(2026, 1, 3, 22, 31, tzinfo=UTC), None, "no"),
        (None, datetime(2026, 1, 3, 22, 29, tzinfo=UTC), "no"),
        (SATURDAY.replace(tzinfo=None), None, "yes"),  # read in the DAG's time zone
        (time(22), time(23), "yes"),
        (time(22), time(2), "yes"),  # until the next day
        (time(23), time(2), "no"),
        (None, time(22), "no"),
    ],
)
@pytest.mark.parametrize("by_clock", [False, True])
def test_a_branch_by_the_time(run: Run, lower: Any, upper: Any, followed: str, by_clock: bool) -> None:
    dag = branch(BranchDateTimeOperator, target_lower=lower, target_upper=upper, use_task_logical_date=not by_clock)
    other = SATURDAY - timedelta(days=300)
    told = run(dag, clock=VirtualClock(SATURDAY, auto=True), logical_date=other if by_clock else SATURDAY)
    assert way(told) == followed


def test_bounds_that_are_moments_stay_as_they_are() -> None:
    late, early = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert target_times_as_dates(SATURDAY, late, early) == (late, early)


def test_a_branch_by_the_time_needs_a_bound() -> None:
    with pytest.raises(DagError, match="target_lower and target_upper are both None"):
        branch(BranchDateTimeOperator, target_lower=None, target_upper=None)


@pytest.mark.parametrize(
    ("week_day", "followed"),
    [("Saturday", "yes"), ({"friday", "SATURDAY"}, "yes"), ({WeekDay.SUNDAY}, "no"), (WeekDay.SATURDAY, "yes")],
)
def test_a_branch_by_the_day_of_the_week(run: Run, week_day: Any, followed: str) -> None:
    by_date = branch(BranchDayOfWeekOperator, week_day=week_day, use_task_logical_date=True)
    assert way(run(by_date, logical_date=SATURDAY)) == followed
    by_clock = branch(BranchDayOfWeekOperator, week_day=week_day)
    assert way(run(by_clock, clock=VirtualClock(SATURDAY, auto=True))) == followed


def test_today_is_today_in_the_time_zone_of_the_dag(run: Run) -> None:
    from zoneinfo import ZoneInfo

    with DAG("ways", start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))) as dag:
        choice = BranchDayOfWeekOperator(
            task_id="choice", week_day="Sunday", follow_task_ids_if_true="yes", follow_task_ids_if_false="no"
        )
        choice >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    assert way(run(dag, clock=VirtualClock(SATURDAY, auto=True))) == "yes"


def test_a_day_that_there_is_not_is_refused() -> None:
    with pytest.raises(DagError, match=r"week_day must be days of the week such as 'Monday'.*not 'Caturday'"):
        branch(BranchDayOfWeekOperator, week_day="Caturday")


def newest_only(**arguments: Any) -> DAG:
    with DAG("newest", **arguments) as dag:
        (
            LatestOnlyOperator(task_id="latest")
            >> EmptyOperator(task_id="after")
            >> EmptyOperator(task_id="end", trigger_rule="all_done")
        )
    return dag


@pytest.mark.anyio
async def test_only_the_newest_run_goes_on_when_runs_are_made_up_for() -> None:
    dag = newest_only(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=True)
    clock = VirtualClock(datetime(2026, 1, 3, 12, tzinfo=UTC))
    states = {}
    async with Engine(dags=[dag], clock=clock) as engine:
        for day in (1, 2, 3):
            run = await engine.run("newest", f"scheduled__2026-01-0{day}T00:00:00+00:00")
            await run.wait()
            states[day] = [str(run.task_states[name]) for name in ("after", "end")]
    assert states == {1: ["skipped", "success"], 2: ["skipped", "success"], 3: ["success", "success"]}


def test_a_run_that_somebody_asked_for_always_goes_on(run: Run) -> None:
    dag = newest_only(schedule="@daily", start_date=datetime(2020, 1, 1, tzinfo=UTC))
    assert run(dag, logical_date=datetime(2020, 5, 1, tzinfo=UTC)).tasks["after"] == "success"


def test_smooth(run: Run) -> None:
    with DAG("smooth") as dag:
        SmoothOperator(task_id="smooth")
    assert "Enjoy Sade" in run(dag, logs=True).log("smooth")
