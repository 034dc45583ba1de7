"""Cleared runs keep to what their DAG allows: paused, its limit of runs, its timeout, what the run before did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from flowlet import DAG, Engine, task
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def dag_of(doors: dict[str, anyio.Event], began: list[str], **more: Any) -> DAG:
    args = more.pop("task", {})
    with DAG("etl", **more) as dag:

        @task(**args)
        async def body(run_id: str) -> None:
            began.append(run_id)
            if run_id in doors:
                await doors[run_id].wait()

        body()
    return dag


async def test_a_run_of_a_paused_dag_that_is_cleared_waits_until_it_is_unpaused() -> None:
    began: list[str] = []
    async with Engine(dags=[dag_of({}, began)]) as engine:
        run = await (await engine.trigger("etl", run_id="r")).wait()
        await engine.pause("etl")
        await engine.clear("etl", "r")
        assert (run.state, began) == ("queued", ["r"])
        await engine.unpause("etl")
        await run.wait()
        assert (run.state, began) == ("success", ["r", "r"])


async def test_a_cleared_run_waits_for_room_and_its_timeout_counts_from_when_it_begins() -> None:
    doors: dict[str, anyio.Event] = {}
    clock = VirtualClock(NEW_YEAR)
    dag = dag_of(doors, [], max_active_runs=1, dagrun_timeout=timedelta(hours=1))
    async with Engine(dags=[dag], clock=clock) as engine:
        cleared = await (await engine.trigger("etl", run_id="cleared")).wait()
        doors |= {"busy": anyio.Event(), "cleared": anyio.Event()}
        busy = await engine.trigger("etl", run_id="busy")
        await engine.clear("etl", "cleared")
        assert cleared.state == "queued"
        clock.advance(timedelta(minutes=50))
        doors["busy"].set()
        await busy.wait()
        clock.advance(timedelta(minutes=50))
        await engine.pause("etl")  # a turn later
        assert (busy.state, cleared.state) == ("success", "running")
        clock.advance(timedelta(minutes=11))
        await cleared.wait()
        assert cleared.state == "failed"


async def test_cleared_runs_that_depend_on_the_past_go_one_after_another() -> None:
    doors: dict[str, anyio.Event] = {}
    began: list[str] = []
    async with Engine(dags=[dag_of(doors, began, task={"depends_on_past": True})]) as engine:
        runs = []
        for day in range(3):
            date = NEW_YEAR + timedelta(days=day)
            runs.append(await (await engine.trigger("etl", run_id=f"day{day}", logical_date=date)).wait())
        began.clear()
        doors["day0"] = anyio.Event()
        await engine.clear("etl", "day0", future=True)
        assert [run.task_states["body"] for run in runs] == ["running", "none", "none"]
        doors["day0"].set()
        for run in runs:
            await run.wait()
        assert began == ["day0", "day1", "day2"]
