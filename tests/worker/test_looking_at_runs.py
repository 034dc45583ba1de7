"""What a body and a callback may see of how runs and tasks stand: as it is on file, from any thread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, Engine, PythonOperator, task
from flowlet.errors import FlowletError, RunNotFound
from flowlet.worker.looking import Looks

pytestmark = pytest.mark.anyio
DAY = datetime(2026, 1, 15, tzinfo=UTC)


def watched(look: Any) -> DAG:
    """bad (failed), two mapped ones (success), and a task that looks when they are over."""
    with DAG("watched") as dag:

        def fails() -> None:
            raise ValueError

        bad = PythonOperator(task_id="bad", python_callable=fails)

        @task
        def each(n: int) -> int:
            return n

        [bad, each.expand(n=[1, 2])] >> PythonOperator(task_id="look", python_callable=look, trigger_rule="all_done")
    return dag


@pytest.mark.parametrize("on_loop", [False, True])
async def test_a_task_sees_how_the_tasks_of_its_run_stand(on_loop: bool) -> None:
    def look(dag_run: Any) -> list[Any]:
        bad = dag_run.get_task_instance("bad")
        assert dag_run.get_task_instance("nobody") is None
        assert (bad.try_number, bad.operator, bad.duration >= 0) == (1, "PythonOperator", True)
        return [[ti.task_id, ti.map_index, ti.state] for ti in dag_run.get_task_instances()] + [
            [ti.task_id for ti in dag_run.get_task_instances(state="failed")],
            [ti.task_id for ti in dag_run.get_task_instances(state={"running"})],
        ]

    async def alook(dag_run: Any) -> list[Any]:
        return look(dag_run)

    async with Engine(dags=[watched(alook if on_loop else look)], schedules=False) as engine:
        run = await (await engine.trigger("watched")).wait()
        seen = await run.xcom("look")
    assert sorted(seen[:4]) == [["bad", -1, "failed"], ["each", 0, "success"], ["each", 1, "success"], ["look", -1, "running"]]
    assert seen[4:] == [["bad"], ["look"]]


async def test_airflows_questions_are_answered() -> None:
    def look(ti: Any) -> dict[str, Any]:
        here: dict[str, Any] = {"dag_id": "watched", "run_ids": ["one"]}
        return {
            "state": ti.get_dagrun_state("watched", "one"),
            "runs": [ti.get_dr_count("watched"), ti.get_dr_count("watched", states=["failed"]), ti.get_dr_count("watched", logical_dates=[DAY])],
            "tasks": ti.get_task_states(**here),
            "some": ti.get_task_states(**here, task_ids=["bad"]),
            "index": ti.get_task_states(**here, map_index=1),
            "counts": [ti.get_ti_count(**here), ti.get_ti_count(**here, states=["success"]), ti.get_ti_count("watched", logical_dates=[DAY])],
            "here": [ti.get_dagrun().run_id, ti.current_state(), ti.end_date, ti.queue],
        }

    async with Engine(dags=[watched(look)], schedules=False) as engine:
        await (await engine.trigger("watched", run_id="zero", logical_date=DAY)).wait()
        run = await (await engine.trigger("watched", run_id="one", logical_date=DAY + timedelta(1))).wait()
        assert await run.xcom("look") == {
            "state": "running", "runs": [2, 1, 1],
            "tasks": {"one": {"bad": "failed", "each_0": "success", "each_1": "success", "look": "running"}},
            "some": {"one": {"bad": "failed"}}, "index": {"one": {"each_1": "success"}},
            "counts": [4, 2, 4], "here": ["one", "running", None, "default"],
        }  # fmt: skip
        with pytest.raises(RunNotFound, match="DAG 'watched' has no run 'two'"):
            Looks.get_dagrun_state("watched", "two")


async def test_a_callback_of_the_dag_sees_what_failed() -> None:
    told: list[list[str]] = []

    def over(context: dict[str, Any]) -> None:
        told.append([ti.task_id for ti in context["dag_run"].get_task_instances(state="failed")])

    def bad() -> None:
        raise ValueError

    with DAG("d", on_failure_callback=over) as dag:
        PythonOperator(task_id="bad", python_callable=bad)
    async with Engine(dags=[dag], schedules=False) as engine:
        await (await engine.trigger("d")).wait()
    assert told == [["bad"]]


def test_without_an_engine_nothing_can_be_seen() -> None:
    with pytest.raises(FlowletError, match="runs can be seen only while an Engine is open"):
        Looks.get_dr_count("d")
