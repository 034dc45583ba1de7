"""Airflow 2: gates before the work: short circuits, the latest run only, the weekday."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.dummy import DummyOperator
from airflow.operators.latest_only import LatestOnlyOperator
from airflow.operators.python import ShortCircuitOperator
from airflow.operators.weekday import BranchDayOfWeekOperator
from airflow.sensors.filesystem import FileSensor
from airflow.sensors.time_delta import TimeDeltaSensor
from airflow.utils.weekday import WeekDay

with DAG("gates", start_date=datetime(2021, 1, 1), schedule_interval="@daily", catchup=False) as dag:
    latest = LatestOnlyOperator(task_id="latest_only")
    stop = ShortCircuitOperator(task_id="is_there_work", python_callable=lambda: False)
    go = ShortCircuitOperator(task_id="is_it_allowed", python_callable=lambda: True)
    weekday = BranchDayOfWeekOperator(
        task_id="weekday",
        week_day={WeekDay.SATURDAY, WeekDay.SUNDAY},
        follow_task_ids_if_true="weekend",
        follow_task_ids_if_false="workday",
        use_task_execution_day=True,
    )
    latest >> stop >> DummyOperator(task_id="work")
    latest >> go >> weekday >> [DummyOperator(task_id="weekend"), DummyOperator(task_id="workday")]
    FileSensor(task_id="landed", filepath="/no/such/file", timeout=60, soft_fail=True, mode="reschedule")
    TimeDeltaSensor(task_id="settle", delta=timedelta(minutes=10))
