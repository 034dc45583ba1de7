"""ExternalTaskMarker: what waits for a task in another DAG is cleared with it, in one transaction."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, DagRun, EmptyOperator, Engine
from flowlet.clock import VirtualClock
from flowlet.errors import DagNotFound, FlowletError
from flowlet.operators.external_task import ExternalTaskMarker

pytestmark = pytest.mark.anyio
DAY = datetime(2026, 1, 5, tzinfo=UTC)


def dag(dag_id: str, marks: str | None, *, first: Any = None, **more: Any) -> DAG:
    """begin >> mark (of `begin` in the DAG `marks`) >> after."""
    with DAG(dag_id) as made:
        begin = EmptyOperator(task_id="begin", on_success_callback=_body)
        if marks is None:
            begin >> EmptyOperator(task_id="after", on_success_callback=_body)
        else:
            begin >> ExternalTaskMarker(task_id="mark", external_dag_id=marks, external_task_id="begin", **more)
    return made


def _body(_: Any) -> None:
    """With a callback an EmptyOperator has attempts."""


async def engine_with(*dags: DAG) -> Engine:
    return Engine(dags=dags, clock=VirtualClock(DAY, auto=True), schedules=False)


async def runs_of(engine: Engine, date: datetime = DAY) -> dict[str, DagRun]:
    return {name: await (await engine.trigger(name, run_id=name, logical_date=date)).wait() for name in engine.dags()}


async def wait_all(runs: dict[str, DagRun]) -> dict[str, dict[str, int]]:
    return {name: (await run.wait()).as_dict()["tries"] for name, run in runs.items()}


async def test_the_task_that_a_marker_names_and_what_comes_after_it_are_cleared_too() -> None:
    async with await engine_with(dag("a", "b"), dag("b", "c"), dag("c", None)) as engine:
        runs = await runs_of(engine)
        assert await engine.clear("a", "a", task_ids="mark", dry_run=True) == [("a", "mark", -1)]
        assert await engine.clear("a", "a", task_ids="begin", downstream=True) == [
            ("a", "begin", -1), ("a", "mark", -1), ("b/b", "begin", -1), ("b/b", "mark", -1), ("c/c", "begin", -1), ("c/c", "after", -1),
        ]  # fmt: skip
        tries = await wait_all(runs)
        assert [tries[name]["begin"] for name in "abc"] == [2, 2, 2]
        assert tries["c"]["after"] == 2


async def test_the_run_of_the_markers_date_is_meant_and_no_other() -> None:
    earlier = dag("a", "b", logical_date="{{ (logical_date - macros.timedelta(days=1)).isoformat() }}")
    async with await engine_with(earlier, dag("b", None)) as engine:
        runs = await runs_of(engine)
        before = await (await engine.trigger("b", run_id="before", logical_date=DAY - timedelta(days=1))).wait()
        assert ("b/before", "begin", -1) in await engine.clear("a", "a")
        await before.wait()
        assert (await wait_all(runs))["b"]["begin"] == 1
        assert before.as_dict()["tries"]["begin"] == 2


async def test_markers_that_point_at_each_other_clear_each_once() -> None:
    async with await engine_with(dag("a", "b"), dag("b", "a")) as engine:
        runs = await runs_of(engine)
        async with asyncio.timeout(10):
            cleared = await engine.clear("a", "a", task_ids="begin", downstream=True)
        assert sorted(cleared) == [("a", "begin", -1), ("a", "mark", -1), ("b/b", "begin", -1), ("b/b", "mark", -1)]
        assert {tries["begin"] for tries in (await wait_all(runs)).values()} == {2}


async def test_beyond_the_recursion_depth_nothing_is_cleared_and_the_way_out_is_named() -> None:
    dags = [dag("a", "b", recursion_depth=2), dag("b", "c"), dag("c", "d"), dag("d", None)]
    async with await engine_with(*dags) as engine:
        runs = await runs_of(engine)
        with pytest.raises(FlowletError, match="more than recursion_depth=2 markers away: give the first marker a larger"):
            await engine.clear("a", "a")
        assert {run.state for run in runs.values()} == {"success"}
        await engine.clear("b", "b")
        assert {name: tries["begin"] for name, tries in (await wait_all(runs)).items()} == {"a": 1, "b": 2, "c": 2, "d": 2}


async def test_a_marker_of_a_run_that_does_not_exist_clears_nothing_and_of_a_dag_that_does_not_is_told() -> None:
    async with await engine_with(dag("a", "b"), dag("b", None), dag("lost", "nowhere")) as engine:
        run = await (await engine.trigger("a", run_id="r", logical_date=DAY)).wait()
        assert len(await engine.clear("a", "r")) == 2
        await run.wait()
        dateless = await (await engine.trigger("a", run_id="dateless", logical_date=None)).wait()
        assert len(await dateless.clear()) == 2
        await (await engine.trigger("lost", run_id="r")).wait()
        with pytest.raises(DagNotFound, match="the marker mark of DAG 'lost': no DAG 'nowhere' is registered"):
            await engine.clear("lost", "r")
