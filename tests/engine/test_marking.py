"""Marking: a person says how a task or a run ended, and the run goes on, or is, what that makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowlet import DAG, DagRun, Engine, task
from flowlet.errors import FlowletError

pytestmark = pytest.mark.anyio


class Bodies:
    """Bodies that fail while they are told to, or wait behind a door."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.doors: dict[str, anyio.Event] = {}
        self.began: dict[str, anyio.Event] = {}
        self.called: list[str] = []

    def task(self, task_id: str, **more: Any) -> Any:
        self.began[task_id] = anyio.Event()

        @task(task_id=task_id, **more)
        async def body() -> str:
            self.began[task_id].set()
            if task_id in self.doors:
                await self.doors[task_id].wait()
            if task_id in self.failing:
                raise ValueError(task_id)
            return task_id

        return body()

    def dag(self) -> DAG:
        with DAG("etl") as dag:
            extract = self.task(
                "extract",
                on_success_callback=lambda _: self.called.append("success"),
                on_failure_callback=lambda _: self.called.append("failure"),
            )
            extract >> self.task("transform") >> self.task("load")
        return dag


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture
async def engine(bodies: Bodies) -> AsyncIterator[Engine]:
    async with Engine(dags=[bodies.dag()]) as engine:
        yield engine


def states(run: DagRun) -> list[str]:
    return [str(state) for state in run.task_states.values()]


async def test_what_failed_after_a_task_that_is_marked_success_starts_anew(engine: Engine, bodies: Bodies) -> None:
    bodies.failing = {"extract"}
    run = await (await engine.trigger("etl")).wait()
    assert states(run) == ["failed", "upstream_failed", "upstream_failed"]
    assert await engine.set_task_state("etl", run.run_id, "extract", "success") == [(run.run_id, "extract", -1)]
    await run.wait()
    assert (run.state, states(run)) == ("success", ["success"] * 3)
    assert run.as_dict()["tries"] == {"extract": 1, "transform": 1, "load": 1}
    assert run.as_dict()["reasons"]["extract"] == "marked success"
    assert "success" not in bodies.called


async def test_a_running_task_that_is_marked_is_stopped_and_the_run_goes_on(engine: Engine, bodies: Bodies) -> None:
    bodies.doors["extract"] = anyio.Event()
    run = await engine.trigger("etl")
    await bodies.began["extract"].wait()
    await engine.set_task_state("etl", run.run_id, "extract", "success")
    await run.wait()
    assert (run.state, states(run)) == ("success", ["success"] * 3)
    attempts = await engine.fetch("attempts_of_run", run=run._run.id)
    assert [row[3:5] for row in attempts if row[0] == "extract"] == [("cancelled", "marked success")]
    assert bodies.called == []


async def test_a_task_marked_failed_fails_what_comes_after(engine: Engine, bodies: Bodies) -> None:
    bodies.doors["extract"] = anyio.Event()
    run = await engine.trigger("etl")
    await bodies.began["extract"].wait()
    await engine.set_task_state("etl", run.run_id, "extract", "failed")
    await run.wait()
    assert (run.state, states(run)) == ("failed", ["failed", "upstream_failed", "upstream_failed"])


async def test_a_run_that_has_ended_is_what_its_tasks_make_of_it(engine: Engine, bodies: Bodies) -> None:
    run = await (await engine.trigger("etl")).wait()
    ended_at = run.as_dict()["ended_at"]
    await engine.set_task_state("etl", run.run_id, "load", "failed")
    assert (run.state, run.reason, states(run)) == ("failed", "failed: load", ["success", "success", "failed"])
    await engine.set_task_state("etl", run.run_id, "load", "success")
    assert (run.state, run.reason) == ("success", None)
    assert run.as_dict()["ended_at"] == ended_at
    ((state,),) = [row[4:5] for row in await engine.fetch("run", dag_id="etl", run_id=run.run_id)]
    assert state == "success"


async def test_relatives_are_marked_with_it_and_a_dry_run_only_tells(engine: Engine) -> None:
    run = await (await engine.trigger("etl", run_id="r")).wait()
    below = [("r", "transform", -1), ("r", "load", -1)]
    assert await engine.set_task_state("etl", "r", "transform", "failed", downstream=True, dry_run=True) == below
    assert states(run) == ["success"] * 3
    assert await engine.set_task_state("etl", "r", "transform", "failed", downstream=True) == below
    assert states(run) == ["success", "failed", "failed"]
    assert await engine.set_task_state("etl", "r", "transform", "failed", upstream=True) == [("r", "extract", -1)]


async def test_a_mapped_task_is_marked_as_a_whole_or_by_index() -> None:
    with DAG("mapped") as dag:

        @task
        async def double(x: int) -> int:
            raise ValueError(x)

        double.expand(x=[1, 2, 3])
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("mapped", run_id="r")).wait()
        assert await engine.set_task_state("mapped", "r", "double", "success", map_index=1) == [("r", "double", 1)]
        assert (run.state, states(run)) == ("failed", ["failed", "success", "failed"])
        assert len(await engine.set_task_state("mapped", "r", "double", "success")) == 2
        assert (run.state, states(run)) == ("success", ["success"] * 3)


async def test_a_state_that_nothing_can_be_set_to_is_refused_with_those_that_there_are(engine: Engine) -> None:
    await (await engine.trigger("etl", run_id="r")).wait()
    with pytest.raises(FlowletError, match="cannot be set to 'running'; it can be success, failed, skipped"):
        await engine.set_task_state("etl", "r", "load", "running")
    with pytest.raises(FlowletError, match="cannot be set to 'skipped'; it can be success, failed, queued"):
        await engine.set_run_state("etl", "r", "skipped")


@pytest.mark.parametrize("state", ["success", "failed"])
async def test_of_a_marked_run_what_runs_ends_so_and_what_waits_is_skipped(engine: Engine, bodies: Bodies, state: str) -> None:
    bodies.doors["transform"] = anyio.Event()
    run = await engine.trigger("etl")
    await bodies.began["transform"].wait()
    assert (await engine.set_run_state("etl", run.run_id, state)).state == state
    assert (run.state, run.reason, states(run)) == (state, f"marked {state}", ["success", state, "skipped"])


async def test_teardowns_of_a_marked_run_run_still() -> None:
    bodies = Bodies()
    bodies.doors["work"] = anyio.Event()
    with DAG("cluster") as dag:
        start, stop = bodies.task("start").as_setup(), bodies.task("stop")
        start >> bodies.task("work") >> bodies.task("more") >> stop.as_teardown(setups=start)
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger("cluster")
        await bodies.began["work"].wait()
        await engine.set_run_state("cluster", run.run_id, "failed")
        await run.wait()
        assert run.task_states == {"start": "success", "work": "failed", "more": "skipped", "stop": "success"}


async def test_a_run_that_has_ended_is_marked_and_begins_again_when_it_is_queued(engine: Engine, bodies: Bodies) -> None:
    bodies.failing = {"load"}
    run = await (await engine.trigger("etl", run_id="r")).wait()
    await engine.set_run_state("etl", "r", "success")
    assert (run.state, states(run)) == ("success", ["success", "success", "failed"])
    await engine.set_run_state("etl", "r", "queued")
    await run.wait()
    assert (run.state, run.reason) == ("failed", "failed: load")
    assert run.as_dict()["tries"] == {"extract": 1, "transform": 1, "load": 1}


async def test_what_was_marked_without_an_owner_goes_on_with_the_next(tmp_path: Path, bodies: Bodies) -> None:
    path = tmp_path / "flowlet.db"
    bodies.failing = {"extract"}
    async with Engine(path, dags=[bodies.dag()], durability="process") as engine:
        await (await engine.trigger("etl", run_id="r")).wait()
    async with Engine(path, durability="process", execute=False) as engine:
        await engine.set_task_state("etl", "r", "extract", "success")
        assert (await engine.run("etl", "r")).state == "queued"
    async with Engine(path, dags=[bodies.dag()], durability="process") as engine:
        run = await (await engine.run("etl", "r")).wait()
        assert states(run) == ["success"] * 3
