"""`allowed_run_types`: a DAG refuses runs of other types, as Airflow 3.2 does (api/common/trigger_dag.py)."""

from __future__ import annotations

import pytest

from flowlet import DAG, Engine, task
from flowlet.authoring.spec import DagSpec
from flowlet.errors import DagError, FlowletError


def one_task(**arguments) -> DAG:
    with DAG("d", **arguments) as dag:

        @task
        def body():
            return 1

        body()
    return dag


@pytest.mark.anyio
async def test_a_run_of_another_type_is_refused_by_name():
    dag = one_task(allowed_run_types=["operator_triggered", "backfill"])
    async with Engine(":memory:", dags=[dag]) as engine:
        with pytest.raises(FlowletError, match=r"'d' allows no manual runs: its allowed_run_types are backfill, operator_triggered"):
            await engine.trigger("d")
        run = await engine.trigger("d", run_type="operator_triggered")
        assert (await run.wait()).state == "success"


def test_under_dag_test_any_type_may_run():
    assert one_task(allowed_run_types="backfill").test().state == "success"


@pytest.mark.parametrize("schedule", ["@daily", "@once"])
def test_a_schedule_needs_the_runs_that_it_makes(schedule):
    with pytest.raises(DagError, match="must include 'scheduled'"):
        one_task(schedule=schedule, allowed_run_types=["manual"])
    assert one_task(schedule=schedule, allowed_run_types=["scheduled"]).allowed_run_types == ("scheduled",)


def test_an_unknown_type_is_refused_with_those_that_exist():
    with pytest.raises(DagError, match="no type of run 'weekly'; the types are asset_materialization"):
        one_task(allowed_run_types=["weekly"])


def test_what_is_allowed_is_part_of_the_spec():
    spec = one_task(allowed_run_types={"manual", "backfill"}).spec
    assert DagSpec.from_json(spec.to_json()).allowed_run_types == ("backfill", "manual")
