"""The context of an attempt: Airflow's keys and spellings (sdk/execution_time/task_runner.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, Param, get_current_context, task
from flowlet.clock import to_micros
from flowlet.worker.workload import Outcome, RunFacts, Workload

Run = Callable[..., Outcome]
Of = Callable[..., DAG]


@pytest.fixture
def seen(run: Run, of: Of) -> Callable[..., dict[str, Any]]:
    """The context that a body was given."""

    def seen(arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        contexts: list[dict[str, Any]] = []
        outcome = run(of(lambda **context: contexts.append(context), **(arguments or {})), **more)
        assert outcome.kind == "succeeded", outcome.reason
        return contexts[0]

    return seen


def test_the_dates_of_a_run(seen: Callable[..., dict[str, Any]]) -> None:
    context = seen(logical_date=datetime(2026, 2, 3, 4, 5, 6, 70, tzinfo=UTC))
    spelled = {
        key: context[key] for key in ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "run_id")
    }
    assert spelled == {
        "ds": "2026-02-03",
        "ds_nodash": "20260203",
        "ts": "2026-02-03T04:05:06.000070+00:00",
        "ts_nodash": "20260203T040506",
        "ts_nodash_with_tz": "20260203T040506.000070+0000",
        "run_id": "run",
    }
    assert context["logical_date"] == datetime(2026, 2, 3, 4, 5, 6, 70, tzinfo=UTC)
    assert context["task_instance_key_str"] == "dag__body__20260203"


def test_the_data_interval(seen: Callable[..., dict[str, Any]]) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    at = to_micros(start)
    run = RunFacts("dag", "r", "scheduled", at, at, to_micros(end), to_micros(end), None, {})
    context = seen(run=run)
    assert (context["data_interval_start"], context["data_interval_end"]) == (start, end)
    dag_run = context["dag_run"]
    assert (dag_run.run_type, dag_run.run_after, dag_run.start_date) == ("scheduled", end, None)
    assert (dag_run.data_interval_start, dag_run.data_interval_end, dag_run.logical_date) == (
        start,
        end,
        start,
    )


@pytest.mark.parametrize(
    "key",
    [
        "logical_date", "data_interval_start", "data_interval_end", "ds", "ds_nodash", "ts", "ts_nodash",
        "ts_nodash_with_tz", "prev_data_interval_start_success", "prev_data_interval_end_success",
    ],
)  # fmt: skip
def test_a_run_without_a_logical_date_lacks_what_hangs_on_one(
    seen: Callable[..., dict[str, Any]], key: str
) -> None:
    context = seen(logical_date=None)
    assert key not in context
    assert context["dag_run"].logical_date is None
    assert context["task_instance_key_str"] == "dag__body__run"
    assert key in seen()


@pytest.mark.parametrize(
    "key",
    [
        "conn", "dag", "dag_run", "expanded_ti_count", "inlet_events", "inlets", "macros", "map_index_template",
        "outlet_events", "outlets", "params", "prev_end_date_success", "prev_start_date_success", "run_id", "task",
        "task_instance", "task_instance_key_str", "task_reschedule_count", "templates_dict", "test_mode", "ti",
        "triggering_asset_events", "try_number", "var",
    ],
)  # fmt: skip
def test_keys_of_every_run(seen: Callable[..., dict[str, Any]], key: str) -> None:
    assert key in seen(logical_date=None)


@pytest.mark.parametrize(
    "key", ["execution_date", "next_ds", "prev_ds", "tomorrow_ds", "yesterday_ds", "conf"]
)
def test_keys_that_airflow_3_removed_are_absent(seen: Callable[..., dict[str, Any]], key: str) -> None:
    assert key not in seen()


def test_one_task_cannot_write_the_context_of_another(
    run: Run, of: Of, workload: Callable[..., Workload], seen: Callable[..., dict[str, Any]]
) -> None:
    def spoil() -> None:
        context = get_current_context()
        context["ds"] = context["ti"] = "spoilt"
        context["params"]["deep"]["er"] = "spoilt"

    facts = workload(of(lambda: None)).run
    with DAG("dag", params={"deep": {"er": 1}}) as dag:

        @task
        def body() -> None:
            spoil()

        body()
    assert run(dag, run=facts).kind == "succeeded"
    assert get_current_context_of(run, dag, facts)["ds"] == "2026-01-01"
    assert get_current_context_of(run, dag, facts)["params"] == {"deep": {"er": 1}}


def get_current_context_of(run: Run, dag: DAG, facts: RunFacts) -> dict[str, Any]:
    from flowlet import PythonOperator

    contexts: list[dict[str, Any]] = []
    if "look" not in dag.task_dict:
        PythonOperator(task_id="look", python_callable=lambda **context: contexts.append(context), dag=dag)
    else:
        dag.get_task("look").python_callable = lambda **context: contexts.append(context)  # the operator above
    run(dag, "look", run=facts)
    return contexts[0]


# -- params -------------------------------------------------------------------------------------------


def with_params(dag_params: Any, task_params: Any = None) -> DAG:
    with DAG("dag", params=dag_params) as dag:

        @task(params=task_params)
        def body(params: Any) -> Any:
            return params

        body()
    return dag


def test_params_of_dag_then_task_then_conf(run: Run) -> None:
    dag = with_params({"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2})
    assert run(dag, conf={"c": 3, "d": 3}).xcoms[0][1] == '{"a":1,"b":2,"c":3,"d":3}'


def test_a_param_without_a_value_fails_the_attempt(run: Run) -> None:
    outcome = run(with_params({"day": Param(type="string")}))
    assert (outcome.kind, outcome.error) == ("failed", "ParamError")
    assert "'day'" in str(outcome.reason)
    assert "has no value and no default" in str(outcome.reason)
    assert run(with_params({"day": Param(type="string")}), conf={"day": "monday"}).kind == "succeeded"


def test_a_param_is_checked_against_its_schema(run: Run) -> None:
    dag = with_params({"n": Param(3, type="integer", minimum=1)})
    assert run(dag, conf={"n": 0}).error == "ParamError"
    assert run(dag, conf={"n": "3"}).error == "ParamError"
    assert run(dag, conf={"n": 5}).kind == "succeeded"


# -- ti -----------------------------------------------------------------------------------------------


def test_what_ti_tells(seen: Callable[..., dict[str, Any]]) -> None:
    context = seen(try_number=2, max_tries=3, map_index=4)
    ti = context["ti"]
    assert (ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number, ti.max_tries) == (
        "dag", "body", "run", 4, 2, 3,
    )  # fmt: skip
    assert ti.start_date == datetime(2026, 1, 1, tzinfo=UTC)
    assert ti.logical_date == context["logical_date"]
    assert ti.dag_run.run_id == "run"
    assert ti.task is context["task"]
    assert (ti.state, ti.operator, ti.pool, ti.is_mapped) == (
        "running",
        "PythonOperator",
        "default_pool",
        True,
    )
    assert ti.key == ("dag", "body", "run", 2, 4)
    assert repr(ti) == "<TaskInstance: dag.body[4] run try 2>"
    assert isinstance(ti.hostname, str)
    assert context["task_instance"] is ti
    assert context["try_number"] == 2


def test_get_current_context_is_the_bodys_own(run: Run, both: Callable[..., Any], of: Of) -> None:
    def body(ti: Any) -> bool:
        return get_current_context()["ti"] is ti is ti and ti.get_template_context()["ti"] is ti

    assert run(of(both(body))).xcoms == (("return_value", "true"),)


def test_the_environment_of_subprocesses(run: Run, of: Of, worker: Any) -> None:
    import os

    from flowlet.worker.environment import life

    worker.marker = "file#7"
    dag = of(lambda ti: ti.subprocess_env(), owner="me")
    from flowlet.runs.values import decode

    assert decode(run(dag).xcoms[0][1]) == {
        "AIRFLOW_CTX_DAG_OWNER": "me",
        "AIRFLOW_CTX_DAG_ID": "dag",
        "AIRFLOW_CTX_TASK_ID": "body",
        "AIRFLOW_CTX_LOGICAL_DATE": "2026-01-01T00:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "1",
        "AIRFLOW_CTX_DAG_RUN_ID": "run",
        "FLOWLET_ATTEMPT": f"file#7/{life()}",
    }
    assert "AIRFLOW_CTX_DAG_ID" not in os.environ
    assert "AIRFLOW_CTX_LOGICAL_DATE" not in decode(run(dag, logical_date=None).xcoms[0][1])


def test_a_timedelta_apart(seen: Callable[..., dict[str, Any]]) -> None:
    assert seen()["logical_date"] - timedelta(days=1) == datetime(2025, 12, 31, tzinfo=UTC)
