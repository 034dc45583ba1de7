"""Airflow 2.2 and later: a company's own deferrable operator, and its trigger."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.models.baseoperator import BaseOperator
from airflow.sensors.time_delta import TimeDeltaSensorAsync
from airflow.triggers.temporal import TimeDeltaTrigger


class WaitForTheExport(BaseOperator):
    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(minutes=30)), method_name="finish", kwargs={"rows": 3})

    def finish(self, context, event=None, rows=0):
        return {"rows": rows, "woken": event is not None}


with DAG("deferring", start_date=datetime(2023, 1, 1), schedule_interval="@daily", catchup=False) as dag:
    settle = TimeDeltaSensorAsync(task_id="settle", delta=timedelta(minutes=5))
    settle >> WaitForTheExport(task_id="export")
