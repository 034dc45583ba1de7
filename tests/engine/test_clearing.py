"""Clear and rerun: finished runs go on again, running tasks start anew, and no try is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowlet import DAG, DagRun, EmptyOperator, Engine, task
from flowlet.errors import FlowletError, RunNotFound, TaskNotFound
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Bodies:
    """What the bodies of a DAG do: they count, fail while they are told to, and wait behind a door."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.began: list[str] = []
        self.doors: dict[str, anyio.Event] = {}

    def task(self, task_id: str, **more: Any) -> Any:
        @task(task_id=task_id, **more)
        async def body(ti: Any) -> int:
            self.began.append(task_id)
            if task_id in self.doors:
                await self.doors[task_id].wait()
            if task_id in self.failing:
                raise ValueError(task_id)
            return int(ti.try_number)

        return body()

    def chain(self, dag_id: str = "etl", **more: Any) -> DAG:
        with DAG(dag_id, **more) as dag:
            self.task("extract") >> self.task("transform") >> self.task("load")
        return dag


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


def outcomes(run: DagRun) -> dict[str, tuple[str, int]]:
    shape = run.as_dict()
    return {key: (state, shape["tries"][key]) for key, state in shape["tasks"].items()}


async def tries(engine: Engine, run: DagRun, task_id: str) -> list[tuple[int, str]]:
    rows = await engine.fetch("attempts_of_run", run=run._run.id)
    return [(row[2], row[3]) for row in rows if row[0] == task_id]


async def test_a_finished_run_that_is_cleared_begins_again_and_every_try_stays(bodies: Bodies) -> None:
    bodies.failing = {"load"}
    async with Engine(dags=[bodies.chain()]) as engine:
        run = await (await engine.trigger("etl", run_id="r")).wait()
        assert run.state == "failed"
        bodies.failing = set()
        assert await engine.clear("etl", "r") == [("r", "extract", -1), ("r", "transform", -1), ("r", "load", -1)]
        assert run.state in ("queued", "running")
        await run.wait()
        assert run.state == "success"
        assert outcomes(run) == dict.fromkeys(("extract", "transform", "load"), ("success", 2))
        assert await tries(engine, run, "load") == [(1, "failed"), (2, "succeeded")]
        assert run.as_dict()["errors"] == {"load": ["ValueError"]}


async def test_only_the_tasks_that_are_named_start_anew(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        run = await (await engine.trigger("etl")).wait()
        assert await run.clear(task_ids="transform") == [(run.run_id, "transform", -1)]
        await run.wait()
        assert outcomes(run) == {"extract": ("success", 1), "transform": ("success", 2), "load": ("success", 1)}
        assert len(await run.clear(task_ids=["transform"], downstream=True)) == 2
        await run.wait()
        assert [number for _, number in outcomes(run).values()] == [1, 3, 2]
        assert len(await run.clear(task_ids=["transform"], upstream=True)) == 2
        await run.wait()
        assert [number for _, number in outcomes(run).values()] == [2, 4, 2]


async def test_only_what_failed_is_cleared_with_what_failed_by_it(bodies: Bodies) -> None:
    bodies.failing = {"transform"}
    async with Engine(dags=[bodies.chain()]) as engine:
        run = await (await engine.trigger("etl")).wait()
        bodies.failing = set()
        assert [key[1] for key in await run.clear(only_failed=True, dry_run=True)] == ["transform", "load"]
        assert run.state == "failed"
        await run.clear(only_failed=True)
        await run.wait()
        assert outcomes(run) == {"extract": ("success", 1), "transform": ("success", 2), "load": ("success", 1)}
        assert await run.clear(only_failed=True) == []
        assert run.state == "success"


async def test_a_cleared_task_has_all_its_retries_again_and_its_numbers_grow() -> None:
    bodies = Bodies()
    bodies.failing = {"flaky"}
    with DAG("one") as dag:
        bodies.task("flaky", retries=1, retry_delay=timedelta(minutes=5))
    async with Engine(dags=[dag], clock=VirtualClock(NEW_YEAR, auto=True)) as engine:
        run = await (await engine.trigger("one")).wait()
        assert outcomes(run) == {"flaky": ("failed", 2)}
        await run.clear()
        await run.wait()
        assert outcomes(run) == {"flaky": ("failed", 4)}
        assert await tries(engine, run, "flaky") == [(number, "failed") for number in (1, 2, 3, 4)]


async def test_values_of_the_try_before_stay_until_the_task_starts_again(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        run = await (await engine.trigger("etl")).wait()
        bodies.doors["transform"] = anyio.Event()
        await run.clear(task_ids=["transform", "load"])
        assert run.task_states["load"] == "none"
        assert await run.xcom("load") == 1
        bodies.doors["transform"].set()
        await run.wait()
        assert await run.xcom("load") == 2
        bodies.failing = {"load"}
        await run.clear(task_ids="load")
        await run.wait()
        assert await run.xcom("load") is None


@pytest.mark.parametrize("beside", ["here", "without an owner"])
async def test_what_a_restart_finds_cleared_goes_on_where_it_was_cleared(tmp_path: Path, bodies: Bodies, beside: str) -> None:
    path = tmp_path / "flowlet.db"
    async with Engine(path, dags=[bodies.chain()], durability="process") as engine:
        run = await (await engine.trigger("etl", run_id="r")).wait()
        if beside == "here":
            await engine.pause("etl")
            await engine.clear("etl", "r", task_ids="transform")
            assert run.state == "queued"
    if beside != "here":
        async with Engine(path, durability="process", execute=False) as engine:
            await engine.clear("etl", "r", task_ids="transform")
            await engine.clear("etl", "r", task_ids="transform")
    async with Engine(path, dags=[bodies.chain()], durability="process") as engine:
        await engine.unpause("etl")
        run = await (await engine.run("etl", "r")).wait()
        assert outcomes(run) == {"extract": ("success", 1), "transform": ("success", 2), "load": ("success", 1)}
        assert await tries(engine, run, "transform") == [(1, "succeeded"), (2, "succeeded")]


async def test_runs_of_earlier_and_later_dates_are_cleared_with_it(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        for day in range(1, 4):
            await (await engine.trigger("etl", run_id=f"day{day}", logical_date=NEW_YEAR + timedelta(days=day))).wait()
        await (await engine.trigger("etl", run_id="dateless", logical_date=None)).wait()

        async def cleared(**more: Any) -> list[str]:
            return [run for run, _, _ in await engine.clear("etl", "day2", task_ids="load", dry_run=True, **more)]

        assert await cleared() == ["day2"]
        assert await cleared(past=True) == ["day1", "day2"]
        assert await cleared(future=True) == ["day2", "day3"]
        assert await cleared(past=True, future=True) == ["day1", "day2", "day3"]
        everywhere = await engine.clear("etl", task_ids="load", dry_run=True)
        assert {run for run, _, _ in everywhere} == {"day1", "day2", "day3", "dateless"}
        with pytest.raises(FlowletError, match="no logical date"):
            await engine.clear("etl", "dateless", past=True)


async def test_cleared_runs_begin_again_within_max_active_runs(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain(max_active_runs=1)]) as engine:
        runs = [await (await engine.trigger("etl")).wait() for _ in range(3)]
        bodies.doors["extract"] = anyio.Event()
        await engine.clear("etl")
        assert sorted(run.state for run in runs) == ["queued", "queued", "running"]
        bodies.doors["extract"].set()
        for run in runs:
            await run.wait()
        assert all(outcomes(run) == dict.fromkeys(("extract", "transform", "load"), ("success", 2)) for run in runs)


async def test_an_error_names_what_there_is(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        await (await engine.trigger("etl", run_id="r")).wait()
        with pytest.raises(RunNotFound, match="no run 'x'; its latest are r"):
            await engine.clear("etl", "x")
        with pytest.raises(TaskNotFound, match="no task 'x'; it has extract, transform, load"):
            await engine.clear("etl", "r", task_ids=["load", "x"])
        assert (await engine.run("etl", "r")).state == "success"


async def test_a_run_goes_on_with_the_tasks_that_its_dag_has_now(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        run = await (await engine.trigger("etl", run_id="r")).wait()
        with DAG("etl") as edited:
            bodies.task("extract") >> bodies.task("check") >> bodies.task("load")
        await engine.add(edited)
        await engine.clear("etl", "r", task_ids="load")
        await run.wait()
        assert outcomes(run) == {
            "extract": ("success", 1), "check": ("success", 1), "load": ("success", 2), "transform": ("removed", 1),
        }  # fmt: skip
        assert await tries(engine, run, "transform") == [(1, "succeeded")]


async def test_an_operator_without_a_body_is_a_success_again() -> None:
    with DAG("empty") as dag:
        EmptyOperator(task_id="first") >> EmptyOperator(task_id="second")
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("empty")).wait()
        assert len(await run.clear()) == 2
        await run.wait()
        assert outcomes(run) == {"first": ("success", 0), "second": ("success", 0)}


def choosing(bodies: Bodies, choice: list[str]) -> DAG:
    """A branch that follows what stands in `choice`, and tasks after it that would run whatever came before."""
    with DAG("choosing") as dag:

        @task.branch
        def choose() -> list[str]:
            return choice

        choose() >> [bodies.task("left", trigger_rule="all_done"), bodies.task("right", trigger_rule="all_done")]
    return dag


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_a_branch_decided_to_skip_is_skipped_again_whatever_its_rule(tmp_path: Path, bodies: Bodies, restarted: bool) -> None:
    path, choice = tmp_path / "flowlet.db", ["left"]
    async with Engine(path, dags=[choosing(bodies, choice)], durability="process") as engine:
        run = await (await engine.trigger("choosing", run_id="r")).wait()
        assert outcomes(run) == {"choose": ("success", 1), "left": ("success", 1), "right": ("skipped", 0)}
        if not restarted:
            await engine.clear("choosing", "r", task_ids=["left", "right"])
            await run.wait()
    if restarted:
        async with Engine(path, dags=[choosing(bodies, choice)], durability="process") as engine:
            await engine.clear("choosing", "r", task_ids=["left", "right"])
            run = await (await engine.run("choosing", "r")).wait()
    assert outcomes(run) == {"choose": ("success", 1), "left": ("success", 2), "right": ("skipped", 0)}
    assert run.as_dict()["reasons"]["right"] == "skipped by choose"


async def test_a_branch_that_is_cleared_decides_anew(bodies: Bodies) -> None:
    choice = ["left"]
    async with Engine(dags=[choosing(bodies, choice)]) as engine:
        run = await (await engine.trigger("choosing")).wait()
        choice[:] = ["right"]
        await run.clear()
        await run.wait()
        assert outcomes(run) == {"choose": ("success", 2), "left": ("skipped", 1), "right": ("success", 1)}


async def test_setups_and_teardowns_are_cleared_with_the_work_that_they_are_for(bodies: Bodies) -> None:
    with DAG("cluster") as dag:
        start, stop = bodies.task("start").as_setup(), bodies.task("stop")
        start >> bodies.task("work") >> stop.as_teardown(setups=start)
        other, end = bodies.task("other").as_setup(), bodies.task("end")
        other >> bodies.task("elsewhere") >> end.as_teardown(setups=other)
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("cluster")).wait()
        assert sorted(key[1] for key in await run.clear(task_ids="work")) == ["start", "stop", "work"]
        await run.wait()
        assert {name: number for name, (_, number) in outcomes(run).items() if number == 2} == {"start": 2, "work": 2, "stop": 2}
        assert sorted(key[1] for key in await run.clear(task_ids="start", dry_run=True)) == ["start", "stop"]
        assert [key[1] for key in await run.clear(task_ids="stop", dry_run=True)] == ["stop"]


async def test_tasks_are_named_by_an_expression_and_runs_by_their_dates(bodies: Bodies) -> None:
    async with Engine(dags=[bodies.chain()]) as engine:
        for day in range(1, 4):
            await (await engine.trigger("etl", run_id=f"day{day}", logical_date=NEW_YEAR + timedelta(days=day))).wait()
        await (await engine.trigger("etl", run_id="dateless", logical_date=None)).wait()

        async def cleared(**more: Any) -> list[tuple[str, str]]:
            return [key[:2] for key in await engine.clear("etl", dry_run=True, **more)]

        second = NEW_YEAR + timedelta(days=2)
        assert await cleared(task_regex="^(ex|l)", start_date=second, end_date=second) == [("day2", "extract"), ("day2", "load")]
        assert await cleared(task_regex="oad", start_date=second) == [("day2", "load"), ("day3", "load")]
        assert await cleared(task_regex="oad", end_date=second) == [("day1", "load"), ("day2", "load")]
        assert await cleared(task_regex="nothing like it") == []
        with pytest.raises(FlowletError, match="either a run is named, or the dates"):
            await engine.clear("etl", "day2", start_date=second)
        with pytest.raises(FlowletError, match="either tasks are named, or an expression"):
            await engine.clear("etl", task_ids="load", task_regex="load")
        with pytest.raises(FlowletError, match=r"task_regex='\('"):
            await engine.clear("etl", task_regex="(")
