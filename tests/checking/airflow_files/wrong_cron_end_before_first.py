from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime, pendulum

with DAG(  # error: never-fires
    "d",
    schedule="0 0 1 1 *",
    start_date=pendulum.datetime(2026, 2, 1, tz="UTC"),
    end_date=pendulum.datetime(2026, 11, 1, tz="UTC"),
):
    EmptyOperator(task_id="a")
