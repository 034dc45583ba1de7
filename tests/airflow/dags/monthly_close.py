"""Airflow 2: runs of other DAGs, latest only, days of the week, dates by pendulum, default args of groups."""

import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.datetime import BranchDateTimeOperator
from airflow.operators.empty import EmptyOperator
from airflow.operators.latest_only import LatestOnlyOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.operators.weekday import BranchDayOfWeekOperator
from airflow.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from airflow.utils.task_group import TaskGroup
from airflow.utils.weekday import WeekDay

with DAG(
    dag_id="ledger",
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1),
) as ledger:
    EmptyOperator(task_id="book") >> ExternalTaskMarker(task_id="tell", external_dag_id="monthly_close", external_task_id="wait")

with DAG(
    dag_id="monthly_close",
    schedule="0 0 1 * *",
    start_date=pendulum.today("UTC").add(days=-40),
    catchup=False,
    default_args={"retries": 0},
) as dag:
    latest = LatestOnlyOperator(task_id="latest")
    with TaskGroup(group_id="close", default_args={"owner": "finance", "retries": 2}, prefix_group_id=False) as close:
        balance = BashOperator(task_id="balance", bash_command="echo {{ logical_date.start_of('month').to_date_string() }} {{ macros.datetime_diff_for_humans(logical_date, logical_date.add(days=3)) }}")
        with TaskGroup(group_id="inner"):
            EmptyOperator(task_id="check")
    wait = ExternalTaskSensor(
        task_id="wait", external_dag_id="ledger", external_task_ids=["book"], allowed_states=["success"], failed_states=["failed"],
        check_existence=False, poke_interval=30, timeout=120, mode="reschedule", soft_fail=True,
    )
    weekday = BranchDayOfWeekOperator(task_id="weekday", follow_task_ids_if_true="thursday", follow_task_ids_if_false="other", week_day={WeekDay.THURSDAY}, use_task_logical_date=True)
    early = BranchDateTimeOperator(
        task_id="early", follow_task_ids_if_true=["morning"], follow_task_ids_if_false=["evening"], use_task_logical_date=True,
        target_upper=pendulum.datetime(2026, 1, 15, 12), target_lower=pendulum.datetime(2026, 1, 14, 12),
    )
    again = TriggerDagRunOperator(task_id="again", trigger_dag_id="ledger", conf={"of": "{{ ds }}"}, reset_dag_run=True, wait_for_completion=False, trigger_rule="all_done")
    latest >> close >> [weekday, early]
    weekday >> [EmptyOperator(task_id="thursday"), EmptyOperator(task_id="other")]
    early >> [EmptyOperator(task_id="morning"), EmptyOperator(task_id="evening")]
    [close, wait] >> again
