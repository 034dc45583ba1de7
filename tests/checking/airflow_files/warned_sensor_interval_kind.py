from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from datetime import timedelta
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

from airflow.timetables.trigger import CronTriggerTimetable

with DAG(
    "a", schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC", interval=timedelta(hours=3)), start_date=S
):
    EmptyOperator(task_id="x")
with DAG("b", schedule="0 5 * * *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a")  # warning: never-matches
