"""Names of Airflow 2 that still have one clear meaning, and the small modules that only Airflow had."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, BaseOperator, DagError
from flowlet.clock import SystemClock, from_micros
from flowlet.errors import FlowletError, VariableNotFound
from flowlet.settings import SettingError

DAY = datetime(2026, 1, 15, tzinfo=UTC)


def test_arguments_of_dags_and_tasks_are_read_by_their_old_names(dag_of: Any) -> None:
    dag = dag_of("""
        from datetime import datetime, timedelta
        from airflow import DAG
        from airflow.operators.python import PythonOperator
        with DAG("d", schedule_interval="@hourly", start_date=datetime(2021, 1, 1), concurrency=3, fail_stop=True,
                 full_filepath="x", default_args={"task_concurrency": 2, "provide_context": True}) as dag:
            PythonOperator(task_id="a", python_callable=print)
            PythonOperator(task_id="b", python_callable=print, task_concurrency=5, xcom_push=False)
    """)
    assert (dag.schedule, dag.max_active_tasks, dag.fail_fast) == ("@hourly", 3, True)
    assert [task.max_active_tis_per_dag for task in dag.tasks] == [2, 5]
    assert [task.do_xcom_push for task in dag.tasks] == [True, False]


def test_an_operator_that_has_an_argument_of_an_old_name_gets_it(dag_of: Any) -> None:
    dag = dag_of("""
        from airflow import DAG
        from airflow.models import BaseOperator
        class Own(BaseOperator):
            def __init__(self, task_concurrency, **kwargs):
                super().__init__(**kwargs)
                self.mine = task_concurrency
        with DAG("d"):
            Own(task_id="a", task_concurrency="own")
    """)
    (task,) = dag.tasks
    assert (task.mine, task.max_active_tis_per_dag) == ("own", None)


def test_without_airflows_names_flowlet_takes_its_own_only() -> None:
    with pytest.raises(DagError, match="takes no argument 'schedule_interval'"):
        DAG("d", schedule_interval="@daily")
    with DAG("d"), pytest.raises(DagError, match="takes no argument 'provide_context'"):
        BaseOperator(task_id="a", provide_context=True)


def test_a_mistaken_argument_is_still_one(problem_of: Any) -> None:
    problem = problem_of("""
        from airflow import DAG
        with DAG("d", schedule_intervall="@daily"):
            pass
    """)
    assert "DAG 'd' takes no argument 'schedule_intervall'" in problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution_date.isoformat()", "2026-01-15T00:00:00+00:00"),
        ("ti.execution_date == dag_run.execution_date == logical_date", "True"),
        ("yesterday_ds", "2026-01-14"),
        ("tomorrow_ds_nodash", "20260116"),
        ("conf.get('core', 'parallelism')", "32"),
        ("execution_date.add(months=1).to_date_string()", "2026-02-15"),
        ("data_interval_start.in_timezone('Asia/Tokyo').hour", "9"),
    ],
)
def test_old_keys_of_the_context(dag_of: Any, key: str, value: str) -> None:
    dag = dag_of(f"""
        from airflow import DAG
        from airflow.operators.python import PythonOperator
        with DAG("d"):
            PythonOperator(task_id="a", python_callable=str, op_args=["{{{{ {key} }}}}"])
    """)
    assert dag.test(logical_date=DAY).as_dict()["xcoms"] == {"a:return_value": value}


def test_keys_that_mean_something_else_now_are_told_by_name(dag_of: Any) -> None:
    dag = dag_of("""
        from airflow import DAG
        from airflow.operators.bash import BashOperator
        with DAG("d"):
            BashOperator(task_id="a", bash_command="echo {{ next_ds }}")
    """)
    assert "'next_ds' is undefined" in dag.test(logical_date=DAY).as_dict()["reasons"]["a"]


def test_moments_that_a_task_gets_can_be_handed_on(dag_of: Any) -> None:
    dag = dag_of("""
        from airflow.decorators import dag, task
        @dag(schedule=None)
        def handing():
            @task
            def give(logical_date=None):
                return {"at": logical_date, "later": logical_date.add(hours=1)}
            @task
            def take(moments):
                return str(moments["later"] - moments["at"])
            take(give())
        handing()
    """)
    assert dag.test(logical_date=DAY).as_dict()["xcoms"]["take:return_value"] == "1:00:00"


# -- small modules ---------------------------------------------------------------------------------------


def test_days_ago_is_a_midnight() -> None:
    from airflow.utils.dates import days_ago

    now = from_micros(SystemClock().now())
    assert timedelta(days=2) <= now - days_ago(2) < timedelta(days=3, minutes=1)
    assert (days_ago(0, hour=7).hour, days_ago(1).minute) == (7, 0)


def test_states() -> None:
    from airflow.utils.state import DagRunState, State, TaskInstanceState

    assert State.SUCCESS == TaskInstanceState.SUCCESS == DagRunState.SUCCESS == "success"
    assert State.UPSTREAM_FAILED in State.failed_states
    assert State.RUNNING in State.unfinished
    assert State.SKIPPED in State.finished


def test_timezone() -> None:
    from airflow.utils import timezone

    naive = datetime(2026, 1, 1)  # noqa: DTZ001  what it is about
    assert timezone.make_aware(naive, "Europe/Berlin").astimezone(UTC) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert timezone.make_naive(datetime(2026, 1, 1, tzinfo=UTC)) == naive
    assert timezone.parse("2026-01-01T00:00:00") == timezone.datetime(2026, 1, 1) == timezone.convert_to_utc(naive)
    assert (timezone.is_naive(naive), timezone.is_localized(timezone.utcnow())) == (True, True)
    with pytest.raises(ValueError, match="expects a naive datetime"):
        timezone.make_aware(timezone.utcnow())


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models import Variable

    monkeypatch.setenv("AIRFLOW_VAR_LIST", "[1, 2]")
    assert (Variable.get("list"), Variable.get("list", deserialize_json=True)) == ("[1, 2]", [1, 2])
    assert (Variable.get("absent", None), Variable.get("absent", default_var=3)) == (None, 3)
    with pytest.raises(KeyError):
        Variable.get("absent")
    with pytest.raises(VariableNotFound, match="variable 'absent' is not set: give FLOWLET_VAR_ABSENT"):
        Variable.get("absent")
    with pytest.raises(FlowletError, match=r"Variable.set[(]'x'[)] needs an open Engine"):
        Variable.set("x", 1)


def test_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.configuration import conf

    monkeypatch.setenv("AIRFLOW__MY__LIMIT", "7")
    monkeypatch.setenv("AIRFLOW__MY__ON", "True")
    assert (conf.getint("my", "limit"), conf.getfloat("my", "limit"), conf.getboolean("my", "on")) == (7, 7.0, True)
    monkeypatch.setenv("FLOWLET__MY__LIMIT", "8")
    assert conf.get("my", "limit") == "8"
    assert (conf.get("my", "absent", fallback=None), conf.has_option("my", "absent")) == (None, False)
    with pytest.raises(SettingError, match=r"no setting \[my\] absent: set FLOWLET__MY__ABSENT"):
        conf.get("my", "absent")
    with pytest.raises(SettingError, match="must be a number"):
        conf.getint("my", "on")


def test_a_sensor_for_poking_only(problem_of: Any) -> None:
    problem = problem_of("""
        from airflow import DAG
        from airflow.sensors.base import BaseSensorOperator, poke_mode_only
        @poke_mode_only
        class Own(BaseSensorOperator):
            pass
        with DAG("d"):
            Own(task_id="a", mode="reschedule")
    """)
    assert "mode must be one of 'poke', not 'reschedule'" in problem


def test_a_file_that_makes_many_dags_is_loaded_for_all() -> None:
    from airflow.sdk import get_parsing_context

    assert get_parsing_context().dag_id is None


def test_hooks_find_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.exceptions import AirflowNotFoundException
    from airflow.hooks.base import BaseHook

    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://u@h:1/s")
    assert BaseHook.get_connection("db").host == "h"
    with pytest.raises(AirflowNotFoundException):
        BaseHook.get_connection("absent")
    assert "AIRFLOW_CONN_ABSENT" not in os.environ


def test_attributes_of_a_dag_by_their_older_names(dag_of: Any) -> None:
    dag = dag_of("""
        from airflow import DAG
        from airflow.operators.empty import EmptyOperator
        with DAG("d", schedule_interval="@daily", concurrency=3) as dag:
            EmptyOperator(task_id="t")
    """)
    assert (dag.schedule_interval, dag.concurrency) == ("@daily", 3)
    with pytest.raises(AttributeError, match="'DAG' object has no attribute 'orientation'"):
        _ = dag.orientation
