"""Airflow 2: one DAG that makes runs of another, and the other's sensor for its own past."""

from datetime import datetime

from airflow import DAG
from airflow.operators.dagrun_operator import TriggerDagRunOperator
from airflow.operators.python import PythonOperator
from airflow.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor

with DAG("controller", start_date=datetime(2021, 1, 1), schedule_interval="@once") as controller:
    TriggerDagRunOperator(
        task_id="trigger",
        trigger_dag_id="worker",
        conf={"message": "Hello {{ ds }}"},
        execution_date="{{ execution_date }}",
        reset_dag_run=True,
    ) >> ExternalTaskMarker(task_id="marker", external_dag_id="worker", external_task_id="wait")

with DAG("worker", start_date=datetime(2021, 1, 1), schedule_interval=None) as worker:
    wait = ExternalTaskSensor(
        task_id="wait", external_dag_id="controller", external_task_id="trigger", mode="reschedule", timeout=600
    )
    wait >> PythonOperator(
        task_id="say", python_callable=lambda dag_run: (dag_run.conf or {}).get("message", "nothing")
    )
