"""Runs of other DAGs: made by a task, waited for, looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, DagError, EmptyOperator, Engine, PythonOperator, SkipTask, TaskGroup
from flowlet.clock import VirtualClock
from flowlet.operators.external_task import ExternalTaskMarker, ExternalTaskSensor
from flowlet.operators.trigger_dagrun import TriggerDagRunOperator

Run = Callable[..., Any]
DAY = datetime(2026, 1, 5, tzinfo=UTC)


def _fail() -> None:
    raise ValueError("no")


def _skip() -> None:
    raise SkipTask


def target(body: Callable[..., Any] = lambda: None) -> DAG:
    with DAG("target") as dag:
        with TaskGroup("load"):
            PythonOperator(task_id="work", python_callable=body)
        PythonOperator(task_id="greet", python_callable=lambda dag_run: dag_run.conf.get("name"))
    return dag


def trigger(**arguments: Any) -> DAG:
    with DAG("source") as dag:
        TriggerDagRunOperator(task_id="go", trigger_dag_id="target", **arguments)
    return dag


async def together(*dags: DAG, run: str = "source", clock: Any = None, **options: Any) -> tuple[dict[str, Any], Any]:
    """Run one of the DAGs in an engine that has them all; its story, and the states of the runs that it made."""
    async with Engine(dags=dags, clock=clock or VirtualClock(DAY, auto=True), schedules=False) as engine:
        made = await (await engine.trigger(run, **options)).wait()
        for other in made.as_dict()["triggered_runs"]:
            await (await engine.run(other["dag_id"], other["run_id"])).wait()
        story = made.as_dict()
        others = [(await engine.run(o["dag_id"], o["run_id"])).as_dict() for o in story["triggered_runs"]]
        return story, others


# -- making runs -----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_run_is_made_with_its_conf_and_date() -> None:
    dag = trigger(conf={"name": "{{ run_id }}"}, logical_date="2026-02-03T00:00:00")
    story, (other,) = await together(target(), dag, run_id="me")
    assert story["triggered_runs"] == [{"dag_id": "target", "run_id": other["run_id"], "state": "success"}]
    assert (other["run_type"], other["state"], other["conf"]) == ("operator_triggered", "success", {"name": "me"})
    assert other["logical_date"] == "2026-02-03T00:00:00.000000Z"
    assert other["run_id"] == "manual__2026-02-03T00:00:00+00:00"
    assert story["xcoms"]["go:trigger_run_id"] == other["run_id"]
    assert other["xcoms"]["greet:return_value"] == "me"


@pytest.mark.anyio
async def test_a_run_that_exists_fails_the_task_or_skips_it() -> None:
    def again(**arguments: Any) -> DAG:
        with DAG("source") as dag:
            first = TriggerDagRunOperator(task_id="first", trigger_dag_id="target", trigger_run_id="x", logical_date=DAY)
            first >> TriggerDagRunOperator(task_id="again", trigger_dag_id="target", **arguments)
        return dag

    for same in ({"trigger_run_id": "x"}, {"logical_date": DAY}):
        story, _ = await together(target(), again(**same))
        assert (story["tasks"]["again"], story["errors"]) == ("failed", {"again": ["RunExists"]})
        both = {"reset_dag_run": True, "skip_when_already_exists": True}  # what can be reset is not skipped
        story, others = await together(target(), again(**both, **same))
        assert (story["tasks"]["again"], story["xcoms"]["again:trigger_run_id"]) == ("success", "x")
        assert [(other["run_id"], other["state"]) for other in others] == [("x", "success")] * 2
        assert others[0]["tries"] == {"load.work": 2, "greet": 2}
        story, _ = await together(target(), again(skip_when_already_exists=True, **same))
        assert story["tasks"]["again"] == "skipped"


@pytest.mark.anyio
async def test_a_run_may_be_waited_for() -> None:
    story, _ = await together(target(), trigger(wait_for_completion=True, poke_interval=5))
    assert story["tasks"] == {"go": "success"}
    story, (other,) = await together(target(_fail), trigger(wait_for_completion=True, poke_interval=5, retries=0))
    assert (story["tasks"], other["state"]) == ({"go": "failed"}, "failed")
    assert story["reasons"]["go"].endswith("of DAG 'target' ended as failed")
    story, _ = await together(target(_fail), trigger(wait_for_completion=True, allowed_states=["failed"], failed_states=[]))
    assert story["tasks"] == {"go": "success"}


@pytest.mark.anyio
async def test_a_dag_that_is_not_there_fails_the_task() -> None:
    story, _ = await together(trigger())
    assert story["errors"] == {"go": ["DagNotFound"]}


def test_a_test_notes_the_run_and_does_not_run_it(run: Run) -> None:
    told = run(trigger(conf={"a": 1}, logical_date=DAY))
    noted = {"dag_id": "target", "run_id": "manual__2026-01-05T00:00:00+00:00", "state": "queued"}
    assert (told.state, told.story["triggered_runs"]) == ("success", [noted])
    told = run(trigger(wait_for_completion=True))
    assert told.reasons["go"] == "FailTask: dag.test() does not run DAG 'target', so its run would be waited for in vain"


def test_what_cannot_be_done_yet_is_refused() -> None:
    with pytest.raises(DagError, match="fail_when_dag_is_paused is not supported"):
        trigger(fail_when_dag_is_paused=True)


# -- looking at runs -------------------------------------------------------------------------------------


def waiting(**arguments: Any) -> DAG:
    with DAG("waiting") as dag:
        ExternalTaskSensor(task_id="wait", **{"external_dag_id": "target", "timeout": 600, **arguments})
    return dag


async def after(other: DAG, sensor: DAG, *, date: datetime = DAY) -> dict[str, Any]:
    """What becomes of a sensor when the other DAG has run for the fifth of January."""
    async with Engine(dags=[other, sensor], clock=VirtualClock(DAY, auto=True), schedules=False) as engine:
        await (await engine.trigger("target", logical_date=DAY)).wait()
        story: dict[str, Any] = (await (await engine.trigger("waiting", logical_date=date)).wait()).as_dict()
        return story


@pytest.mark.anyio
@pytest.mark.parametrize(
    "what",
    [
        {},
        {"external_task_id": "greet"},
        {"external_task_ids": ["greet", "load.work"]},
        {"external_task_group_id": "load"},
        {"external_task_id": "greet", "check_existence": True},
    ],
)
async def test_a_run_a_task_and_a_group_of_the_same_date_are_seen(what: dict[str, Any]) -> None:
    assert (await after(target(), waiting(**what)))["tasks"] == {"wait": "success"}
    elsewhen = await after(target(), waiting(**what), date=DAY + timedelta(days=1))
    assert elsewhen["errors"] == {"wait": ["SensorTimeout"]}


@pytest.mark.anyio
async def test_the_date_may_be_another() -> None:
    tomorrow = DAY + timedelta(days=1)
    earlier = waiting(execution_delta=timedelta(days=1))
    assert (await after(target(), earlier, date=tomorrow))["state"] == "success"
    by_function = waiting(execution_date_fn=lambda date, ds: [date - timedelta(days=1)] if ds == "2026-01-06" else [])
    assert (await after(target(), by_function, date=tomorrow))["state"] == "success"


@pytest.mark.anyio
async def test_all_dates_and_all_tasks_must_be_met() -> None:
    one_is_missing = waiting(execution_date_fn=lambda date: [date, date - timedelta(days=1)])
    assert (await after(target(), one_is_missing))["state"] == "failed"
    one_has_failed = waiting(external_task_ids=["greet", "load.work"])
    assert (await after(target(_fail), one_has_failed))["state"] == "failed"


@pytest.mark.anyio
async def test_states_that_are_waited_for_failed_at_and_skipped_by() -> None:
    async def became(body: Callable[..., Any], **arguments: Any) -> str:
        story = await after(target(body), waiting(external_task_id="load.work", **arguments))
        return str(story["tasks"]["wait"])

    assert await became(_fail) == "failed"  # at its timeout
    assert await became(_fail, timeout=10**9, failed_states=["failed"]) == "failed"
    assert await became(_fail, timeout=10**9, failed_states=["failed"], soft_fail=True) == "skipped"
    assert await became(_skip, timeout=10**9, skipped_states=["skipped"]) == "skipped"
    assert await became(_skip, allowed_states=["success", "skipped"]) == "success"


@pytest.mark.anyio
async def test_what_is_not_there_is_told_when_asked_for() -> None:
    for what, error in (
        ({"external_dag_id": "targte"}, "DagNotFound"),
        ({"external_task_id": "grete"}, "TaskNotFound"),
    ):
        story = await after(target(), waiting(check_existence=True, timeout=10**9, **what))
        assert story["errors"] == {"wait": [error]}


def test_history_in_a_file_is_seen_by_tests_that_share_it(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    target().test(db=path, logical_date=DAY)
    assert waiting().test(db=path, logical_date=DAY).state == "success"
    assert waiting().test(logical_date=DAY).state == "failed"


def test_contradictions_are_refused() -> None:
    for wrong, text in (
        ({"external_task_id": "a", "external_task_ids": ["b"]}, "give one of external_task_id"),
        ({"execution_delta": timedelta(1), "execution_date_fn": print}, "not both"),
        ({"failed_states": ["success"]}, "stands in more than one of"),
    ):
        with pytest.raises(DagError, match=text):
            waiting(**wrong)


def test_a_marker_does_nothing(run: Run) -> None:
    with DAG("marked") as dag:
        marker = ExternalTaskMarker(task_id="mark", external_dag_id="waiting", external_task_id="wait")
        marker >> EmptyOperator(task_id="end")
    assert run(dag).state == "success"


# -- deferrable ------------------------------------------------------------------------------------------


async def ends(*dags: DAG, run: str = "source") -> tuple[list[str], dict[str, Any]]:
    """In which order the tasks of the run end, and its story."""
    order: list[str] = []

    def heard(event: Any) -> None:
        if type(event).__name__ == "TaskEnded" and event.dag_id == run:
            order.append(event.task_id)

    async with Engine(dags=dags, clock=VirtualClock(DAY, auto=True), schedules=False) as engine:
        engine.listeners.subscribe(heard)
        made = await (await engine.trigger(run, logical_date=DAY)).wait()
        return order, made.as_dict()


@pytest.mark.anyio
@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("body", "state"), [(lambda: None, "success"), (_fail, "failed")])
async def test_who_waits_for_a_run_and_is_deferrable_makes_one_and_takes_no_slot_meanwhile(
    body: Any, state: str, deferrable: bool
) -> None:
    """Airflow: `_handle_trigger_dag_run` defers with a DagStateTrigger that has the run's id."""
    with DAG("source", max_active_tasks=1) as source:
        TriggerDagRunOperator(
            task_id="go", trigger_dag_id="target", wait_for_completion=True, poke_interval=5, deferrable=deferrable, priority_weight=9
        )
        PythonOperator(task_id="beside", python_callable=lambda: None)
    order, story = await ends(source, target(body))
    assert order == (["beside", "go"] if deferrable else ["go", "beside"])
    assert len(story["triggered_runs"]) == 1
    assert (story["tasks"]["go"], story["tries"]["go"]) == (state, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("deferrable", [False, True])
async def test_who_waits_for_another_dag_and_is_deferrable_takes_no_slot_meanwhile(deferrable: bool) -> None:
    with DAG("source", max_active_tasks=1) as source:
        ExternalTaskSensor(
            task_id="wait", external_dag_id="target", deferrable=deferrable, poke_interval=600, timeout=900, soft_fail=True, priority_weight=9
        )
        PythonOperator(task_id="beside", python_callable=lambda: None)
    order, story = await ends(source, target())
    assert order == (["beside", "wait"] if deferrable else ["wait", "beside"])
    assert (story["tasks"]["wait"], story["tries"]["wait"]) == ("skipped", 1)


@pytest.mark.anyio
async def test_who_is_deferrable_sees_it_at_a_later_look() -> None:
    with DAG("source") as source:
        ExternalTaskSensor(task_id="wait", external_dag_id="target", deferrable=True, poke_interval=60, timeout=3600)
        TriggerDagRunOperator(task_id="go", trigger_dag_id="target", logical_date=DAY)
    order, story = await ends(source, target())
    assert (order, story["tasks"]["wait"], story["tries"]["wait"]) == (["go", "wait"], "success", 1)


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_one_that_is_deferrable_times_out_when_that_is_due(soft_fail: bool, state: str) -> None:
    with DAG("source") as source:
        ExternalTaskSensor(
            task_id="wait", external_dag_id="target", deferrable=True, poke_interval=600, timeout=900, soft_fail=soft_fail, retries=2
        )
    story = source.test(logical_date=DAY).as_dict()
    took = datetime.fromisoformat(story["ended_at"]) - datetime.fromisoformat(story["started_at"])
    assert (story["tasks"], story["tries"]) == ({"wait": state}, {"wait": 1})
    assert timedelta(minutes=15) <= took < timedelta(minutes=16)
