"""dag.test(db=...): tests on one file see what earlier ones left, and their times follow one another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from flowlet import DAG, DagRun, Engine, task
from flowlet.clock import SystemClock, from_micros
from flowlet.operators.external_task import ExternalTaskSensor
from flowlet.store import Reader


def day(number: int) -> datetime:
    return datetime(2021, 1, number, tzinfo=UTC)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "flowlet.db"


def the_past(*, fails: bool = False, catchup: bool = False) -> DAG:
    with DAG("looks_back", schedule="@daily", catchup=catchup) as dag:

        @task(depends_on_past=True)
        def step() -> None:
            if fails:
                raise ValueError("as it should")

        step()
    return dag


def test_a_run_sees_that_the_run_before_went_well(db: Path) -> None:
    for number in (1, 2, 3):
        assert the_past().test(logical_date=day(number), db=db).state == "success"


@pytest.mark.parametrize("date", [{"logical_date": day(2)}, {}])
def test_a_run_whose_past_failed_ends_and_says_so(db: Path, date: Any) -> None:
    """Under Airflow it would never end."""
    assert the_past(fails=True).test(logical_date=day(1), db=db).state == "failed"
    run = the_past().test(db=db, **date)
    assert (run.state, run.task_states) == ("failed", {"step": "none"})
    assert run.reason == "deadlock: step waits for the run before, which has ended"


@pytest.mark.parametrize("fails", [True, False])
def test_a_run_that_an_earlier_process_left_ends_first(db: Path, fails: bool) -> None:
    async def leave() -> None:
        begun = asyncio.Event()
        with DAG("looks_back", schedule="@daily") as dag:

            @task(depends_on_past=True)
            async def step() -> None:
                begun.set()
                await asyncio.Event().wait()

            step()
        async with Engine(db, dags=[dag], control=False, schedules=False, durability="process", grace=0.0) as engine:
            await engine.trigger("looks_back", logical_date=day(1))
            await begun.wait()

    asyncio.run(leave())
    with DAG("looks_back", schedule="@daily") as dag:

        @task(depends_on_past=True)
        async def step(logical_date: datetime) -> None:
            with Reader(db) as reader:
                while logical_date == day(1) and len(reader.fetch("last_runs", dag_id="looks_back", limit=9)) < 2:
                    await anyio.lowlevel.checkpoint()
            if fails:
                raise ValueError("as it should")

        step()
    run = dag.test(logical_date=day(2), db=db)
    assert (run.state, run.task_states) == (("failed", {"step": "none"}) if fails else ("success", {"step": "success"}))


def test_by_default_nothing_is_shared() -> None:
    the_past(fails=True).test(logical_date=day(1))
    assert the_past().test(logical_date=day(2)).state == "success"


def seen_by(db: Path, date: datetime, body: Any) -> Any:
    """What a task of that date gives."""
    with DAG("seen") as dag:
        task(task_id="look")(body)()
    run = dag.test(logical_date=date, db=db)
    return run.as_dict()["xcoms"].get("look:return_value")


def test_the_previous_success_stands_in_the_context(db: Path) -> None:
    def look(prev_data_interval_start_success: Any = None, prev_start_date_success: Any = None, prev_end_date_success: Any = None) -> Any:
        if prev_start_date_success is None:
            return "first"
        return [prev_data_interval_start_success.day, prev_start_date_success <= prev_end_date_success]

    assert seen_by(db, day(1), look) == "first"
    assert seen_by(db, day(4), look) == [1, True]
    assert seen_by(db, day(3), look) == [1, True]
    assert seen_by(db, day(5), look) == [4, True]


def test_a_pull_with_prior_dates_finds_the_newest_value_up_to_its_own_date(db: Path) -> None:
    def count(ti: Any) -> int:
        ti.xcom_push("now", ti.run_id)
        assert ti.xcom_pull(key="now", include_prior_dates=True) == ti.run_id
        return int(ti.xcom_pull(include_prior_dates=True, default=0)) + 1

    assert [seen_by(db, day(number), count) for number in (1, 2, 5)] == [1, 2, 3]
    assert seen_by(db, day(3), count) == 3
    assert seen_by(db, day(6), count) == 4


def test_a_pull_with_prior_dates_prefers_what_this_run_has(db: Path) -> None:
    def pulls(*, pushes: bool) -> dict[str, Any]:
        with DAG("pulls") as dag:

            @task
            def push(ti: Any) -> None:
                if pushes:
                    ti.xcom_push("k", ti.run_id)

            @task.python(multiple_outputs=True)
            def pull(ti: Any) -> dict[str, Any]:
                return {
                    "one": ti.xcom_pull("push", key="k", include_prior_dates=True),
                    "several": ti.xcom_pull(["push", "nobody"], key="k", include_prior_dates=True),
                    "index": ti.xcom_pull("push", key="k", map_indexes=-1, include_prior_dates=True),
                    "without": ti.xcom_pull("push", key="k"),
                    "default": ti.xcom_pull("nobody", key="k", include_prior_dates=True, default="none"),
                }

            push() >> pull()
        xcoms = dag.test(logical_date=day(len(seen) + 1), db=db).as_dict()["xcoms"]
        seen.append(xcoms["pull:return_value"])
        return seen[-1]

    seen: list[Any] = []
    nothing = {"one": None, "several": [None, None], "index": None, "without": None, "default": "none"}
    assert pulls(pushes=False) == nothing
    second = "manual__2021-01-02T00:00:00+00:00"
    all_second = {"one": second, "several": [second, None], "index": second, "without": second, "default": "none"}
    assert pulls(pushes=True) == all_second
    assert pulls(pushes=False) == {**all_second, "without": None}
    fourth = "manual__2021-01-04T00:00:00+00:00"
    assert pulls(pushes=True) == {"one": fourth, "several": [fourth, None], "index": fourth, "without": fourth, "default": "none"}


def test_a_sensor_sees_the_test_runs_of_another_dag(db: Path) -> None:
    with DAG("upstream") as upstream:

        @task
        def done() -> None: ...

        done()
    with DAG("downstream") as downstream:
        ExternalTaskSensor(task_id="sees", external_dag_id="upstream", external_task_id="done", timeout=3600)
    assert upstream.test(logical_date=day(1), db=db).state == "success"
    assert downstream.test(logical_date=day(1), db=db).state == "success"
    assert downstream.test(logical_date=day(2), db=db).as_dict()["errors"] == {"sees": ["SensorTimeout"]}


# -- time ------------------------------------------------------------------------------------------------------


def patient(db: Path, **more: Any) -> DagRun:
    """A run that waits for hours of a time that does not pass."""
    with DAG("patient") as dag:

        @task(retries=1, retry_delay=timedelta(hours=5))
        def flaky(ti: Any) -> None:
            if ti.try_number == 1:
                raise ValueError("the first time")

        flaky()
    return dag.test(db=db, **more)


def test_the_times_of_history_follow_one_another_and_dates_are_the_days_own(db: Path) -> None:
    before = from_micros(SystemClock().now())
    runs = [patient(db) for _ in range(3)]
    after = from_micros(SystemClock().now())
    times = [moment for run in runs for moment in (run.as_dict()["queued_at"], run.as_dict()["started_at"], run.as_dict()["ended_at"])]
    assert times == sorted(times)
    assert datetime.fromisoformat(times[-1]) - before > timedelta(hours=15)
    dates = [run.logical_date for run in runs]
    assert before <= dates[0] < dates[1] < dates[2] <= after  # they have dates
    with Reader(db) as reader:
        assert reader.check() == []


def test_a_real_engine_goes_on_with_a_file_whose_tests_went_ahead(db: Path) -> None:
    patient(db)

    async def live() -> DagRun:
        async with Engine(db, dags=[the_past()], control=False, durability="process") as engine:
            return await (await engine.trigger("looks_back")).wait()

    assert asyncio.run(live()).state == "success"
    assert patient(db, logical_date=day(1)).state == "success"
