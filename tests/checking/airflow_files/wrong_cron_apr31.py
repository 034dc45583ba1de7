from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow.timetables.trigger import CronTriggerTimetable

with DAG("d", schedule=CronTriggerTimetable("0 0 31 4,6,9,11 *", timezone="UTC")):  # error: loading
    EmptyOperator(task_id="a")
